/**
 * Finds the record for which a batch fails with an unknown error, without ending the process: the batch is settled in halves,
 * the failing ones again in halves. A record that fails alone while others of the batch pass is parked: it becomes a dead
 * letter (`undecodable`) without being decoded.
 *
 * Where nothing passes, no record is the reason: the error is thrown, and the process ends uncommitted. More than
 * {@link PARKED_MAX} records a minute are no bad records but a bad program: this member stops, and waits for a person.
 */
import type { Log } from '../../common/log.ts'
import type { KafkaRecord } from '../../common/records.ts'
import type { Chunk } from './source.ts'

/** What became of a batch: done, or to be read again after a pause. */
export type Outcome = { done: true } | { done: false; pause_ms: number }
export type Settle = (chunks: readonly Chunk[]) => Promise<Outcome>

export const PARKED_MAX = 10
const MINUTE_MS = 60_000
const WAIT_MS = 5_000
const STOPPED_MS = 15_000

export interface IsolateDeps {
  settle: Settle
  /** Whether an error may be a record's fault. Others are thrown. */
  mayBeRecord: (error: unknown) => boolean
  park: (partition: number, record: KafkaRecord, why: string) => void
  log: Log
  now: () => number
}

export interface Isolate {
  settle: Settle
  /** Partitions were assigned: lone records come again, or are no concern of this member any more. */
  forget(): void
  /** Why nothing, or not everything, goes on. */
  trouble(): string | undefined
}

interface Failing {
  chunks: readonly Chunk[]
  error: unknown
}

const rowsIn = (chunks: readonly Chunk[]) => chunks.reduce((sum, { records }) => sum + records.length, 0)

/** Two halves of a batch of at least two records. */
export function halvesOf(chunks: readonly Chunk[]): [Chunk[], Chunk[]] {
  const [first, second]: [Chunk[], Chunk[]] = [[], []]
  let left = Math.ceil(rowsIn(chunks) / 2)
  for (const chunk of chunks) {
    const records = chunk.records.slice(0, left)
    const rest = chunk.records.slice(records.length)
    if (records.length > 0) first.push({ ...chunk, records })
    if (rest.length > 0) second.push({ ...chunk, records: rest })
    left -= records.length
  }
  return [first, second]
}

export function createIsolate({ settle, mayBeRecord, park, log, now }: IsolateDeps): Isolate {
  let parked_ms: number[] = []
  let stopped: string | undefined
  /** Batches settled so far: they tell a lone record's fault from everyone's. */
  let passes = 0
  /** Lone records that failed, and how many batches had passed then. */
  const lone = new Map<string, number>()

  /** `undefined`: it passed. */
  async function tried(chunks: readonly Chunk[]): Promise<Outcome | Failing> {
    try {
      const outcome = await settle(chunks)
      if (outcome.done) passes++
      return outcome
    } catch (error) {
      if (!mayBeRecord(error)) throw error
      return { chunks, error }
    }
  }

  async function parkAll(failing: readonly Failing[]): Promise<Outcome> {
    parked_ms = parked_ms.filter(at_ms => now() - at_ms < MINUTE_MS)
    if (parked_ms.length + failing.length > PARKED_MAX) {
      stopped = `more than ${PARKED_MAX} records within a minute fail while their neighbours pass; nothing more is parked. Look at the dead letters with reason undecodable, mend what they have in common, and start ingest again`
      log.fatal({ err: failing[0]?.error }, stopped)
      return { done: false, pause_ms: STOPPED_MS }
    }
    for (const { chunks, error } of failing) {
      const [chunk] = chunks as [Chunk]
      const record = chunk.records.at(0) as KafkaRecord
      parked_ms.push(now())
      lone.delete(nameOf(chunk))
      park(chunk.partition, record, `ingest failed at this record while its neighbours passed: ${messageOf(error)}`)
      const outcome = await settle(chunks)
      if (!outcome.done) return outcome
    }
    return { done: true }
  }

  /** A batch of one record has no neighbours: it waits until others pass, then fails for good. */
  function waitForNeighbours({ chunks, error }: Failing): Promise<Outcome> | Outcome {
    const name = nameOf((chunks as [Chunk])[0])
    const before = lone.get(name)
    if (before !== undefined && passes > before) return parkAll([{ chunks, error }])
    if (before === undefined) {
      lone.set(name, passes)
      log.error({ err: error, record: name }, 'a record fails alone; it waits until others pass or fail as well')
    }
    return { done: false, pause_ms: WAIT_MS }
  }

  async function isolate(all: Failing): Promise<Outcome> {
    if (rowsIn(all.chunks) === 1) return waitForNeighbours(all)
    log.error({ err: all.error, rows: rowsIn(all.chunks) }, 'a batch fails; it is settled in smaller ones')
    let failing: Failing[] = [all]
    let passed = false
    while (failing.some(({ chunks }) => rowsIn(chunks) > 1)) {
      const smaller: Failing[] = []
      for (const part of failing) {
        if (rowsIn(part.chunks) === 1) smaller.push(part)
        else
          for (const half of halvesOf(part.chunks)) {
            const result = await tried(half)
            if ('error' in result) smaller.push(result)
            else if (result.done) passed = true
            else return result
          }
      }
      failing = smaller
      if (failing.length > PARKED_MAX && !passed) throw all.error
      if (failing.length > 2 * PARKED_MAX) break
    }
    if (failing.length === 0) return { done: true }
    if (!passed) throw all.error
    return parkAll(failing)
  }

  return {
    async settle(chunks) {
      if (stopped !== undefined) return { done: false, pause_ms: STOPPED_MS }
      const result = await tried(chunks)
      if (!('error' in result)) {
        if (result.done) for (const chunk of chunks) lone.delete(nameOf(chunk))
        return result
      }
      return isolate(result)
    },
    forget: () => lone.clear(),
    trouble: () =>
      stopped ?? (lone.size > 0 ? `the record ${[...lone.keys()][0]} fails alone and waits for others` : undefined),
  }
}

const nameOf = ({ topic, partition, records }: Chunk) => `${topic}/${partition}/${records.at(0)?.offset}`
const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error)).slice(0, 500)
