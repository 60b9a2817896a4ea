/**
 * The dossiers of the log and the ledger, cut into ranges of the primary key (slot, dossier_id) that fit in memory each,
 * however many there are and however their numbers look. Cut at random samples: slices are about equal, never exact.
 */

import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../../common/clickhouse.ts'
import { quoted } from '../quoted.ts'

/** A condition on `slot` and `dossier_id`, true for the dossiers of a slice; holds for both tables. */
export type Slice = string

/** Only dossiers with news: events or postings since then. */
export interface Changed {
  since: Date
}

/** Rows of both tables in one slice: some 300 MB in ClickHouse. */
const SLICE_ROWS = 400_000
/** A changed dossier brings its whole history along. */
const SLICE_ROWS_CHANGED = 50_000
const SAMPLES_PER_SLICE = 64

const timeOf = (moment: Date) =>
  `toDateTime64(${quoted(moment.toISOString().slice(0, 23).replace('T', ' '))}, 3, 'UTC')`

/** Dossiers by their numbers. */
export const sliceOf = (dossier_ids: readonly string[]): Slice => {
  const list = dossier_ids.map(quoted).join(', ')
  return `slot IN (SELECT toUInt32OrZero(splitByChar('-', arrayJoin([${list}]))[2])) AND dossier_id IN (${list})`
}

type Boundary = [slot: number, dossier_id: string]

/** From after `low` to `high`, included; undefined: open. The simple conditions are for the index, the tuples are exact. */
function between(low: Boundary | undefined, high: Boundary | undefined): Slice {
  const tuple = ([slot, id]: Boundary) => `(${slot}, ${quoted(id)})`
  const parts: string[] = []
  if (low) parts.push(`slot >= ${low[0]}`, `(slot, dossier_id) > ${tuple(low)}`)
  if (high) parts.push(`slot <= ${high[0]}`, `(slot, dossier_id) <= ${tuple(high)}`)
  if (low && high && low[0] === high[0])
    parts.push(`dossier_id > ${quoted(low[1])}`, `dossier_id <= ${quoted(high[1])}`)
  return parts.length === 0 ? '1' : parts.join(' AND ')
}

export interface Plan {
  slices: Slice[]
  /** Rows of the log that are looked at, about, where only what changed is. */
  events: number
}

/** Cuts all dossiers, or those with news, into slices. */
export async function planSlices(
  clickhouse: ClickHouseClient,
  changed?: Changed,
  rows_max = changed === undefined ? SLICE_ROWS : SLICE_ROWS_CHANGED,
): Promise<Plan> {
  const news = (column: string) => (changed === undefined ? '1' : `${column} >= ${timeOf(changed.since)}`)
  const [row] = await rowsOf<{ events: number; postings: number }>(
    clickhouse,
    `SELECT (SELECT count() FROM dossier_events WHERE ${news('ingested_at')}) AS events, (SELECT count() FROM dossier_postings WHERE ${news('posted_at')}) AS postings`,
  )
  const { events = 0, postings = 0 } = row ?? {}
  const count = Math.ceil((events + postings) / rows_max)
  if (count === 0) return { slices: [], events }
  const boundaries = count === 1 ? [] : await boundariesOf(clickhouse, count, news)
  const ranges = [...boundaries, undefined].map((high, at) => between(boundaries[at - 1], high))
  if (changed === undefined) return { slices: ranges, events }
  return {
    slices: ranges.map(range => {
      const touched = `SELECT dossier_id FROM dossier_events WHERE ${range} AND ${news('ingested_at')} UNION DISTINCT SELECT dossier_id FROM dossier_postings WHERE ${range} AND ${news('posted_at')}`
      return `${range} AND slot IN (SELECT toUInt32OrZero(splitByChar('-', dossier_id)[2]) FROM (${touched})) AND dossier_id IN (${touched})`
    }),
    events,
  }
}

async function boundariesOf(
  clickhouse: ClickHouseClient,
  count: number,
  news: (column: string) => string,
): Promise<Boundary[]> {
  const samples = await rowsOf<{ boundary: Boundary }>(
    clickhouse,
    `SELECT arrayJoin(groupArraySample(${SAMPLES_PER_SLICE * count})((slot, dossier_id))) AS boundary
     FROM (SELECT slot, dossier_id FROM dossier_events WHERE ${news('ingested_at')} UNION ALL SELECT slot, dossier_id FROM dossier_postings WHERE ${news('posted_at')})
     ORDER BY boundary`,
  )
  const every = samples.length / count
  const picked = Array.from({ length: count - 1 }, (_, at) => samples[Math.floor((at + 1) * every)]?.boundary)
  return picked.filter(
    (one, at) => one !== undefined && (at === 0 || String(one) !== String(picked[at - 1])),
  ) as Boundary[]
}
