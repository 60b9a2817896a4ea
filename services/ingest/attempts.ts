/**
 * Finds a record at which this process dies (killed by memory, or ended by its watchdog while it hangs), over its restarts.
 * What an exception can tell is isolate.ts's part.
 *
 * The offset's commit metadata remember what a dead process cannot: how often a member began at this offset and did not come
 * back, and, from the third time on, what it had in hand. From then on the records of that chunk are decoded in blocks, each
 * noted before; a block at which a member died, one by one, each noted. Where all could be decoded and a member died at what
 * comes after, the records of the block are also settled one by one. A record that was in hand at two deaths, the second time
 * alone after all its neighbours had passed, is parked: it becomes a dead letter without being decoded. A kill from outside
 * hits no record twice in that way.
 */
import { z } from 'zod'
import type { Log } from '../../common/log.ts'
import type { KafkaRecord } from '../../common/records.ts'
import type { Outcome } from './isolate.ts'
import type { Chunk } from './source.ts'

/** From so many attempts on records are decoded singly. */
const SINGLY_FROM = 3
/** Deaths with the record in hand, after which it is parked. */
const DEATHS_MAX = 2
/** Records of a block: where a member died at one, each of them costs a commit. */
const BLOCK_ROWS = 500
const PAUSE_MS = 5_000

