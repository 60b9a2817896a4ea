/** The portal as a process: reads its configuration, connects to ClickHouse as the analyst, listens. */
import { z } from 'zod'
import { createClickHouse } from '../../common/clickhouse.ts'
import { commonShape, port, readConfig } from '../../common/config.ts'
import { runService } from '../../common/main.ts'
import { createMetrics } from '../../common/metrics.ts'
import { createPortal } from './app.ts'
import { addressOf } from './connect.ts'
import { createFigures, PORTAL_REQUEST_MS_MAX, PORTAL_SETTINGS } from './figures.ts'

/** The portal never speaks to Kafka, so it does not ask for it. */
const { CLICKHOUSE_URL, CLICKHOUSE_USER, CLICKHOUSE_PASSWORD, BIND_ADDRESS } = commonShape
const schema = z.object({ CLICKHOUSE_URL, CLICKHOUSE_USER, CLICKHOUSE_PASSWORD, BIND_ADDRESS, PORTAL_PORT: port(8080) })

await runService('portal', async log => {
  const config = readConfig(schema, process.env)
  const client = createClickHouse(config, 'analyst', {
    settings: PORTAL_SETTINGS,
    request_ms_max: PORTAL_REQUEST_MS_MAX,
  })
  const http = createPortal({
    figures: createFigures(client),
    clickhouse: addressOf(config),
    log,
    metrics: createMetrics('portal'),
  })
  http.addHook('onClose', () => client.close())
  return { http, host: config.BIND_ADDRESS, port: config.PORTAL_PORT, portVariable: 'PORTAL_PORT' }
})
