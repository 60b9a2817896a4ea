/** The ingest service as a process: `node services/ingest/main.ts`. */

import { createClickHouse } from '../../common/clickhouse.ts'
import { readConfig } from '../../common/config.ts'
import { createKafka } from '../../common/kafka.ts'
import { runService } from '../../common/main.ts'
import { createMetrics } from '../../common/metrics.ts'
import { checkTopics } from '../../common/topics.ts'
import { openUnitDirectory } from '../../common/units.ts'
import { startWatchdog } from '../../common/watchdog.ts'
import { openRegistry } from '../../schemas/registry.ts'
import { createIngest } from './app.ts'
import { ingestConfig, timeLimits } from './config.ts'
import { checkServer } from './server-check.ts'

await runService('ingest', async (log, crash) => {
  const config = readConfig(ingestConfig, process.env)
  const clickhouse = createClickHouse(config, 'ingest', {
    request_ms_max: timeLimits(config).request_ms_max,
  })
  const kafka = createKafka(config, 'motcua-ingest', log)
  await Promise.all([checkServer(clickhouse, config.INGEST_BATCH_ROWS_MAX), checkTopics(kafka, log)])
  const stopWatchdog = startWatchdog('ingest')
  const units = await openUnitDirectory(clickhouse, log)
  const ingest = await createIngest({
    config,
    kafka,
    clickhouse,
    registry: openRegistry(config.SCHEMA_REGISTRY_URL),
    knownUnit: units.known,
    metrics: createMetrics('ingest'),
    log,
    crash,
  })
  await ingest.start()
  return {
    http: ingest.http,
    host: config.BIND_ADDRESS,
    port: config.INGEST_PORT,
    portVariable: 'INGEST_PORT',
    stop: async () => {
      stopWatchdog()
      units.stop()
      await ingest.stop()
      await clickhouse.close()
    },
  }
})
