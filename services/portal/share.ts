/**
 * One question, one answer for everyone who asks at about the same time.
 *
 * Promises: per key at most one question is under way, and its answer serves all callers until it is `fresh_ms` old. A
 * failure is shared by those who wait for it, and for as long: a hundred open pages must not hammer a database that is down.
 * Memory is bounded by `keys_max`; the oldest answers go first.
 */
export interface ShareOptions {
  fresh_ms: number
  keys_max?: number
  now?: () => number
}

export type Share = <T>(key: string, ask: () => Promise<T>, fresh_ms?: number) => Promise<T>

interface Entry {
  answer: Promise<unknown>
  /** Infinity while the question is under way. */
  until: number
}

export function createShare({ fresh_ms, keys_max = 500, now = Date.now }: ShareOptions): Share {
  const entries = new Map<string, Entry>()

  const makeRoom = () => {
    for (const [key, entry] of entries) if (entry.until <= now()) entries.delete(key)
    for (const key of entries.keys()) {
      if (entries.size < keys_max) return
      entries.delete(key)
    }
  }

  return <T>(key: string, ask: () => Promise<T>, keep_ms = fresh_ms): Promise<T> => {
    const known = entries.get(key)
    if (known !== undefined && known.until > now()) return known.answer as Promise<T>
    if (entries.size >= keys_max) makeRoom()
    const entry: Entry = { answer: ask(), until: Number.POSITIVE_INFINITY }
    const settle = () => {
      entry.until = now() + keep_ms
    }
    entry.answer.then(settle, settle)
    entries.delete(key)
    entries.set(key, entry)
    return entry.answer as Promise<T>
  }
}
