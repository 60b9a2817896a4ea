/**
 * A home, a Kafka, a ClickHouse and services for one run of tests: real processes, on free ports and in a folder of their own,
 * so that it works beside a running `npm start`. KAFKA_BROKERS and CLICKHOUSE_URL put it on others. One that fails to start
 * leaves nothing behind.
 */
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { z } from 'zod'
import { commonShape, readConfig } from '../common/config.ts'
import { createKafka, ensureTopics } from '../common/kafka.ts'
import { freePort } from '../infra/ports.ts'
import { type ClickHouseOptions, startRuntime } from '../infra/runtime.ts'
import { addressesOf, SERVICES, type ServiceName, startServices } from '../infra/services.ts'
import { prepareDatabase } from '../pipelines/prepare.ts'

const HOST = '127.0.0.1'

/** What a runtime in this home is started with, but for a port of Kafka. */
export const clickhouseOptions = async (home: string): Promise<ClickHouseOptions> => ({
  home,
  host: HOST,
  clickhousePort: await freePort(HOST),
  env: { ...process.env, MOTCUA_HOME: home },
  log: () => undefined,
  onExit: exit => console.error(`${exit.name} ended by itself`),
})

/** With topics and tables, and these services on top of them (all, unless told otherwise). */
export async function startOwnStack({ more, names }: { more?: NodeJS.ProcessEnv; names?: readonly ServiceName[] }) {
  const home = mkdtempSync(join(tmpdir(), 'motcua-test-'))
  const closing: (() => Promise<unknown>)[] = [() => rm(home, { recursive: true, force: true })]
  const close = async () => {
    for (const step of closing.reverse()) await step()
  }
  try {
    const runtime = await startRuntime({ ...(await clickhouseOptions(home)), kafkaPort: await freePort(HOST) })
    closing.push(() => runtime.stop())
    const ports = Object.fromEntries(
      await Promise.all(SERVICES.map(async name => [name, await freePort(HOST)])),
    ) as Record<ServiceName, number>
    const env = { ...process.env, ...addressesOf(runtime, ports), BIND_ADDRESS: HOST, MOTCUA_HOME: home, ...more }
    const config = readConfig(z.object(commonShape), env)
    await Promise.all([
      ensureTopics(createKafka(config, 'motcua-test', pino({ level: 'error' }))),
      prepareDatabase(config),
    ])
    const logs = join(home, 'logs')
    const services = await startServices({ env, host: HOST, ports, logs, log: line => console.error(line), names })
    closing.push(() => services.stop())
    return { home, runtime, env, config, services, close }
  } catch (error) {
    await close()
    throw error
  }
}