const markShape = z.object({
  attempts: z.int().min(1),
  /** The last offset of the chunk that was in hand. */
  to: z.string().regex(/^\d+$/),
  /** The first and the last record of the block in hand, and whether all of it could be decoded. */
  block: z.tuple([z.string().regex(/^\d+$/), z.string().regex(/^\d+$/)]).optional(),
  decoded: z.boolean().optional(),
  /** The one record in hand. */
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
  /** Decodes and judges one record, unless it is parked; what comes out does not matter here. */
  decode: (partition: number, record: KafkaRecord) => void
  /** Does everything with a record but commit it; it is settled again with its neighbours. */
  settle: (alone: Chunk) => Promise<Outcome>
  park: (partition: number, record: KafkaRecord, why: string) => void
  log: Log
}

export interface Attempts {
  /** A partition was assigned, with the metadata of its committed offset. */
  assigned(partition: number, metadata: string | null): void
  /** These partitions are this member's; the others are no concern of it any more. */
  keep(partitions: readonly number[]): void
  /** Before a chunk is settled: the chunk to settle, perhaps a part of it; or what became of it. */
  begin(chunk: Chunk): Promise<Chunk | Begun>
  /** The chunk ended without a death; the metadata to commit with what comes next. */
  ended(partition: number, next_offset: bigint): string | undefined
  /** What is unusual, for whoever asks whether this member is well. */
  trouble(): string | undefined
}

/** So many leading records are settled already; or nothing is, and it is worth a try after a while. */
export type Begun = { settled: number } | { pause_ms: number }

interface State {
  /** As the last member left it, before this one's first chunk. */
  left?: Mark
  mark?: Mark
  fresh: boolean
}

export function createAttempts({ commit, decode, settle, park, log }: AttemptsDeps): Attempts {
  const states = new Map<number, State>()
  const waiting = new Set<number>()
  /** Partitions of which this process has settled something. */
  const passed = new Set<number>()
  /** One partition at a time has records in hand like this: a death must not be put down to what another one does. */
  let turn: Promise<unknown> = Promise.resolve()

  /** What the last member's mark means now: one attempt more, and a death of the record that it had in hand. */
  function next(left: Mark | undefined, last: bigint): Mark {
    if (left === undefined) return { attempts: 1, to: String(last), deaths: 0 }
    const to = BigInt(left.to) > last ? left.to : String(last)
    const attempts = left.attempts + 1
    if (left.at === undefined) return { ...left, attempts, to }
    const deaths = left.at === left.suspect ? left.deaths + 1 : 1
    return { ...left, at: undefined, attempts, to, suspect: left.at, deaths }
  }

  /** A block of the chunk, which passed; then it is settled as others are, once more noted. */
  async function carefully(chunk: Chunk, mark: Mark): Promise<Chunk | Begun> {
    const { partition } = chunk
    const part = { ...chunk, records: chunk.records.slice(0, BLOCK_ROWS) }
    const [first, last] = [part.records.at(0) as KafkaRecord, part.records.at(-1) as KafkaRecord]
    const [from, to] = mark.block ?? []
    const died_here =
      from !== undefined && to !== undefined && first.offset <= BigInt(to) && last.offset >= BigInt(from)
    const note = (change: Partial<Mark>) => commit(partition, first.offset, writeMark({ ...mark, ...change }))
    log.warn({ partition, offset: String(first.offset), attempts: mark.attempts }, 'records are decoded in blocks')
    const block: Mark['block'] = [String(first.offset), String(last.offset)]
    let settled: number | undefined
    if (died_here) {
      const begun = await singly(part, mark, at => note({ at }))
      if (begun !== undefined && 'pause_ms' in begun) return begun
      settled = begun?.settled
    } else {
      await note({ block, decoded: false })
      for (const record of part.records) quietly(partition, record)
    }
    await note({ block, decoded: true })
    return settled === undefined ? part : { settled }
  }

  /** Only a death counts here: an exception comes again when the chunk is settled. */
  function quietly(partition: number, record: KafkaRecord) {
    try {
      decode(partition, record)
    } catch {}
  }

  /**
   * Each record alone, the suspect last. Where what comes after decoding is what kills, each is settled alone, and that is all:
   * together they may be what is too much.
   */
  async function singly(
    part: Chunk,
    mark: Mark,
    note: (at: string | undefined) => Promise<void>,
  ): Promise<Begun | undefined> {
    const { partition, records } = part
    const offsets = Array.from({ length: records.length }, (_, nth) => String(records.offsetAt(nth)))
    const suspect = offsets.indexOf(mark.suspect ?? '')
    async function tryOut(nth: number): Promise<{ pause_ms: number } | undefined> {
      await note(offsets[nth])
      quietly(partition, records.at(nth) as KafkaRecord)
      if (mark.decoded !== true) return undefined
      const outcome = await settle({ ...part, records: records.slice(nth, nth + 1) })
      if (outcome.done) return undefined
      // What waits is not in hand.
      await note(undefined)
      return outcome
    }
    for (let nth = 0; nth < records.length; nth++) {
      const late = nth === suspect ? undefined : await tryOut(nth)
      if (late !== undefined) return late
    }
    if (suspect >= 0 && mark.deaths >= DEATHS_MAX) {
      if (records.length === 1 && ![...passed].some(other => other !== partition)) {
        waiting.add(partition)
        return { pause_ms: PAUSE_MS }
      }
      const why = `ingest ended ${mark.deaths} times with this record in hand, and others passed`
      park(partition, records.at(suspect) as KafkaRecord, why)
    }
    const late = suspect >= 0 ? await tryOut(suspect) : undefined
    return late ?? (mark.decoded === true ? { settled: records.length } : undefined)
  }

  return {
    assigned(partition, metadata) {
      states.set(partition, { left: readMark(metadata), fresh: true })
    },
    keep(partitions) {
      for (const memory of [states, waiting])
        for (const partition of memory.keys()) if (!partitions.includes(partition)) memory.delete(partition)
    },
    async begin(chunk) {
      const { partition, records } = chunk
      const state = states.get(partition) ?? { fresh: false }
      states.set(partition, state)
      const [first, last] = [records.at(0), records.at(-1)]
      if (first === undefined || last === undefined) return chunk
      waiting.delete(partition)
      if (state.fresh) {
        state.fresh = false
        state.mark = next(state.left, last.offset)
        if (state.mark.attempts < SINGLY_FROM) await commit(partition, first.offset, writeMark(state.mark))
      }
      const { mark } = state
      if (mark === undefined || mark.attempts < SINGLY_FROM || first.offset > BigInt(mark.to)) return chunk
      const mine = turn.then(() => carefully(chunk, mark))
      turn = mine.catch(() => undefined)
      return mine
    },
    ended(partition, next_offset) {
      passed.add(partition)
      const state = states.get(partition)
      if (state?.mark === undefined) return undefined
      const { attempts, to } = state.mark
      // Past the chunk that was in hand at a death, and in any case where there was none: nothing is left to remember.
      const over = attempts < SINGLY_FROM || next_offset > BigInt(to)
      state.mark = over ? undefined : { attempts, to, deaths: 0 }
      return state.mark && writeMark(state.mark)
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
