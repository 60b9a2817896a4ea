/**
 * Rights that end by themselves, kept in ClickHouse (`leases`) and told by its clock alone. Whoever is killed, stopped or cut
 * off while it holds one blocks nobody for longer than it asked for; whoever wakes up afterwards is told that it has lost it.
 *
 * Two processes that ask in the same moment are told apart by asking again: until then both may hope, neither may act.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from './clickhouse.ts'

/** `rebuild`: one at a time. `pause`: `balance` posts nothing meanwhile, and ingest waits. */
export type LeaseName = 'rebuild' | 'pause'

/** Longer than an insert of one row takes to be seen. */
const RIVALS_MS = 200

const LAST = `(SELECT max(epoch) AS last_epoch, argMax(holder, (epoch, holder)) AS last_holder, argMax(until, (epoch, holder)) AS last_until FROM leases WHERE name = {name:String})`
const EXPLICIT = { async_insert: 0, insert_deduplicate: 0, aggregate_functions_null_for_empty: 0 } as const

export interface Lease {
  readonly holder: string
  /** False where another holds it. `by_force`: also then. */
  acquire(options?: { by_force?: boolean }): Promise<boolean>
  /** Holds it for its full time again; false where it is lost, for good. */
  renew(): Promise<boolean>
  release(): Promise<void>
}

export interface Holder {
  held: boolean
  holder: string
}

/** Who holds a lease now. */
export async function leaseOf(clickhouse: ClickHouseClient, name: LeaseName): Promise<Holder> {
  const [row] = await rowsOf<Holder>(
    clickhouse,
    `SELECT last_until > now64(3) AS held, last_holder AS holder FROM ${LAST}`,
    { name },
  )
  return { held: Boolean(row?.held), holder: row?.holder ?? '' }
}

export function createLease(clickhouse: ClickHouseClient, name: LeaseName, holder: string, hold_ms: number): Lease {
  // One row after the other: two written at once would have the same epoch, and neither would stand.
  let written: Promise<unknown> = Promise.resolve()
  function write(until: string, condition: string): Promise<unknown> {
    const query = `INSERT INTO leases (name, epoch, holder, until)
      SELECT {name:String}, last_epoch + 1, {holder:String}, ${until} FROM ${LAST} WHERE ${condition}`
    const next = () =>
      clickhouse.command({ query, query_params: { name, holder, hold_ms }, clickhouse_settings: EXPLICIT })
    written = written.then(next, next)
    return written
  }
  const mine = async () => {
    const last = await leaseOf(clickhouse, name)
    return last.held && last.holder === holder
  }
  const until = 'now64(3) + toIntervalMillisecond({hold_ms:UInt32})'
  return {
    holder,
    async acquire({ by_force = false } = {}) {
      await write(until, by_force ? '1' : 'last_until <= now64(3) OR last_holder = {holder:String}')
      if (!by_force) await sleep(RIVALS_MS)
      return mine()
    },
    async renew() {
      await write(until, 'last_holder = {holder:String} AND last_until > now64(3)')
      return mine()
    },
    release: () => write('toDateTime64(0, 3)', 'last_holder = {holder:String}').then(() => undefined),
  }
}
