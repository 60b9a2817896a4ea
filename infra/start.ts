// `npm start`: everything a newcomer needs to see events become rates, in one terminal. Kafka and ClickHouse first (or the
// ones the environment names), then topics, tables and reference data, the services, the samples, and a slow live stream.
// Ctrl-C stops all of it; a second start goes on where the first one was.

import { mkdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Command } from 'commander'
import { pino } from 'pino'
import { z } from 'zod'
import { commonShape, readConfig as readServiceConfig } from '../common/config.ts'
import { createKafka, ensureTopics } from '../common/kafka.ts'
import { prepareDatabase } from '../pipelines/prepare.ts'
import { ConfigError, homeFolders, PROJECT, readConfig } from './config.ts'
import { claimHome } from './home.ts'
import { PortInUseError } from './ports.ts'
import { type Child, describeExit, ProcessError, startChild } from './processes.ts'
import { RuntimeMissingError, removeRuntimeData, startRuntime } from './runtime.ts'
import { addressesOf, SERVICES, startServices } from './services.ts'
import { summaryOf } from './summary.ts'

const started_ms = Date.now()
const say = (line = '') => process.stdout.write(`${line}\n`)
const seconds = () => ((Date.now() - started_ms) / 1000).toFixed(1)
const step = (line: string) => say(`  ${`${seconds()} s`.padStart(7)}  ${line}`)

async function main(): Promise<void> {
  const program = new Command('npm start --')
    .description('Starts motcua: Kafka, ClickHouse, every service, and the samples. Ctrl-C stops all.')
    .option('--fresh', 'begin anew: forget everything this home has stored')
    .option('--no-sample', 'leave the samples out')
    .parse()
  const { fresh = false, sample } = program.opts<{ fresh?: boolean; sample: boolean }>()
  const config = readConfig(process.env)
  const folders = homeFolders(config.home)
  mkdirSync(folders.logs, { recursive: true })
  const release = claimHome(config.home)
  const closing: (() => Promise<unknown>)[] = [async () => release()]
  let stopping = false
  const stopAll = async () => {
    if (stopping) return
    stopping = true
    say('\nStopping …')
    for (const close of closing.reverse()) await close().catch(error => say(`  ${(error as Error).message}`))
    say('Everything has stopped.')
  }
  onStopSignal(() => void stopAll().then(() => process.exit(0)))

  try {
    say('motcua')
    if (fresh) {
      step('forgetting what was stored')
      await removeRuntimeData(config.home, process.env)
      await rm(join(config.home, 'sample.json'), { force: true })
    }
    step('starting Kafka and ClickHouse')
    const runtime = await startRuntime({
      home: config.home,
      host: config.host,
      kafkaPort: config.ports.kafka,
      clickhousePort: config.ports.clickhouse,
      env: process.env,
      log: step,
      onExit: exit => {
        say(`\n${exit.name} ended by itself (${describeExit(exit)}). Its log: ${folders.logs}`)
        void stopAll().then(() => process.exit(1))
      },
    })
    closing.push(() => runtime.stop())
    step(
      `Kafka ${runtime.kafka.brokers.join(',')} (${runtime.kafka.how}), ClickHouse ${runtime.clickhouse.url} (${runtime.clickhouse.how})`,
    )

    const env: NodeJS.ProcessEnv = {
      ...process.env,
      ...addressesOf(runtime, config.ports),
      BIND_ADDRESS: config.host,
      MOTCUA_HOME: config.home,
      MOTCUA_DEMO_KEY: config.demoKey,
    }
    const services = readServiceConfig(z.object(commonShape), env)
    const kafka = createKafka(services, 'motcua-start', pino({ level: 'error' }))
    const [, prepared] = await Promise.all([ensureTopics(kafka), prepareDatabase(services)])
    step(
      `topics and tables are there${prepared.schema.length > 0 ? ` (${prepared.schema.length} objects made or changed)` : ''}${prepared.loaded.length > 0 ? ', reference data loaded' : ''}`,
    )

    const running = await startServices({
      env,
      host: config.host,
      ports: config.ports,
      logs: folders.logs,
      log: line => say(`  ${line}`),
    })
    closing.push(() => running.stop())
    step(`services are ready: ${SERVICES.join(', ')}`)

    let live: Child | undefined
    let first_rates_s: string | undefined
    if (sample) {
      const { replaySamples, liveIsWanted } = await import('./sample/index.ts')
      const began_ms = Date.now()
      const result = await replaySamples({ config: services, home: config.home, log: step })
      if (result.first_rates_ms !== undefined)
        first_rates_s = ((began_ms - started_ms + result.first_rates_ms) / 1000).toFixed(1)
      if (result.lines.length > 0) say(`\n${result.lines.join('\n')}\n`)
      if (liveIsWanted(config.home)) {
        live = await startChild({
          name: 'live sample',
          command: process.execPath,
          args: ['--disable-warning=TimeoutNegativeWarning', join(PROJECT, 'infra/sample/live.ts')],
          env,
          logFile: join(folders.logs, 'live-sample.log'),
        })
        closing.push(() => (live as Child).stop())
      }
    }

    const summary = await summaryOf({
      services,
      runtime,
      urls: running.urls,
      memory: await running.memory(),
      demoKey: config.demoKey,
      firstRates_s: first_rates_s,
      ready_s: seconds(),
      live: live !== undefined,
    })
    for (const line of summary) say(line)
  } catch (error) {
    say(`\n${explain(error)}`)
    process.exitCode = 1
    await stopAll()
    process.exit(1)
  }
}

/** How long after a Ctrl-C another one means "at once": one key press can arrive twice by way of npm. */
const IMPATIENT_MS = 2_000

/** Stops once, whatever signals follow; only a second Ctrl-C by an impatient hand ends it at once. */
function onStopSignal(stop: () => void): void {
  let asked_ms: number | undefined
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      if (asked_ms === undefined) {
        asked_ms = Date.now()
        stop()
      } else if (signal === 'SIGINT' && Date.now() - asked_ms > IMPATIENT_MS) {
        say('Ending at once.')
        process.exit(1)
      }
    })
}

/** The errors a user can do something about, in their own words; anything else with its stack. */
function explain(error: unknown): string {
  const told = [ConfigError, PortInUseError, ProcessError, RuntimeMissingError]
  if (told.some(kind => error instanceof kind)) return (error as Error).message
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

await main().catch(error => {
  say(explain(error))
  process.exit(1)
})
