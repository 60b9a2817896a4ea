/**
 * The dossiers in slices: stretches of the log's own order (slot, dossier_id), so that a slice is read without the rest, and
 * small enough that its computation fits in memory. A dossier is never cut.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../../common/clickhouse.ts'
import type { Session } from './session.ts'

export interface Slice {
  slice: number
  events: number
  /** Condition on the columns slot and dossier_id, and its parameters. */
  of: string
  params: Record<string, unknown>
}

interface Bound {
  slice: number
  from_slot: number
  from_dossier: string
  events: number
}

const SAMPLED_EVENTS_MAX = 2_000_000

/** Cuts the log into slices of about `events_per_slice` and notes them. Measured on a sample of the dossiers. */
export async function planSlices(session: Session, events: number, events_per_slice: number): Promise<void> {
  const every = Math.max(1, Math.ceil(events / SAMPLED_EVENTS_MAX))
  await session.insert(
    'rebuild_slices (slice, from_slot, from_dossier, events, done)',
    `SELECT row_number() OVER (ORDER BY bucket) - 1 AS number, if(number = 0, 0, first.1), if(number = 0, '', first.2), events, false
      FROM
      (
        SELECT bucket, min((slot, dossier_id)) AS first, sum(n) * {every:UInt64} AS events
        FROM
        (
          SELECT slot, dossier_id, n, intDiv((sum(n) OVER (ORDER BY slot, dossier_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - n) * {every:UInt64}, {size:UInt64}) AS bucket
          FROM
          (
            SELECT slot, dossier_id, count() AS n
            FROM dossier_events
            WHERE cityHash64(dossier_id) % {every:UInt64} = 0
            GROUP BY slot, dossier_id
          )
        )
        GROUP BY bucket
      )`,
    { every, size: events_per_slice },
  )
}

/** The slices that are not done, and how many there are in all. */
export async function openSlices(
  clickhouse: ClickHouseClient,
): Promise<{ open: Slice[]; all: number; events: number }> {
  const bounds = await rowsOf<Bound & { done: boolean }>(
    clickhouse,
    `SELECT slice, anyIf(b.from_slot, NOT b.done) AS from_slot, anyIf(b.from_dossier, NOT b.done) AS from_dossier, anyIf(b.events, NOT b.done) AS events, max(b.done) AS done
     FROM rebuild_slices AS b GROUP BY slice ORDER BY slice`,
  )
  const slices = bounds.map((bound, at) => ({ ...bound, ...stretch(bound, bounds[at + 1]) }))
  return {
    open: slices.filter(slice => !slice.done),
    all: slices.length,
    events: slices.reduce((sum, slice) => sum + slice.events, 0),
  }
}

export const sliceDone = (session: Session, { slice }: Slice): Promise<void> =>
  session.insert('rebuild_slices (slice, done)', 'SELECT {slice:UInt32}, true', { slice })

/** Written out, because the primary key is not used for comparisons of tuples. */
function stretch(from: Bound, to: Bound | undefined): { of: string; params: Record<string, unknown> } {
  const params = { a_slot: from.from_slot, a: from.from_dossier, b_slot: to?.from_slot ?? 0, b: to?.from_dossier ?? '' }
  const begin = '(slot > {a_slot:UInt32} OR slot = {a_slot:UInt32} AND dossier_id >= {a:String})'
  const end = '(slot < {b_slot:UInt32} OR slot = {b_slot:UInt32} AND dossier_id < {b:String})'
  return { of: to === undefined ? begin : `${begin} AND ${end}`, params }
}
