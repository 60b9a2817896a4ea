/**
 * Numbers that look random and depend on a seed alone: the same text gives the same numbers on every machine and day.
 *
 * The generator is sfc32 (Chris Doty-Humphrey, PractRand, http://pracrand.sourceforge.net; public domain), its state the
 * SHA-256 of the seed. Only integer and IEEE basic operations here: no Math.log, whose last bit may differ per engine.
 */
import { createHash } from 'node:crypto'

export interface Random {
  /** From 0 to below 1. */
  unit(): number
  /** A whole number from 0 to below `limit`. */
  below(limit: number): number
  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number
  chance(probability: number): boolean
  /** An element of a list that is not empty. */
  of<T>(list: readonly T[]): T
  /** Shuffles in place (Fisher-Yates) and returns what it was given. */
  shuffle<T extends { [index: number]: unknown; length: number }>(list: T): T
  /** An identifier in the form of a UUID of version 4. */
  uuid(): string
}

/** Where the 32 digits of a UUID stand among its dashes, and what they look like. Written into a buffer: flat text, no garbage. */
const PLACES = [...'xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx'].flatMap((mark, at) => (mark === 'x' ? [at] : []))
const DIGITS = Buffer.from('0123456789abcdef')

export function createRandom(seed: string): Random {
  const state = createHash('sha256').update(seed).digest()
  let a = state.readInt32LE(0)
  let b = state.readInt32LE(4)
  let c = state.readInt32LE(8)
  let counter = 1
  const text = Buffer.from('00000000-0000-0000-0000-000000000000')

  function next(): number {
    const out = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + out
    c |= 0
    return out >>> 0
  }
  const below = (limit: number) => Math.floor((next() / 2 ** 32) * limit)

  return {
    unit: () => next() / 2 ** 32,
    below,
    between: (min, max) => min + below(max - min + 1),
    chance: probability => next() / 2 ** 32 < probability,
    of: list => list[below(list.length)] as never,
    shuffle(list) {
      for (let last = list.length - 1; last > 0; last--) {
        const other = below(last + 1)
        const kept = list[last]
        list[last] = list[other] as never
        list[other] = kept as never
      }
      return list
    },
    uuid() {
      for (let word = 0; word < 4; word++) {
        let bits = next()
        for (let digit = 0; digit < 8; digit++, bits >>>= 4)
          text[PLACES[word * 8 + digit] as number] = DIGITS[bits & 15] as number
      }
      text[14] = 0x34
      text[19] = DIGITS[8 | (next() & 3)] as number
      return text.toString('latin1')
    },
  }
}

/** Draws elements in proportion to their weights. */
export function weighted<T>(list: readonly T[], weightOf: (element: T, rank: number) => number): (random: Random) => T {
  const sums = new Float64Array(list.length)
  let sum = 0
  list.forEach((element, rank) => {
    sum += weightOf(element, rank)
    sums[rank] = sum
  })
  if (!(sum > 0)) throw new RangeError('nothing to draw from: all weights are 0')
  return random => {
    const target = random.unit() * sum
    let low = 0
    for (let high = sums.length - 1; low < high; ) {
      const middle = (low + high) >>> 1
      if ((sums[middle] as number) > target) high = middle
      else low = middle + 1
    }
    return list[low] as T
  }
}

/** True for a share of the calls, evenly spread: after n calls at least n·share − 1 times. A promise, where chance is none. */
export function share(part: number, random: Random): () => boolean {
  let due = random.unit()
  return () => {
    due += part
    if (due < 1) return false
    due -= 1
    return true
  }
}
