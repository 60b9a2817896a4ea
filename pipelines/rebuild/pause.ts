/**
 * The pause of ingest: nothing is inserted into the log's ledger while it lasts, and nothing is under way. It ends by itself
 * within seconds when this process is killed; when it has ended before its work was done, the work is told so.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClickHouseClient } from '@clickhouse/client'
import { QUERY_S_MAX, rowsOf } from '../../common/clickhouse.ts'
import { createLease, type Lease } from '../../common/leases.ts'

/** Ends by itself after this long without a sign of life. */
const HOLD_MS = 10_000
const RENEW_MS = 2_500
/** Not prolonged beyond this: ingest is worth more than a rebuild, which can try again. */
const PAUSE_MS_MAX = 30_000
/** Longer than any insert may take. */
const DRAIN_MS_MAX = (QUERY_S_MAX + 10) * 1_000
const POLL_MS = 30

export interface Pause {
  /** False: it has ended, something may have been inserted since. Otherwise it lasts for seconds from now. */
  renew(): Promise<boolean>
}

/** Runs `work` while ingest is paused. Resolves to its answer and to how long the pause was, in milliseconds. */
export async function whilePaused<T>(
  clickhouse: ClickHouseClient,
  holder: string,
  work: (pause: Pause) => Promise<T>,
): Promise<{ answer: T; paused_ms: number }> {
  const lease: Lease = createLease(clickhouse, 'pause', holder, HOLD_MS)
  const started_ms = performance.now()
  // By force: whoever held it before us was killed, because we hold the right to rebuild.
  if (!(await lease.acquire({ by_force: true }))) throw new Error('ingest could not be paused: somebody else pauses it')
  const beat = setInterval(() => {
    if (performance.now() - started_ms < PAUSE_MS_MAX) void lease.renew().catch(() => undefined)
  }, RENEW_MS)
  try {
    await drain(clickhouse)
    return { answer: await work(lease), paused_ms: Math.round(performance.now() - started_ms) }
  } finally {
    clearInterval(beat)
    // Where this fails it ends by itself.
    await lease.release().catch(() => undefined)
  }
}

/** Waits until every insert has ended that may have begun before the pause was seen; those that begin now are refused. */
async function drain(clickhouse: ClickHouseClient): Promise<void> {
  const end_ms = performance.now() + DRAIN_MS_MAX
  let waiting = await insertsUnderWay(clickhouse)
  while (waiting.length > 0) {
    if (performance.now() > end_ms) throw new Error(`inserts do not end: ${waiting.join(', ')}`)
    await sleep(POLL_MS)
    const running = new Set(await insertsUnderWay(clickhouse))
    waiting = waiting.filter(id => running.has(id))
  }
}

async function insertsUnderWay(clickhouse: ClickHouseClient): Promise<string[]> {
  const rows = await rowsOf<{ query_id: string }>(
    clickhouse,
    "SELECT query_id FROM system.processes WHERE query_kind = 'Insert' AND query ILIKE '%dossier_events%' AND Settings['log_comment'] NOT LIKE 'motcua-rebuild%'",
  )
  return rows.map(row => row.query_id)
}
