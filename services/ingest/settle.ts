/**
 * What happens to a batch, in this order and no other:
 *   1. classify every record;
 *   2. dead letters and re-homed records are acknowledged by Kafka;
 *   3. the good rows are acknowledged by ClickHouse, in one INSERT, under a claim of their partitions;
 *   4. only then the caller commits the offsets (source.ts).
 * A crash anywhere leaves the offsets where they were: everything is read and done again, and doing it twice changes nothing.
 */
import { randomBytes } from 'node:crypto'
import type { Log } from '../common/log.ts'
import type { Metrics } from '../common/metrics.ts'
import type { Classified, Classify, DeadLetter, Misplaced } from './classify.ts'
import { failPoint } from './fail-point.ts'
import { type Insert, isPassing } from './insert.ts'
import type { Ownership } from './ownership.ts'
import type { Paused } from './pause.ts'
import type { Chunk, Outcome } from './source.ts'

export interface SettleDeps {
  classify: Classify
  writeDeadLetters: (letters: readonly DeadLetter[]) => Promise<void>
  rehome: (records: readonly Misplaced[]) => Promise<void>
  insert: Insert
  ownership: Ownership
  paused: Paused
  metrics: Metrics
  log: Log
  now: () => number
}

const PAUSE_MS_MIN = 500
const PAUSE_MS_MAX = 15_000
/** A rebuild's exchange takes about a second. */
const REBUILD_PAUSE_MS = 250

export function createSettle(deps: SettleDeps) {
  const { metrics, log, now } = deps
  let failures = 0
  /** Per partition the last offset whose dead letters and re-homed records are acknowledged: read again, not written again. */
  const written = new Map<number, bigint>()
  const unwritten = (partition: number, offset: bigint) => offset > (written.get(partition) ?? -1n)

  /** Nothing is held meanwhile: the records are read again. */
  function later(error: unknown, why: string): Outcome {
    const pause_ms = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** failures++)
    metrics.insert_retries.inc()
    log.warn({ err: error, pause_ms }, why)
    return { done: false, pause_ms }
  }

  return async function settle(chunks: readonly Chunk[]): Promise<Outcome> {
    let classified: Classified
    try {
      classified = await deps.classify(chunks)
    } catch (error) {
      if (!isPassing(error)) throw error
      return later(error, 'the schema registry does not answer; the records are read again')
    }
    await failPoint('classified')
    const { good } = classified
    const dead = classified.dead.filter(({ partition, record }) => unwritten(partition, record.offset))
    const misplaced = classified.misplaced.filter(({ partition, record }) => unwritten(partition, record.offset))
    if (dead.length > 0) await deps.writeDeadLetters(dead)
    if (misplaced.length > 0) await deps.rehome(misplaced)
    await failPoint('written')
    for (const { partition, records } of chunks) written.set(partition, records.at(-1)?.offset ?? -1n)
    metrics.rehomed.inc(misplaced.length)
    for (const { refusal } of dead) metrics.dead_letters.inc({ reason: refusal.reason })
    if (good.length > 0) {
      const started_ms = now()
      const written_to = new Set(good.map(row => row.partition))
      try {
        if (await deps.paused()) return { done: false, pause_ms: REBUILD_PAUSE_MS }
        await deps.ownership.ensure(written_to)
        // After the claim: what an earlier owner still wrote of the same dossiers has an earlier time (rates_as_known).
        const ingested_at_ms = now()
        await deps.insert(good, {
          topic: (chunks[0] as Chunk).topic,
          writerOf: deps.ownership.writerOf,
          batch: batchName(ingested_at_ms),
          ingested_at_ms,
        })
      } catch (error) {
        if (!isPassing(error)) throw error
        // It may have been written, or may yet be: nothing of these partitions is written before that is certain.
        deps.ownership.doubt(written_to)
        return later(error, 'ClickHouse does not take the batch; its partitions wait and it is read again')
      }
      await failPoint('inserted')
      metrics.insert_seconds.observe((now() - started_ms) / 1000)
      metrics.batch_rows.observe(good.length)
      metrics.batches.inc()
    }
    failures = 0
    metrics.events_ingested.inc(good.length)
    for (const { partition, lag, records } of chunks) {
      metrics.lag_records.set({ partition: String(partition) }, lag)
      metrics.event_delay_seconds.set((now() - (records.at(-1)?.timestamp_ms ?? now())) / 1000)
    }
    return { done: true }
  }
}
export type Settle = ReturnType<typeof createSettle>

/** Unique, and in the order of time for whoever reads it. */
const batchName = (now_ms: number) => `${new Date(now_ms).toISOString()}-${randomBytes(4).toString('hex')}`
