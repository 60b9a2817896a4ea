/**
 * Finds a record at which this process dies (killed by memory, or ended by its watchdog while it hangs), over its restarts.
 * What an exception can tell is isolate.ts's part.
 *
 * The offset's commit metadata remember what a dead process cannot: how often a member began at this offset and did not come
 * back, and, from the third time on, which record it had in hand. From then on the records of that chunk are decoded one by
 * one, each noted before. A record that was in hand at two deaths, the second time alone after all its neighbours had passed,
 * is parked: it becomes a dead letter without being decoded. A kill from outside hits no record twice in that way.
 */
import { z } from 'zod'
import type { Log } from '../common/log.ts'
import type { Chunk, SourceRecord } from './source.ts'

/** From so many attempts on records are decoded singly. */
const SINGLY_FROM = 3
/** Deaths with the record in hand, after which it is parked. */
const DEATHS_MAX = 2
/** Records of a chunk that is decoded singly; each costs a commit. */
const SINGLY_ROWS_MAX = 500
const PAUSE_MS = 5_000

const markShape = z.object({
  attempts: z.int().min(1),
  /** The last offset of the chunk that was in hand. */
  to: z.string().regex(/^\d+$/),
  /** The record being decoded. */
  at: z.string().regex(/^\d+$/).optional(),
  suspect: z.string().regex(/^\d+$/).optional(),
  deaths: z.int().default(0),
})
export type Mark = z.output<typeof markShape>

const PREFIX = 'motcua '
export const writeMark = (mark: Mark): string => PREFIX + JSON.stringify(mark)
/** Undefined where the metadata are empty or another's. */
export function readMark(metadata: string | null | undefined): Mark | undefined {
  if (!metadata?.startsWith(PREFIX)) return undefined
  try {
    return markShape.parse(JSON.parse(metadata.slice(PREFIX.length)))
  } catch {
    return undefined
  }
}

export interface AttemptsDeps {
  /** Commits an offset with metadata. */
  commit: (partition: number, offset: bigint, metadata: string) => Promise<void>
  /** Decodes and judges one record; what comes out does not matter here. */
  decode: (record: SourceRecord) => void
  park: (partition: number, record: SourceRecord, why: string) => void
  log: Log
}

export interface Attempts {
  /** A partition was assigned, with the metadata of its committed offset. */
  assigned(partition: number, metadata: string | null): void
  /** Before a chunk is settled: the chunk to settle, perhaps a part of it, or for how long to wait. */
  begin(chunk: Chunk): Promise<Chunk | { pause_ms: number }>
  /** The chunk ended without a death; the metadata to commit with what comes next. */
  ended(partition: number, next_offset: bigint): string | undefined
  /** What is unusual, for whoever asks whether this member is well. */
  trouble(): string | undefined
}

interface State {
  /** As the last member left it, before this one's first chunk. */
  left?: Mark
  mark?: Mark
  fresh: boolean
}

export function createAttempts({ commit, decode, park, log }: AttemptsDeps): Attempts {
  const states = new Map<number, State>()
  const waiting = new Set<number>()

  /** What the last member's mark means now: one attempt more, and a death of the record that it had in hand. */
  function next(left: Mark | undefined, last: bigint): Mark {
    if (left === undefined) return { attempts: 1, to: String(last), deaths: 0 }
    const to = BigInt(left.to) > last ? left.to : String(last)
    const attempts = left.attempts + 1
    if (left.at === undefined) return { ...left, attempts, to }
    const deaths = left.at === left.suspect ? left.deaths + 1 : 1
    return { attempts, to, suspect: left.at, deaths }
  }

  async function singly(chunk: Chunk, mark: Mark): Promise<Chunk | { pause_ms: number }> {
    const { partition } = chunk
    const part = { ...chunk, records: chunk.records.slice(0, SINGLY_ROWS_MAX) }
    const first = (part.records[0] as SourceRecord).offset
    const suspect = part.records.find(record => String(record.offset) === mark.suspect)
    const noted = async (record: SourceRecord) => {
      await commit(partition, first, writeMark({ ...mark, at: String(record.offset) }))
      try {
        decode(record)
      } catch {
        // Only a death counts here: an exception comes again when the chunk is settled.
      }
    }
    log.warn({ partition, offset: String(first), attempts: mark.attempts }, 'records are decoded one by one')
    if (suspect !== undefined && chunk.records.length === 1) {
      waiting.add(partition)
      return { pause_ms: PAUSE_MS }
    }
    for (const record of part.records) if (record !== suspect) await noted(record)
    if (suspect !== undefined) {
      if (mark.deaths >= DEATHS_MAX)
        park(
          partition,
          suspect,
          `ingest ended ${mark.deaths} times with this record in hand, and its neighbours passed`,
        )
      else await noted(suspect)
    }
    await commit(partition, first, writeMark({ ...mark, at: undefined }))
    return part
  }

  return {
    assigned(partition, metadata) {
      states.set(partition, { left: readMark(metadata), fresh: true })
    },
    async begin(chunk) {
      const { partition, records } = chunk
      const state = states.get(partition) ?? { fresh: false }
      states.set(partition, state)
      const [first, last] = [records[0], records.at(-1)]
      if (first === undefined || last === undefined) return chunk
      waiting.delete(partition)
      if (state.fresh) {
        state.fresh = false
        state.mark = next(state.left, last.offset)
        if (state.mark.attempts < SINGLY_FROM) await commit(partition, first.offset, writeMark(state.mark))
      }
      const { mark } = state
      if (mark === undefined || mark.attempts < SINGLY_FROM || first.offset > BigInt(mark.to)) return chunk
      return singly(chunk, mark)
    },
    ended(partition, next_offset) {
      const state = states.get(partition)
      if (state?.mark === undefined) return undefined
      // Past the chunk that was in hand at a death, and in any case where there was none: nothing is left to remember.
      if (state.mark.attempts < SINGLY_FROM || next_offset > BigInt(state.mark.to)) state.mark = undefined
      return state.mark && writeMark({ ...state.mark, suspect: undefined, deaths: 0, at: undefined })
    },
    trouble() {
      for (const partition of waiting)
        return `partition ${partition}: ingest died at a record twice, which waits for a neighbour to tell whether it is the record`
      for (const [partition, { mark }] of states)
        if (mark !== undefined && mark.attempts >= SINGLY_FROM)
          return `partition ${partition}: attempt ${mark.attempts} at the records up to offset ${mark.to}`
      return undefined
    },
  }
}
