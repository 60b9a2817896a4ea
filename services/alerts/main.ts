/** The alerts service as a process: `node services/alerts/main.ts`. */
import cron from 'node-cron'
import { openRegistry } from '../../schemas/registry.ts'
import { createClickHouse } from '../common/clickhouse.ts'
import { ConfigError, readConfig } from '../common/config.ts'
import { createKafka, createProducer } from '../common/kafka.ts'
import { runService } from '../common/main.ts'
import { createMetrics } from '../common/metrics.ts'
import { createAlerts } from './app.ts'
import { alertsConfig } from './config.ts'

await runService('alerts', async log => {
  const config = readConfig(alertsConfig, process.env)
  if (!cron.validate(config.ALERTS_CRON))
    throw new ConfigError([
      `ALERTS_CRON: ${JSON.stringify(config.ALERTS_CRON)} is not allowed; allowed: a cron expression such as */10 * * * * *`,
    ])
  const clickhouse = createClickHouse(config, 'analyst')
  const producer = createProducer(createKafka(config, 'motcua-alerts', log))
  await producer.connect()
  const alerts = createAlerts({
    clickhouse,
    producer,
    schema: await openRegistry(config.SCHEMA_REGISTRY_URL).newest('dossier-alert'),
    metrics: createMetrics('alerts'),
    log,
  })
  const schedule = cron.schedule(config.ALERTS_CRON, () => alerts.evaluate(), { suppressMissedWarning: true })
  return {
    http: alerts.http,
    host: config.BIND_ADDRESS,
    port: config.ALERTS_PORT,
    portVariable: 'ALERTS_PORT',
    stop: async () => {
      await schedule.stop()
      await producer.disconnect()
      await clickhouse.close()
    },
  }
})
