/**
 * Which schema an id names, as far as it is known now: a memory over a registry. It never sleeps and never throws. An id is
 * decided (a schema that can be used, or why not) or undecided; the caller comes back for the undecided ones.
 *
 * A registry may learn an id a moment after the first record with it: "unknown" is asked again for {@link UNKNOWN_MS_MAX}
 * before it counts. For {@link MEMORY_MS} after that it is not asked, and then everything begins anew: what garbage made of an
 * id yesterday must not cost today's good records their time. A registry that does not answer decides nothing; one that
 * fails at an id while it answers for others is treated as if it did not know the id.
 */
import type { AvroType } from './avro.ts'
import { RegistryUnavailable, type SchemaAnswer, type SchemaRegistry } from './registry.ts'

/** How long an id may be unknown before that is the verdict. */
const UNKNOWN_MS_MAX = 30_000
/** How long such a verdict is believed without asking. */
const MEMORY_MS = 10_000
const PAUSES_MS = [500, 1_000, 2_000, 4_000, 5_000]
const REQUESTS_MAX = 8
/** A call asks for so long at most: others wait for their turn. */
const ASKING_MS_MAX = 500
/** Where more ids than that are undecided, each is asked once more when its time is over, not in between. */
const MANY = 100
const IDS_MAX = 40_000
/** Nobody waits any more for an undecided id that nobody named for so long. */
const ABANDONED_MS = 60_000

/** When to come back, where a registry does not answer. */
const UNAVAILABLE_PAUSE_MS = 2_000
const PAUSE_MS_MAX = 500
const PROBE_MS = 1_000
const NOT_ASKED_PAUSE_MS = 10

/** A schema made usable, or a sentence that says why it is not. */
export type Usable<T> = { use: T; refused?: undefined } | { use?: undefined; refused: string }

/** Why an id is undecided. `unavailable`: the registry does not answer, which may last. */
export interface Undecided {
  trouble: string
  unavailable: boolean
  /** When it is worth coming back. */
  pause_ms: number
}

export interface Lookup<T> {
  /** Asks for what is worth asking. Answers the first undecided id and why it is so; undefined where all are decided. */
  prepare(ids: ReadonlySet<number>): Promise<(Undecided & { id: number }) | undefined>
  /** What an id was last decided to be, until it is decided otherwise; undefined where it never was. */
  found(id: number): Usable<T> | undefined
}

/** `usableOf` decides about a schema of the registry; it must not throw. `now` only has to grow, in milliseconds. */
export function createLookup<T>(
  registry: SchemaRegistry,
  usableOf: (writer: AvroType) => Usable<T>,
  now: () => number = () => performance.now(),
): Lookup<T> {
  return registry.complete === undefined
    ? learningLookup(registry, usableOf, now)
    : completeLookup(registry.complete, usableOf)
}

const NOT_REGISTERED = 'it is not registered'

/** All ids are known beforehand, so every other one is unknown at once. */
function completeLookup<T>(types: ReadonlyMap<number, AvroType>, usableOf: (writer: AvroType) => Usable<T>): Lookup<T> {
  const usable = new Map([...types].map(([id, type]) => [id, usableOf(type)]))
  return {
    prepare: async () => undefined,
    found: id => usable.get(id) ?? { refused: NOT_REGISTERED },
  }
}

interface Entry<T> {
  found?: Usable<T>
  /** Until when what was found counts. */
  decided_until: number
  named_ms: number
  /** When the registry first said that it does not know the id, and how often it was asked again. */
  unknown_since?: number
  again: number
  /** From when on the next answer is worth a request. */
  ask_from: number
  undecided?: Undecided
}

