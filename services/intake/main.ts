/** The intake service as a process: `node services/intake/main.ts`. */

import { createClickHouse } from '../../common/clickhouse.ts'
import { readConfig } from '../../common/config.ts'
import { createKafka, createProducer } from '../../common/kafka.ts'
import { runService } from '../../common/main.ts'
import { createMetrics } from '../../common/metrics.ts'
import { openUnitDirectory } from '../../common/units.ts'
import { openRegistry } from '../../schemas/registry.ts'
import { createIntake } from './app.ts'
import { intakeConfig } from './config.ts'

await runService('intake', async log => {
  const config = readConfig(intakeConfig, process.env)
  const clickhouse = createClickHouse(config, 'analyst')
  const units = await openUnitDirectory(clickhouse, log)
  const producer = createProducer(createKafka(config, 'motcua-intake', log))
  let connected = false
  producer.on(producer.events.CONNECT, () => {
    connected = true
  })
  producer.on(producer.events.DISCONNECT, () => {
    connected = false
  })
  await producer.connect()
  const http = createIntake({
    producer,
    schema: await openRegistry(config.SCHEMA_REGISTRY_URL).newest('dossier-event'),
    knownUnit: units.known,
    demoKey: config.MOTCUA_DEMO_KEY,
    body_bytes_max: config.INTAKE_BODY_BYTES_MAX,
    ready: () => (connected ? undefined : 'not connected to Kafka'),
    metrics: createMetrics('intake'),
    log,
  })
  return {
    http,
    host: config.BIND_ADDRESS,
    port: config.INTAKE_PORT,
    portVariable: 'INTAKE_PORT',
    stop: async () => {
      units.stop()
      await producer.disconnect()
      await clickhouse.close()
    },
  }
})
