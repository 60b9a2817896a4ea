/**
 * One turn of each side over the same topic. What is measured lies between the moment at which the warm rows count in the
 * ledger and that at which all do: a process has started and is warm by then. CPU is what the kernel counts, by process; that
 * of a batch under way at the first moment is not taken off, which is at most one batch in some ten.
 */
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClickHouseClient } from '@clickhouse/client'
import type { Kafka } from 'kafkajs'
import { rowsOf } from '../../common/clickhouse.ts'
import { partitionOf } from '../../common/partition.ts'
import { GROUP } from '../../common/progress.ts'
import { PROJECT } from '../../infra/config.ts'
import { freePort } from '../../infra/ports.ts'
import { type Child, startChild } from '../../infra/processes.ts'
import type { DossierEvent } from '../../schemas/dossier-event/event.ts'
import { createInsert } from '../../services/ingest/insert.ts'
import { rowsFrom } from '../../services/ingest/rows-for-tests.ts'
import { engineTable, engineView } from './engine.sql.ts'
import { cpu_us, memory_mb_max } from './processes.ts'
import type { Totals } from './workload.ts'

const HOST = '127.0.0.1'
export const PARTITIONS = 8
const LIMIT_MS = 180_000
/** Asking costs CPU too: seldom, and nothing but a count until all rows are there. */
const POLL_MS = 100
const BATCH_ROWS = 40_000

/** Microseconds per event in the measured part of a turn. */
export interface Turn {
  side: string
  events_per_s: number
  cpu_us: number
  /** Of `cpu_us`, by process; the broker's stands beside it, because it is the same for both. */
  ingest_us?: number | undefined
  clickhouse_us: number
  broker_us: number
  /** Of `ingest_us`: looking at records, building files, and the rest, which is Kafka's client and HTTP. */
  steps_us?: { scan: number; write: number; rest: number } | undefined
  rows_per_insert?: number | undefined
  /** The most it held at once. */
  ingest_rss_mb?: number | undefined
  load: number
  exact: boolean
}

export interface Bench {
  kafka: Kafka
  env: NodeJS.ProcessEnv
  /** Of ClickHouse and of the broker; undefined where they are others'. */
  pids: { clickhouse: number | undefined; broker: number | undefined }
  events: readonly DossierEvent[]
  totals: Totals
  /** So many rows are counted before the clock starts. */
  warm_rows: number
  logs: string
}

export async function startIngest({ env, logs }: Pick<Bench, 'env' | 'logs'>): Promise<{ child: Child; url: string }> {
  const port = await freePort(HOST)
  const child = await startChild({
    name: 'ingest',
    command: process.execPath,
    args: [
      '--disable-warning=TimeoutNegativeWarning',
      '--max-old-space-size=256',
      '--max-semi-space-size=8',
      join(PROJECT, 'services/ingest/main.ts'),
    ],
    env: { ...env, INGEST_PORT: String(port) },
    logFile: join(logs, 'ingest.log'),
  })
  return { child, url: `http://${HOST}:${port}` }
}

export async function turnOfMotcua(bench: Bench, clickhouse: ClickHouseClient): Promise<Turn> {
  await empty(clickhouse)
  const admin = bench.kafka.admin()
  await admin.connect()
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({ partition, offset: '0' }))
  await admin.setOffsets({ groupId: GROUP, topic: 'dossier-events', partitions })
  await admin.disconnect()
  const { child, url } = await startIngest(bench)
  try {
    const of = async () => ({ ...cpuOf(bench), ingest: cpu_us(child.pid), metrics: await metricsOf(url) })
    const { begin, end, ...turn } = await measured(bench, clickhouse, of)
    const used = (from: keyof typeof begin.metrics) => end.metrics[from] - begin.metrics[from]
    const perEvent = (seconds: number) => (seconds * 1e6) / turn.rows
    const ingest_us = (end.ingest - begin.ingest) / turn.rows
    const [scan, write] = [perEvent(used('scan_s')), perEvent(used('write_s'))]
    return {
      side: 'motcua, topic to rates',
      ...figuresOf(turn),
      cpu_us: ingest_us + turn.clickhouse_us,
      ingest_us,
      steps_us: { scan, write, rest: ingest_us - scan - write },
      rows_per_insert: used('rows') / used('inserts'),
      ingest_rss_mb: memory_mb_max(child.pid),
    }
  } finally {
    await child.stop()
  }
}

export async function turnOfEngine(
  bench: Bench,
  clickhouse: ClickHouseClient,
  where: { brokers: string; registry: string; round: number },
): Promise<Turn> {
  await empty(clickhouse)
  await clickhouse.command({ query: engineTable({ ...where, group: `engine-${where.round}`, consumers: 2 }) })
  await clickhouse.command({ query: engineView() })
  const { begin: _, end: __, ...turn } = await measured(bench, clickhouse, async () => cpuOf(bench))
  await clickhouse.command({ query: 'DROP VIEW topic_to_events' })
  await clickhouse.command({ query: 'DROP TABLE topic SYNC' })
  return { side: 'Kafka engine, AvroConfluent', ...figuresOf(turn), cpu_us: turn.clickhouse_us }
}

