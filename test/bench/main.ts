/**
 * `npm run bench -- --quick`: how fast events become rates, beside ClickHouse's own Kafka engine writing the same topic into
 * the same tables and views. The sides take turns within one run, because machines drift: quote the ratio.
 */
import { mkdtempSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import type { Kafka } from 'kafkajs'
import { pino } from 'pino'
import { z } from 'zod'
import { createClickHouse } from '../../common/clickhouse.ts'
import { commonShape, readConfig } from '../../common/config.ts'
import { createKafka, createProducer, ensureTopics } from '../../common/kafka.ts'
import { freePort } from '../../infra/ports.ts'
import { type Runtime, startRuntime } from '../../infra/runtime.ts'
import { prepareDatabase } from '../../pipelines/prepare.ts'
import type { DossierEvent } from '../../schemas/dossier-event/event.ts'
import { openRegistry, schemaFile } from '../../schemas/registry.ts'
import { frame } from '../../schemas/wire.ts'
import { clickhouseOptions } from '../own-stack.ts'
import { type Latency, latencyAt } from './latency.ts'
import { type Bench, PARTITIONS, type Turn, turnOfEngine, turnOfMotcua, turnOfViews } from './turns.ts'
import { benchViews } from './views.ts'
import { workload } from './workload.ts'

const HOST = '127.0.0.1'
const ENGINE_DATABASE = 'bench_engine'
const WARM_ROWS = 100_000
const RATES = [100, 5_000]

const program = new Command('npm run bench --')
  .option('--quick', 'about four minutes')
  .option('--dossiers <n>', 'dossiers in the stream; 2.2 records each', value => Number(value))
  .option('--rounds <n>', 'turns of each side', value => Number(value))
  .option('--latency', 'instead: how long it takes until an event counts, at 100 and 5,000 events a second')
  .option('--views <millions>', 'instead: answer times of the views with so many million dossiers, e.g. 1,5,15')
  .option('--json <file>', 'write the figures here')
  .parse()
const options = program.opts<{
  quick?: boolean
  latency?: boolean
  views?: string
  dossiers?: number
  rounds?: number
  json?: string
}>()
const dossiers = options.dossiers ?? (options.quick ? 230_000 : 400_000)
const rounds = options.rounds ?? (options.quick ? 3 : 7)

const home = mkdtempSync(join(tmpdir(), 'motcua-bench-'))
const say = (line = '') => process.stdout.write(`${line}\n`)
const shown = (value: number | undefined, digits = 1) => (value === undefined ? '' : value.toFixed(digits))
const whole = (value: number) => Math.round(value).toLocaleString('en')

async function bench({ kafka: broker, clickhouse: server }: Runtime): Promise<void> {
  const env = { ...process.env, KAFKA_BROKERS: broker.brokers.join(','), CLICKHOUSE_URL: server.url, MOTCUA_HOME: home }
  const config = readConfig(z.object(commonShape), env)
  if (options.views !== undefined) return benchViews(config, options.views.split(',').map(Number))
  const kafka = createKafka(config, 'motcua-bench', pino({ level: 'silent' }))
  await ensureTopics(kafka, PARTITIONS)
  await prepareDatabase(config)
  const motcua = createClickHouse(config, 'default')
  const pids = { clickhouse: server.pid, broker: broker.pid }
  const common = { kafka, env, pids, warm_rows: WARM_ROWS, logs: join(home, 'logs') }
  say(`${availableParallelism()} cores, load ${shown(loadavg()[0])}`)
  if (options.latency === true) {
    const found: Latency[] = []
    for (const rate of RATES) {
      const latency = await latencyAt({ ...common, events: [], totals: workload(0).totals }, motcua, rate)
      found.push(latency)
      say(
        `  ${whole(latency.events_per_s).padStart(6)} events/s (asked for ${whole(rate)}): counted after ${whole(latency.p50_ms)} ms (median), ${whole(latency.p99_ms)} ms (99 of 100)`,
      )
    }
    await motcua.close()
    return write({ latency: found })
  }

  await prepareDatabase(config, ENGINE_DATABASE)
  const engine = createClickHouse(config, 'default', { database: ENGINE_DATABASE })
  const { events, totals } = workload(dossiers)
  await produce(kafka, events)
  say(
    `${whole(events.length)} records of ${whole(dossiers)} dossiers in ${PARTITIONS} partitions, ${whole(WARM_ROWS)} of them before the clock starts; ${rounds} turns each`,
  )
  const registry = await serveRegistry()
  const on: Bench = { ...common, events, totals }
  const turns: Turn[] = []
  for (let round = 0; round < rounds; round++) {
    const where = { brokers: env.KAFKA_BROKERS, registry: registry.url, round }
    const sides = [() => turnOfMotcua(on, motcua), () => turnOfEngine(on, engine, where), () => turnOfViews(on, motcua)]
    // Not always the same one after the same.
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      const turn = await side()
      turns.push(turn)
      say(`  ${lineOf(turn)}  load ${shown(turn.load)}`)
    }
  }
  registry.close()
  await Promise.all([motcua.close(), engine.close()])

  const sides = [...Map.groupBy(turns, turn => turn.side)].map(([side, own]) => summary(side, own))
  say('\nMedians, and from the least to the most')
  for (const { side, median, spread } of sides)
    say(
      `  ${lineOf(median)}  ${whole(spread.events_per_s[0])}–${whole(spread.events_per_s[1])} events/s, ${shown(spread.cpu_us[0])}–${shown(spread.cpu_us[1])} µs of ${side.split(',')[0]}`,
    )
  const of = (name: string) => sides.find(({ side }) => side.startsWith(name))?.median
  const [ours, theirs, alone] = [of('motcua'), of('Kafka engine'), of('views')]
  if (ours !== undefined && alone !== undefined) {
    const { scan, write, rest } = ours.steps_us
    say(
      `\nOf motcua's ${shown(ours.cpu_us)} µs: ingest ${shown(ours.ingest_us)} (scan ${shown(scan, 2)}, files ${shown(write, 2)}, Kafka's client and HTTP ${shown(rest, 2)}), ClickHouse ${shown(ours.clickhouse_us)}, ${shown(ours.clickhouse_us / alone.clickhouse_us, 2)} times the views alone.`,
    )
    say(
      `${whole(ours.rows_per_insert ?? 0)} rows an insert; ingest held ${whole(ours.ingest_rss_mb ?? 0)} MB at most; the broker takes ${shown(ours.broker_us)} µs an event (not counted above).`,
    )
  }
  await write({ dossiers, records: events.length, warm_rows: WARM_ROWS, rounds, turns, sides })
  if (!turns.every(turn => turn.exact))
    throw new Error('a side did not give the exact rates; its figures count for nothing')
  if (ours !== undefined && theirs !== undefined)
    say(
      `\nmotcua beside the Kafka engine: ${(ours.events_per_s / theirs.events_per_s).toFixed(2)} times the events per second, ${(ours.cpu_us / theirs.cpu_us).toFixed(2)} times the CPU per event.`,
    )
}

