/** The alerts service as a process: `node services/alerts/main.ts`. */
import cron from 'node-cron'
import { createClickHouse } from '../../common/clickhouse.ts'
import { readConfig } from '../../common/config.ts'
import { createKafka, createProducer } from '../../common/kafka.ts'
import { runService } from '../../common/main.ts'
import { createMetrics } from '../../common/metrics.ts'
import { AUDIT_REQUEST_MS_MAX, AUDIT_SETTINGS } from '../../pipelines/audit/ledger.ts'
import { createAuditSchedule } from '../../pipelines/audit/schedule.ts'
import { openRegistry } from '../../schemas/registry.ts'
import { createAlerts } from './app.ts'
import { alertsConfig } from './config.ts'

await runService('alerts', async log => {
  const config = readConfig(alertsConfig, process.env)
  const clickhouse = createClickHouse(config, 'analyst')
  const kafka = createKafka(config, 'motcua-alerts', log)
  const producer = createProducer(kafka)
  await producer.connect()
  const registry = openRegistry(config.SCHEMA_REGISTRY_URL)
  const metrics = createMetrics('alerts')
  const alerts = createAlerts({
    clickhouse,
    producer,
    schema: await registry.newest('dossier-alert'),
    metrics,
    log,
  })
  const schedule = cron.schedule(config.ALERTS_CRON, () => alerts.evaluate(), { suppressMissedWarning: true })
  // The audit writes a line of its result, and asks for more than the time an analyst has.
  const auditor = createClickHouse(config, 'ingest', {
    settings: AUDIT_SETTINGS,
    request_ms_max: AUDIT_REQUEST_MS_MAX,
  })
  const audits = createAuditSchedule({
    clickhouse: auditor,
    kafka,
    registry,
    metrics,
    log,
    changed_cron: config.AUDIT_CRON,
    whole_cron: config.AUDIT_WHOLE_CRON,
    leave_out: config.AUDIT_LEAVE_OUT,
  })
  return {
    http: alerts.http,
    host: config.BIND_ADDRESS,
    port: config.ALERTS_PORT,
    portVariable: 'ALERTS_PORT',
    stop: async () => {
      await schedule.stop()
      await audits.stop()
      await producer.disconnect()
      await Promise.all([clickhouse, auditor].map(client => client.close()))
    },
  }
})