/** The tables and views alone: batches as ingest makes them, two at a time. Only ClickHouse's CPU counts. */
export async function turnOfViews(bench: Bench, clickhouse: ClickHouseClient): Promise<Turn> {
  await empty(clickhouse)
  const insert = createInsert(clickhouse, 'dossier_events')
  const lanes = [0, 1].map(lane => bench.events.filter(event => partitionOf(Buffer.from(event.dossier_id), 2) === lane))
  const writing = Promise.all(
    lanes.map(async (lane, partition) => {
      for (let at = 0; at < lane.length; at += BATCH_ROWS)
        await insert(
          rowsFrom(
            lane.slice(at, at + BATCH_ROWS).map((event, nth) => ({
              event,
              partition,
              offset: BigInt(at + nth),
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
  const [{ begin: _, end: __, ...turn }] = await Promise.all([
    measured(bench, clickhouse, async () => cpuOf(bench)),
    writing,
  ])
  return { side: 'views alone (ClickHouse only)', ...figuresOf(turn), cpu_us: turn.clickhouse_us }
}

interface Cpu {
  clickhouse: number
  broker: number
}
const cpuOf = ({ pids }: Bench): Cpu => ({
  clickhouse: cpu_us(pids.clickhouse ?? 0),
  broker: cpu_us(pids.broker ?? 0),
})

interface Measured<Sample> {
  begin: Sample
  end: Sample
  rows: number
  seconds: number
  clickhouse_us: number
  broker_us: number
  exact: boolean
}

/** Rows whose batch the ledger has: the log shows them long before. */
const COUNTED = 'SELECT count() AS n FROM dossier_events WHERE batch IN (SELECT batch FROM dossier_postings)'
/** The last record of the stream settles a dossier. */
const SETTLED = 'SELECT sumIf(sign, settled_on != toDate(0)) AS n FROM dossier_postings'
const IN_LOG = 'SELECT count() AS n FROM dossier_events'

/** Samples when the warm rows count, and when all do. */
async function measured<Sample extends Cpu>(
  { events, totals, warm_rows }: Bench,
  clickhouse: ClickHouseClient,
  sample: () => Promise<Sample>,
): Promise<Measured<Sample>> {
  const limit = performance.now() + LIMIT_MS
  const asked = async (query: string) => (await rowsOf<{ n: number }>(clickhouse, query))[0]?.n ?? 0
  let over = false
  async function until(query: string, least: number): Promise<number> {
    for (;;) {
      const n = await asked(query)
      over = performance.now() > limit
      if (n >= least || over) return n
      await sleep(POLL_MS)
    }
  }
  const warm = await until(COUNTED, warm_rows)
  const [began_ms, begin] = [performance.now(), await sample()]
  await until(SETTLED, totals.settled)
  await until(IN_LOG, events.length)
  const [ended_ms, end] = [performance.now(), await sample()]
  const rows = events.length - warm
  return {
    begin,
    end,
    rows,
    seconds: (ended_ms - began_ms) / 1_000,
    clickhouse_us: (end.clickhouse - begin.clickhouse) / rows,
    broker_us: (end.broker - begin.broker) / rows,
    exact: !over && (await becomesExact(clickhouse, totals)),
  }
}

const figuresOf = ({ rows, seconds, clickhouse_us, broker_us, exact }: Omit<Measured<Cpu>, 'begin' | 'end'>) => ({
  events_per_s: rows / seconds,
  clickhouse_us,
  broker_us,
  load: loadavg()[0] ?? Number.NaN,
  exact,
})

/** A last repetition may still be on its way, which changes nothing. */
async function becomesExact(clickhouse: ClickHouseClient, totals: Totals): Promise<boolean> {
  for (let tries = 0; tries < 100; tries++) {
    const [row] = await rowsOf<Totals>(
      clickhouse,
      "SELECT received, received_online, settled, settled_late FROM rates(from = '1990-01-01', to = '2100-01-01', tier = 'country')",
    )
    if (row !== undefined && (Object.keys(totals) as (keyof Totals)[]).every(name => row[name] === totals[name]))
      return true
    await sleep(POLL_MS)
  }
  return false
}

export async function empty(clickhouse: ClickHouseClient): Promise<void> {
  for (const table of ['dossier_events', 'dossier_postings'])
    await clickhouse.command({ query: `TRUNCATE TABLE ${table}` })
}

async function metricsOf(url: string) {
  const text = await (await fetch(`${url}/metrics`)).text()
  const read = (name: string, label = '') =>
    Number(new RegExp(`^${name}\\{[^}]*${label}[^}]*\\} (\\S+)$`, 'm').exec(text)?.[1] ?? 0)
  return {
    scan_s: read('motcua_ingest_busy_seconds_total', 'step="scan"'),
    write_s: read('motcua_ingest_busy_seconds_total', 'step="write"'),
    rows: read('motcua_batch_rows_sum'),
    inserts: read('motcua_batch_rows_count'),
  }
}
