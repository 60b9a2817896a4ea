/**
 * `npm run bench -- --quick`: how fast events become rates, beside ClickHouse's own Kafka engine writing the same topic into
 * the same tables and views. The two take turns within one run, because machines drift: quote the ratio.
 */

import { mkdtempSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClickHouseClient } from '@clickhouse/client'
import { Command } from 'commander'
import type { Kafka } from 'kafkajs'
import { pino } from 'pino'
import { z } from 'zod'
import { PROJECT } from '../../infra/config.ts'
import { freePort } from '../../infra/ports.ts'
import { startChild } from '../../infra/processes.ts'
import { type Runtime, startRuntime } from '../../infra/runtime.ts'
import { prepareDatabase } from '../../pipelines/prepare.ts'
import type { DossierEvent } from '../../schemas/dossier-event/event.ts'
import { openRegistry, schemaFile } from '../../schemas/registry.ts'
import { frame } from '../../schemas/wire.ts'
import { createClickHouse, rowsOf } from '../../services/common/clickhouse.ts'
import { commonShape, readConfig } from '../../services/common/config.ts'
import { createKafka, createProducer, ensureTopics } from '../../services/common/kafka.ts'
import { partitionOf } from '../../services/common/partition.ts'
import { GROUP } from '../../services/common/progress.ts'
import { createInsert } from '../../services/ingest/insert.ts'
import { rowsFrom } from '../../services/ingest/rows-for-tests.ts'
import { clickhouseOptions } from '../own-stack.ts'
import { engineTable, engineView } from './engine.sql.ts'
import { cpu_us } from './processes.ts'
import { benchViews } from './views.ts'
import { type Totals, workload } from './workload.ts'

const HOST = '127.0.0.1'
const PARTITIONS = 8
const ENGINE_DATABASE = 'bench_engine'
const LIMIT_MS = 180_000
/** Asking costs CPU too: seldom, and nothing but a count until all rows are there. */
const POLL_MS = 150

interface Turn {
  side: string
  events_per_s: number
  /** CPU of the consumer and ClickHouse, microseconds per event. */
  cpu_us: number
  exact: boolean
}

const program = new Command('npm run bench --')
  .option('--quick', 'about a minute')
  .option('--dossiers <n>', 'dossiers in the stream; 2.2 records each', value => Number(value))
  .option('--rounds <n>', 'turns of each side', value => Number(value))
  .option('--views <millions>', 'instead: answer times of the views with so many million dossiers, e.g. 1,5,15')
  .option('--json <file>', 'write the figures here')
  .parse()
const options = program.opts<{ quick?: boolean; views?: string; dossiers?: number; rounds?: number; json?: string }>()
const dossiers = options.dossiers ?? (options.quick ? 60_000 : 300_000)
const rounds = options.rounds ?? (options.quick ? 2 : 5)

