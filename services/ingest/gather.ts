/**
 * Puts the chunks of one fetch together into batches: little of many partitions goes into one INSERT, much is spread over as
 * many INSERTs as may run at once. A partition is in one batch at a time, because its next chunk comes only when this one is
 * settled.
 */
import type { Outcome, Settle } from './isolate.ts'
import type { Chunk } from './source.ts'

interface Waiting {
  chunk: Chunk
  resolve: (outcome: Outcome) => void
  reject: (error: unknown) => void
}

export interface GatherOptions {
  batch_rows_max: number
  inserts_max: number
  settle: Settle
}

/** Below this many rows a batch is not worth splitting: an INSERT costs the same for ten rows and for a thousand. */
const SPLIT_ROWS_MIN = 8_192

export function createGather({ batch_rows_max, inserts_max, settle }: GatherOptions) {
  let waiting: Waiting[] = []
  let running = 0
  let scheduled = false

  function schedule() {
    if (scheduled) return
    scheduled = true
    setImmediate(() => {
      scheduled = false
      while (waiting.length > 0 && running < inserts_max) void run(take())
    })
  }

  /** The chunks of the next batch: an even share of what waits, within the limit of rows. */
  function take(): Waiting[] {
    const rows = waiting.reduce((sum, { chunk }) => sum + chunk.records.length, 0)
    const share = Math.min(batch_rows_max, Math.max(SPLIT_ROWS_MIN, Math.ceil(rows / (inserts_max - running))))
    const taken: Waiting[] = []
    let taken_rows = 0
    for (const candidate of waiting) {
      const size = candidate.chunk.records.length
      if (taken.length > 0 && taken_rows + size > share) continue
      taken.push(candidate)
      taken_rows += size
    }
    waiting = waiting.filter(candidate => !taken.includes(candidate))
    return taken
  }

  async function run(batch: Waiting[]) {
    running++
    try {
      const outcome = await settle(batch.map(({ chunk }) => chunk))
      for (const { resolve } of batch) resolve(outcome)
    } catch (error) {
      for (const { reject } of batch) reject(error)
    } finally {
      running--
      if (waiting.length > 0) schedule()
    }
  }

  /** Settles a chunk together with others; the promise ends as its batch ends. */
  return (chunk: Chunk): Promise<Outcome> =>
    new Promise((resolve, reject) => {
      waiting.push({ chunk, resolve, reject })
      schedule()
    })
}
