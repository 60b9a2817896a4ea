/**
 * Whether the ledger is paused (for the moment in which a rebuild exchanges it). Asked before inserts: the view refuses them
 * meanwhile anyway, but the log would keep their rows, and they would stand there twice.
 *
 * "No" is believed for a second, so that many small batches do not ask each time; the view is right all the same.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { leaseOf } from '../../common/leases.ts'

export type Paused = () => Promise<boolean>

const BELIEVED_MS = 1_000

export function createPaused(clickhouse: ClickHouseClient, now = Date.now): Paused {
  let running_ms = Number.NEGATIVE_INFINITY
  return async () => {
    if (now() - running_ms < BELIEVED_MS) return false
    const { held } = await leaseOf(clickhouse, 'pause')
    if (!held) running_ms = now()
    return held
  }
}