async function write(figures: object): Promise<void> {
  if (options.json !== undefined)
    await writeFile(options.json, `${JSON.stringify({ cores: availableParallelism(), ...figures }, null, 2)}\n`)
}

/** The median of each figure, and how far the turns lie apart. */
function summary(side: string, own: readonly Turn[]) {
  const sorted = (figure: (turn: Turn) => number | undefined) =>
    own.map(turn => figure(turn) ?? Number.NaN).toSorted((a, b) => a - b)
  const median = (figure: (turn: Turn) => number | undefined): number => {
    const values = sorted(figure)
    const [low, high] = [values[Math.ceil(values.length / 2) - 1], values[Math.floor(values.length / 2)]]
    return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2
  }
  const ends = (values: number[]): [number, number] => [values[0] ?? Number.NaN, values.at(-1) ?? Number.NaN]
  const step = (name: keyof NonNullable<Turn['steps_us']>) => median(turn => turn.steps_us?.[name])
  return {
    side,
    median: {
      side,
      events_per_s: median(turn => turn.events_per_s),
      cpu_us: median(turn => turn.cpu_us),
      ingest_us: median(turn => turn.ingest_us),
      clickhouse_us: median(turn => turn.clickhouse_us),
      broker_us: median(turn => turn.broker_us),
      steps_us: { scan: step('scan'), write: step('write'), rest: step('rest') },
      rows_per_insert: median(turn => turn.rows_per_insert),
      ingest_rss_mb: Math.max(...own.map(turn => turn.ingest_rss_mb ?? Number.NaN)),
      exact: own.every(turn => turn.exact),
    },
    spread: { events_per_s: ends(sorted(turn => turn.events_per_s)), cpu_us: ends(sorted(turn => turn.cpu_us)) },
  }
}

async function produce(kafka: Kafka, events: readonly DossierEvent[]): Promise<void> {
  const { id, type } = await openRegistry(undefined).newest('dossier-event')
  const producer = createProducer(kafka)
  await producer.connect()
  for (let at = 0; at < events.length; at += 8_000)
    await producer.send({
      topic: 'dossier-events',
      acks: -1,
      messages: events.slice(at, at + 8_000).map(event => ({ key: event.dossier_id, value: frame(id, type, event) })),
    })
  await producer.disconnect()
}

/** What the engine asks a schema registry for: the project's own schemas by id. */
async function serveRegistry(): Promise<{ url: string; close: () => void }> {
  const files = schemaFile('ids.json') as unknown as Record<string, string>
  const server = createServer((request, response) => {
    const file = files[/^\/schemas\/ids\/(\d+)/.exec(request.url ?? '')?.[1] ?? '']
    if (file === undefined) return response.writeHead(404).end('{"error_code":40403,"message":"Schema not found"}')
    return response
      .writeHead(200, { 'content-type': 'application/vnd.schemaregistry.v1+json' })
      .end(JSON.stringify({ schema: JSON.stringify(schemaFile(file)) }))
  })
  await new Promise<void>(resolve => server.listen(0, HOST, resolve))
  const address = server.address()
  return { url: `http://${HOST}:${typeof address === 'object' ? address?.port : 0}`, close: () => server.close() }
}

const lineOf = ({ side, events_per_s, cpu_us, exact }: Pick<Turn, 'side' | 'events_per_s' | 'cpu_us' | 'exact'>) =>
  `${side.padEnd(30)} ${whole(events_per_s).padStart(8)} events/s  ${shown(cpu_us).padStart(6)} µs CPU per event  ${exact ? 'exact' : 'NOT EXACT'}`

const runtime = await startRuntime({ ...(await clickhouseOptions(home)), kafkaPort: await freePort(HOST) })
try {
  await bench(runtime)
} finally {
  await runtime.stop()
  await rm(home, { recursive: true, force: true })
}