function learningLookup<T>(
  registry: SchemaRegistry,
  usableOf: (writer: AvroType) => Usable<T>,
  now: () => number,
): Lookup<T> {
  /** In the order of their last use, so that the oldest can go. */
  const entries = new Map<number, Entry<T>>()
  /** One caller asks at a time: this bounds the requests, and nothing is asked twice. */
  let turn: Promise<unknown> = Promise.resolve()

  const decided = (id: number) => now() < (entries.get(id)?.decided_until ?? Number.NEGATIVE_INFINITY)
  const due = (id: number) => !decided(id) && now() >= (entries.get(id)?.ask_from ?? Number.NEGATIVE_INFINITY)

  /** Moves ids to the young end, so that those in use are the last to go. */
  function touch(ids: ReadonlySet<number>) {
    for (const id of ids) {
      const entry = entries.get(id)
      if (entry === undefined || !entries.delete(id)) continue
      entry.named_ms = now()
      entries.set(id, entry)
    }
  }

  /** A registry that refuses or fails at one id, and answers for another, will not change its mind. Asked once a second. */
  let probed: { at_ms: number; answers: Promise<boolean> } | undefined
  function answersOthers(): Promise<boolean> {
    if (probed === undefined || now() - probed.at_ms >= PROBE_MS)
      probed = { at_ms: now(), answers: registry.answers?.() ?? Promise.resolve(false) }
    return probed.answers
  }

  async function askAll(ids: ReadonlySet<number>): Promise<Undecided | undefined> {
    let unavailable: Undecided | undefined
    const waiting = [...ids].filter(due).reverse()
    const many = waiting.length > MANY
    const end_ms = now() + ASKING_MS_MAX
    async function askSome() {
      while (unavailable === undefined && now() < end_ms) {
        const id = waiting.pop()
        const entry = id === undefined ? undefined : entryOf(id)
        if (id === undefined || entry === undefined) return
        const answer = await answerOf(registry, id)
        if (!('unavailable' in answer)) note(entry, id, answer, many)
        else if (await answersOthers()) note(entry, id, { odd: answer.trouble }, many)
        else entry.undecided = unavailable = answer
      }
    }
    await Promise.all(Array.from({ length: REQUESTS_MAX }, askSome))
    return unavailable
  }

  /** Undefined where there is no room: then ids that came before are decided first. */
  function entryOf(id: number): Entry<T> | undefined {
    const before = entries.get(id)
    if (before !== undefined) return before
    if (entries.size >= IDS_MAX && !makeRoom()) return undefined
    const entry = {
      named_ms: now(),
      decided_until: Number.NEGATIVE_INFINITY,
      again: 0,
      ask_from: Number.NEGATIVE_INFINITY,
    }
    entries.set(id, entry)
    return entry
  }

  /** Forgets the decided id that was not named for longest. One for whom records wait is kept: its time would begin anew. */
  function makeRoom(): boolean {
    for (const [id, { undecided, named_ms }] of entries)
      if (undecided === undefined || now() - named_ms > ABANDONED_MS) return entries.delete(id)
    return false
  }

  function note(entry: Entry<T>, id: number, answer: SchemaAnswer, many: boolean): void {
    delete entry.undecided
    if (answer.type !== undefined || 'refused' in answer) {
      entry.found = answer.type === undefined ? answer : usableOf(answer.type)
      entry.decided_until = Number.POSITIVE_INFINITY
      return
    }
    const why = 'odd' in answer ? answer.odd : NOT_REGISTERED
    entry.unknown_since ??= now()
    const waited_ms = now() - entry.unknown_since
    if (waited_ms >= UNKNOWN_MS_MAX) {
      entry.found = { refused: why }
      entry.decided_until = now() + MEMORY_MS
      entry.ask_from = entry.decided_until
      entry.again = 0
      delete entry.unknown_since
      return
    }
    // The last request comes when the time is over, so that nothing waits longer.
    const left_ms = UNKNOWN_MS_MAX - waited_ms
    const pause_ms = many ? left_ms : (PAUSES_MS[Math.min(entry.again++, PAUSES_MS.length - 1)] as number)
    entry.ask_from = now() + Math.min(pause_ms, left_ms)
    entry.undecided = {
      trouble: `schema id ${id} is looked up again: ${why}`,
      unavailable: false,
      pause_ms: Math.min(pause_ms, left_ms, PAUSE_MS_MAX),
    }
  }

  return {
    found: id => entries.get(id)?.found,
    async prepare(ids) {
      touch(ids)
      let unavailable: Undecided | undefined
      if ([...ids].some(due)) {
        const mine = turn.then(() => askAll(ids))
        turn = mine
        unavailable = await mine
      }
      for (const id of ids)
        if (!decided(id)) return { id, ...(entries.get(id)?.undecided ?? unavailable ?? NOT_YET_ASKED) }
      return undefined
    },
  }
}

const NOT_YET_ASKED: Undecided = {
  trouble: 'many new schema ids came at once; they are looked up one after the other',
  unavailable: false,
  pause_ms: NOT_ASKED_PAUSE_MS,
}

/** An answer, or that there is none. Whatever goes wrong on the way to the registry may pass. */
async function answerOf(registry: SchemaRegistry, id: number): Promise<SchemaAnswer | Undecided> {
  try {
    return await registry.answerFor(id)
  } catch (error) {
    const trouble =
      error instanceof RegistryUnavailable ? error.message : `the schema registry cannot be asked: ${error}`
    return { trouble, unavailable: true, pause_ms: UNAVAILABLE_PAUSE_MS }
  }
}
