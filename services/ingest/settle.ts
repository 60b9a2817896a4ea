/**
 * What happens to a batch, in this order and no other:
 *   1. classify every record, under the partition count in force;
 *   2. dead letters and re-homed records are acknowledged by Kafka;
 *   3. the good rows are acknowledged by ClickHouse, in one INSERT, under a claim of their partitions;
 *   4. only then the caller commits the offsets (source.ts).
 * A crash anywhere leaves the offsets where they were: everything is read and done again, and doing it twice changes nothing.
 */
import { randomBytes } from 'node:crypto'
import type { CountInForce } from '../../common/count-in-force.ts'
import { type DeadLetter, type Misplaced, misplacedLetter } from '../../common/dead-letter.ts'
import type { Log } from '../../common/log.ts'
import type { Metrics } from '../../common/metrics.ts'
import { isTransient } from '../../common/transient.ts'
import { SchemaForgotten } from '../../schemas/dossier-event/codec.ts'
import type { Classified, Classify } from './classify.ts'
import type { DeadLetters, Rehomed } from './dead-letters.ts'
import { failPoint } from './fail-point.ts'
import { type Insert, isCountChanged } from './insert.ts'
import type { Outcome } from './isolate.ts'
import type { Ownership } from './ownership.ts'
import type { PartitionCount } from './partition-count.ts'
import type { Paused } from './pause.ts'
import type { Progress } from './progress.ts'
import type { Chunk } from './source.ts'

export interface SettleDeps {
  classify: Classify['classify']
  /** What was classified is not needed any more. */
  release: Classify['release']
  count: PartitionCount
  writeDeadLetters: DeadLetters['write']
  rehome: (strays: readonly Misplaced[], done: (some: Rehomed) => void) => Promise<void>
  insert: Insert
  ownership: Ownership
  progress: Pick<Progress, 'begin' | 'end'>
  paused: Paused
  metrics: Metrics
  log: Log
  now: () => number
}

const PAUSE_MS_MIN = 500
const PAUSE_MS_MAX = 15_000
/** A rebuild's exchange takes about a second. */
const REBUILD_PAUSE_MS = 250
const COUNT_PAUSE_MS = 250

export function createSettle(deps: SettleDeps) {
  const { metrics, log, now, ownership, count } = deps
  let failures = 0
  /** Per partition the records whose dead letter, or copy at home, is acknowledged while they are not committed: read again,
   * perhaps in another order or under another partition count, and not written again. */
  const aside = new Map<number, Set<bigint>>()
  const notYet = ({ partition, record }: DeadLetter | Misplaced) => aside.get(partition)?.has(record.offset) !== true

  /** Nothing is held meanwhile: the records are read again. */
  function later(error: unknown, why: string): Outcome {
    const pause_ms = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** failures++)
    metrics.insert_retries.inc()
    log.warn({ err: error, pause_ms }, why)
    return { done: false, pause_ms }
  }

  /** Step 2, each noted when it is acknowledged. A record that cannot go home is a dead letter after all. */
  async function writeAside(dead: readonly DeadLetter[], misplaced: readonly Misplaced[]): Promise<void> {
    const letters = [...dead]
    if (misplaced.length > 0)
      await deps.rehome(misplaced, ({ sent, refused }) => {
        metrics.rehomed.inc(sent.length)
        note(sent)
        for (const stray of refused)
          letters.push(misplacedLetter(stray, 'is too large for the topic with its new key and header'))
      })
    if (letters.length > 0)
      await deps.writeDeadLetters(letters, written => {
        for (const { refusal } of written) metrics.dead_letters.inc({ reason: refusal.reason })
        note(written)
      })
  }

  function note(records: readonly (DeadLetter | Misplaced)[]) {
    for (const { partition, record } of records)
      aside.set(partition, (aside.get(partition) ?? new Set()).add(record.offset))
  }

  async function settle(chunks: readonly Chunk[]): Promise<Outcome> {
    const under = count.current()
    let classified: Classified
    try {
      classified = await deps.classify(chunks, under)
    } catch (error) {
      if (error instanceof SchemaForgotten) return { done: false, pause_ms: COUNT_PAUSE_MS }
      throw error
    }
    try {
      await failPoint('classified')
      return await settleClassified(chunks, classified, under)
    } finally {
      deps.release(classified)
    }
  }

  async function settleClassified(
    chunks: readonly Chunk[],
    classified: Classified,
    under: CountInForce,
  ): Promise<Outcome> {
    const { good } = classified
    const misplaced = classified.misplaced.filter(notYet)
    try {
      // Sent home under a count that is no longer in force, a record would be sent back from there.
      if (misplaced.length > 0 && !(await count.holds(under))) return { done: false, pause_ms: COUNT_PAUSE_MS }
      await writeAside(classified.dead.filter(notYet), misplaced)
    } catch (error) {
      if (!isTransient(error)) throw error
      return later(error, 'what is to be set aside was not acknowledged; the records are read again')
    }
    await failPoint('written')
    if (good.length > 0) {
      const started_ms = now()
      const written_to = good.partitions()
      try {
        if (await deps.paused()) return { done: false, pause_ms: REBUILD_PAUSE_MS }
        await ownership.ensure(written_to)
        // After the claim: what an earlier owner still wrote of the same dossiers has an earlier time (rates_as_known).
        const ingested_at_ms = deps.progress.begin(written_to)
        await deps.insert(good, {
          topic: (chunks[0] as Chunk).topic,
          writerOf: ownership.writerOf,
          batch: batchName(ingested_at_ms),
          count_epoch: under.epoch,
          ingested_at_ms,
        })
      } catch (error) {
        // It may have been written, or may yet be: nothing of these partitions is written before that is certain.
        ownership.doubt(written_to)
        if (isCountChanged(error)) {
          log.info({ partitions: under.partitions }, 'the partition count has changed under a batch; it is read again')
          // Where this fails it is looked at again soon (app.ts), and the batch is refused until then.
          await count.refresh().catch(cause => log.warn({ err: cause }, 'the partition count could not be read'))
          return { done: false, pause_ms: COUNT_PAUSE_MS }
        }
        if (!isTransient(error)) throw error
        return later(error, 'ClickHouse does not take the batch; its partitions wait and it is read again')
      } finally {
        deps.progress.end(written_to)
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

  return {
    settle,
    /** Everything before the offset is committed, and not read again. */
    committed(partition: number, next_offset: bigint): void {
      const left = [...(aside.get(partition) ?? [])].filter(offset => offset >= next_offset)
      if (left.length > 0) aside.set(partition, new Set(left))
      else aside.delete(partition)
    },
    /** The partition begins another life: its offsets begin again, and what was written of them says nothing. */
    forget(partition: number): void {
      aside.delete(partition)
    },
  }
}

/** Unique, and in the order of time for whoever reads it. */
const batchName = (now_ms: number) => `${new Date(now_ms).toISOString()}-${randomBytes(4).toString('hex')}`
