/**
 * The closing table: published | rates from the views | plain count | difference. Waits until the views have caught up with
 * what was sent. Exact means that every figure is what was published, or what was made up where nothing was.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClickHouseClient } from '@clickhouse/client'
import { figuresOfPlainCount, figuresOfViews, recordsInLog, type ViewFigures } from './figures.ts'
import type { Figures } from './plan.ts'
import { percent } from './portal-table.ts'
import type { ReplayedSample } from './state.ts'

export interface Comparison {
  lines: string[]
  exact: boolean
}

export interface CompareOptions {
  /** The log may stand still for so long before the views are taken as they are. */
  idle_ms_max?: number
  poll_ms?: number
  /** Called at each look, with the records that ClickHouse has of those sent. */
  onWait?: (progress: { arrived: number; sent: number }) => void
}

const IDLE_MS_MAX = 60_000
const POLL_MS = 500

export async function compareSamples(
  clickhouse: ClickHouseClient,
  samples: readonly ReplayedSample[],
  options: CompareOptions = {},
): Promise<Comparison> {
  const views = await caughtUp(clickhouse, samples, options)
  const tables = await Promise.all(
    samples.map(async (sample, at) =>
      tableOf(sample, views[at] as ViewFigures, await figuresOfPlainCount(clickhouse, sample)),
    ),
  )
  return { lines: tables.flatMap(table => table.lines), exact: tables.every(table => table.exact) }
}

async function caughtUp(
  clickhouse: ClickHouseClient,
  samples: readonly ReplayedSample[],
  options: CompareOptions,
): Promise<ViewFigures[]> {
  const { idle_ms_max = IDLE_MS_MAX, poll_ms = POLL_MS, onWait } = options
  const sent = samples.reduce((sum, sample) => sum + sample.deliveries, 0)
  let before = -1
  let moved_ms = performance.now()
  for (; ; await sleep(poll_ms)) {
    const records = await recordsInLog(clickhouse)
    const arrived = samples.reduce((sum, sample) => sum + Math.min(records.get(sample.unit) ?? 0, sample.deliveries), 0)
    if (arrived !== before) moved_ms = performance.now()
    before = arrived
    const waitedEnough = performance.now() - moved_ms > idle_ms_max
    // The views are asked when all is there, or nothing more comes: they share the machine with ingest.
    if (arrived === sent || waitedEnough) {
      const views = await Promise.all(samples.map(sample => figuresOfViews(clickhouse, sample)))
      if (waitedEnough || samples.every((sample, at) => same(views[at]?.figures, sample.figures))) return views
    }
    onWait?.({ arrived, sent })
  }
}

const same = (a: Figures | undefined, b: Figures) =>
  a !== undefined && (Object.keys(b) as (keyof Figures)[]).every(key => a[key] === b[key])

interface Row {
  name: string
  published: string | undefined
  views: string
  plain: string
  difference: string
  exact: boolean
}

/** One sample's part of the table. Pure. */
export function tableOf(sample: ReplayedSample, views: ViewFigures, plain: Figures): Comparison {
  const { published, figures } = sample
  const seen = views.figures

  const counted = (name: string, key: keyof Figures, was: number | undefined): Row => {
    const difference = (was ?? figures[key]) - seen[key]
    return {
      name,
      published: was?.toLocaleString('en'),
      views: seen[key].toLocaleString('en'),
      plain: plain[key].toLocaleString('en'),
      difference: difference.toLocaleString('en'),
      exact: difference === 0 && seen[key] === figures[key],
    }
  }
  const rate = (name: string, of: (all: Figures) => readonly [number, number], was: string | undefined): Row => {
    const shown = (all: Figures) => percent(...of(all))
    const difference = Number(was ?? shown(figures)) - Number(shown(seen))
    const exact = (was ?? shown(figures)) === shown(seen)
    return {
      name,
      published: was === undefined ? undefined : `${was} %`,
      views: `${shown(seen)} %`,
      plain: `${shown(plain)} %`,
      difference: exact ? '0' : `${difference.toFixed(2)} points`,
      exact,
    }
  }
  const rows = [
    counted('received', 'received', published.received),
    counted('received online', 'received_online', undefined),
    rate('online rate', all => [all.received_online, all.received], published.online_percent),
    counted('settled on time', 'settled_on_time', published.settled_on_time),
    counted('settled late', 'settled_late', published.settled_late),
    rate(
      'on-time rate',
      all => [all.settled_on_time, all.settled_on_time + all.settled_late],
      published.on_time_percent,
    ),
    ...(published.land_online_percent === undefined
      ? []
      : [
          counted('land: received', 'land_received', undefined),
          counted('land: received online', 'land_online', undefined),
          rate('land: online rate', all => [all.land_online, all.land_received], published.land_online_percent),
        ]),
  ]
  const exact = rows.every(row => row.exact)
  return { lines: [...heading(sample, views), ...drawn(rows), ...(exact ? [] : [whyNot(sample, seen)]), ''], exact }
}

const heading = (sample: ReplayedSample, views: ViewFigures) => [
  `${sample.title} (unit ${sample.unit}, source = 'sample', seed ${sample.seed})`,
  `  ${sample.remark}`,
  ...(views.others.length === 0 ? [] : [`  beside it count dossiers of ${views.others.join(', ')}, left out here`]),
]

function drawn(rows: readonly Row[]): string[] {
  const cells = [
    ['figure', 'published', 'rates (views)', 'plain count', 'difference', ''],
    ...rows.map(row => [
      row.name,
      row.published ?? '–',
      row.views,
      row.plain,
      row.difference,
      row.published === undefined ? 'synthetic' : '',
    ]),
  ]
  const widths = cells[0]?.map((_, column) => Math.max(...cells.map(line => line[column]?.length ?? 0))) ?? []
  return cells.map(line =>
    `  ${line.map((cell, column) => (column === 0 || column === 5 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('   ')}`.trimEnd(),
  )
}

function whyNot(sample: ReplayedSample, seen: Figures): string {
  if (seen.received === 0)
    return '  The views hold nothing of it: is ingest running, and does this ClickHouse belong to this MOTCUA_HOME? npm start -- --fresh begins anew'
  if (seen.received < sample.figures.received)
    return '  The views have not caught up: is ingest running? Look into its log, and at npm run dlq -- list'
  return '  The views do not say what was sent: npm run audit shows which dossiers'
}
