/**
 * What happens to a chunk of one partition, around the batch it becomes part of: is the partition still the one it was, are the
 * schemas at hand, did a member die at these records. What waits here waits for its own partition; others go on.
 */

import type { Log } from '../../common/log.ts'
import { isTransient } from '../../common/transient.ts'
import type { createDecoder } from '../../schemas/dossier-event/codec.ts'
import type { Attempts } from './attempts.ts'
import type { Outcome } from './isolate.ts'
import type { Lives } from './lives.ts'
import { type Chunk, type ChunkOutcome, isKafkaError } from './source.ts'

export interface HandleDeps {
  lives: Lives
  attempts: Attempts
  decoder: Pick<ReturnType<typeof createDecoder>, 'prepare'>
  /** Settles a chunk together with others (gather.ts). */
  gather: (chunk: Chunk) => Promise<Outcome>
  log: Log
}

const LOOK_PAUSE_MS = 1_000

/** Many unknown ids come one after the other. */
const LOG_MS = 1_000

export function createHandle({ lives, attempts, decoder, gather, log }: HandleDeps) {
  let warned_ms = Number.NEGATIVE_INFINITY
  return async function handle(whole: Chunk): Promise<ChunkOutcome> {
    let seek: bigint | undefined
    try {
      seek = await lives.enter(whole)
    } catch (error) {
      if (!isTransient(error) && !isKafkaError(error)) throw error
      log.warn({ err: error, partition: whole.partition }, 'the partition could not be looked at; it is read again')
      return { settled: 0, pause_ms: LOOK_PAUSE_MS }
    }
    if (seek !== undefined) return { settled: 0, seek }

    const { ready, trouble, pause_ms } = await decoder.prepare(whole.records)
    if (ready < whole.records.length) {
      if (performance.now() - warned_ms > LOG_MS) {
        warned_ms = performance.now()
        const offset = String(whole.records.at(ready)?.offset)
        log.warn({ partition: whole.partition, offset, trouble }, 'a record waits for its schema')
      }
      if (ready === 0) return { settled: 0, pause_ms }
    }

    const chunk = await attempts.begin({ ...whole, records: whole.records.slice(0, ready) })
    if ('pause_ms' in chunk) return { settled: 0, pause_ms: chunk.pause_ms }
    if ('settled' in chunk) return chunk
    const outcome = await gather(chunk)
    if (!outcome.done) return { settled: 0, pause_ms: outcome.pause_ms }
    const settled = chunk.records.length
    return settled === ready && ready < whole.records.length ? { settled, pause_ms } : { settled }
  }
}