const home = mkdtempSync(join(tmpdir(), 'motcua-bench-'))
const say = (line = '') => process.stdout.write(`${line}\n`)
async function bench({ kafka: broker, clickhouse: server }: Runtime): Promise<void> {
  const env = { ...process.env, KAFKA_BROKERS: broker.brokers.join(','), CLICKHOUSE_URL: server.url, MOTCUA_HOME: home }
  const config = readConfig(z.object(commonShape), env)
  if (options.views !== undefined) return benchViews(config, options.views.split(',').map(Number))
  const kafka = createKafka(config, 'motcua-bench', pino({ level: 'silent' }))
  await ensureTopics(kafka, PARTITIONS)
  await prepareDatabase(config)
  await prepareDatabase(config, ENGINE_DATABASE)
  const { events, totals } = workload(dossiers)
  await produce(kafka, events)
  say(
    `${events.length.toLocaleString('en')} records of ${dossiers.toLocaleString('en')} dossiers in ${PARTITIONS} partitions; ${rounds} turns each`,
  )

  const motcua = createClickHouse(config, 'default')
  const engine = createClickHouse(config, 'default', { database: ENGINE_DATABASE })
  const registry = await serveRegistry()
  const turns: Turn[] = []
  for (let round = 0; round < rounds; round++) {
    turns.push(await turnOfMotcua(kafka, motcua, env, events.length, totals, server.pid))
    turns.push(
      await turnOfEngine(
        engine,
        { brokers: env.KAFKA_BROKERS, registry: registry.url, round },
        events.length,
        totals,
        server.pid,
      ),
    )
    turns.push(await turnOfViews(motcua, events, totals, server.pid))
    for (const turn of turns.slice(-3)) say(`  ${lineOf(turn)}`)
  }
  registry.close()
  await motcua.close()
  await engine.close()

  const sides = [...new Set(turns.map(turn => turn.side))].map(side => {
    const of = turns.filter(turn => turn.side === side)
    return {
      side,
      events_per_s: median(of.map(turn => turn.events_per_s)),
      cpu_us: median(of.map(turn => turn.cpu_us)),
      exact: of.every(turn => turn.exact),
    }
  })
  say('\nMedians')
  for (const side of sides) say(`  ${lineOf(side)}`)
  const [ours, theirs] = sides
  if (ours !== undefined && theirs !== undefined)
    say(
      `\nmotcua beside the Kafka engine: ${(ours.events_per_s / theirs.events_per_s).toFixed(2)} times the events per second, ${(ours.cpu_us / theirs.cpu_us).toFixed(2)} times the CPU per event.`,
    )
  if (options.json !== undefined)
    await writeFile(
      options.json,
      `${JSON.stringify({ dossiers, records: events.length, rounds, turns, sides }, null, 2)}\n`,
    )
  if (!sides.every(side => side.exact))
    throw new Error('a side did not give the exact rates; its figures count for nothing')
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

async function turnOfMotcua(
  kafka: Kafka,
  clickhouse: ClickHouseClient,
  env: NodeJS.ProcessEnv,
  rows: number,
  totals: Totals,
  pid: number | undefined,
): Promise<Turn> {
  await empty(clickhouse)
  const admin = kafka.admin()
  await admin.connect()
  await admin.setOffsets({
    groupId: GROUP,
    topic: 'dossier-events',
    partitions: Array.from({ length: PARTITIONS }, (_, partition) => ({ partition, offset: '0' })),
  })
  await admin.disconnect()
  const before = cpu_us(pid ?? 0)
  const child = await startChild({
    name: 'ingest',
    command: process.execPath,
    args: [
      '--disable-warning=TimeoutNegativeWarning',
      '--max-old-space-size=256',
      '--max-semi-space-size=32',
      join(PROJECT, 'services/ingest/main.ts'),
    ],
    env: { ...env, INGEST_PORT: String(await freePort(HOST)) },
    logFile: join(home, 'logs', 'ingest.log'),
  })
  const { events_per_s, exact } = await measure(clickhouse, rows, totals)
  const used = cpu_us(pid ?? 0) - before + cpu_us(child.pid)
  await child.stop()
  return { side: 'motcua, topic to rates', events_per_s, cpu_us: used / rows, exact }
}

async function turnOfEngine(
  clickhouse: ClickHouseClient,
  where: { brokers: string; registry: string; round: number },
  rows: number,
  totals: Totals,
  pid: number | undefined,
): Promise<Turn> {
  await empty(clickhouse)
  const before = cpu_us(pid ?? 0)
  await clickhouse.command({ query: engineTable({ ...where, group: `engine-${where.round}`, consumers: 2 }) })
  await clickhouse.command({ query: engineView() })
  const { events_per_s, exact } = await measure(clickhouse, rows, totals)
  const used = cpu_us(pid ?? 0) - before
  await clickhouse.command({ query: 'DROP VIEW topic_to_events' })
  await clickhouse.command({ query: 'DROP TABLE topic SYNC' })
  return { side: 'Kafka engine, AvroConfluent', events_per_s, cpu_us: used / rows, exact }
}

/** The tables and views alone: the same batches, encoded before the clock starts, two at a time. */
async function turnOfViews(
  clickhouse: ClickHouseClient,
  events: readonly DossierEvent[],
  totals: Totals,
  pid: number | undefined,
): Promise<Turn> {
  await empty(clickhouse)
  const insert = createInsert(clickhouse, 'dossier_events')
  const lanes = [0, 1].map(lane => events.filter(event => partitionOf(Buffer.from(event.dossier_id), 2) === lane))
  const before = cpu_us(pid ?? 0)
  const started = performance.now()
  await Promise.all(
    lanes.map(async (lane, partition) => {
      for (let at = 0; at < lane.length; at += 40_000)
        await insert(
          rowsFrom(
            lane.slice(at, at + 40_000).map((event, n) => ({
              event,
              partition,
              offset: BigInt(at + n),
              topic_epoch: 0,
              timestamp_ms: Date.now(),
            })),
          ),
          {
            topic: 'bench',
            writerOf: () => 'bench',
            batch: `bench-${partition}-${at}`,
            count_epoch: 0n,
            ingested_at_ms: Date.now(),
          },
        )
    }),
  )
  const seconds = (performance.now() - started) / 1000
  return {
    side: 'views alone (ClickHouse only)',
    events_per_s: events.length / seconds,
    cpu_us: (cpu_us(pid ?? 0) - before) / events.length,
    exact: await isExact(clickhouse, totals),
  }
}

/** From the first rows to the last: joining a group is not what is measured. */
async function measure(
  clickhouse: ClickHouseClient,
  rows: number,
  totals: Totals,
): Promise<{ events_per_s: number; exact: boolean }> {
  const limit = Date.now() + LIMIT_MS
  let first: { at: number; rows: number } | undefined
  for (;;) {
    const [row] = await rowsOf<{ n: number }>(clickhouse, 'SELECT count() AS n FROM dossier_events')
    const at = performance.now()
    const n = row?.n ?? 0
    if (n > 0) first ??= { at, rows: n }
    if (n >= rows && first !== undefined && (await isExact(clickhouse, totals)))
      return { events_per_s: (rows - first.rows) / ((performance.now() - first.at) / 1000), exact: true }
    if (Date.now() > limit) return { events_per_s: Number.NaN, exact: false }
    await sleep(POLL_MS)
  }
}

async function isExact(clickhouse: ClickHouseClient, totals: Totals): Promise<boolean> {
  const [row] = await rowsOf<Totals>(
    clickhouse,
    "SELECT received, received_online, settled, settled_late FROM rates(from = '1990-01-01', to = '2100-01-01', tier = 'country')",
  )
  return row !== undefined && (Object.keys(totals) as (keyof Totals)[]).every(name => row[name] === totals[name])
}

async function empty(clickhouse: ClickHouseClient): Promise<void> {
  for (const table of ['dossier_events', 'dossier_postings'])
    await clickhouse.command({ query: `TRUNCATE TABLE ${table}` })
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

const lineOf = ({ side, events_per_s, cpu_us, exact }: Turn) =>
  `${side.padEnd(32)} ${Math.round(events_per_s).toLocaleString('en').padStart(8)} events/s  ${cpu_us.toFixed(1).padStart(6)} µs CPU per event  ${exact ? 'exact' : 'NOT EXACT'}`
const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

const runtime = await startRuntime({ ...(await clickhouseOptions(home)), kafkaPort: await freePort(HOST) })
try {
  await bench(runtime)
} finally {
  await runtime.stop()
  await rm(home, { recursive: true, force: true })
}
