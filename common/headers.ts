/** Headers of records: in order, with repeated names and null values, which kafkajs's objects of headers lose. */
import type { IHeaders } from 'kafkajs'

export type HeaderPair = readonly [name: string, value: Buffer | null]

/** As they lie in the record. An array is one; those of a record that was read are made while they are looked at. */
export interface HeaderPairs extends Iterable<HeaderPair> {
  readonly length: number
}

/** Nothing of ours stands behind so many headers of others. */
export const HEADERS_MAX = 10_000

/** Shared by two copies of this file in one process, as test runners make them. */
const PAIRS = Symbol.for('motcua.header-pairs')
type WithPairs = { readonly [PAIRS]?: HeaderPairs }

const NO_HEADERS = withPairs(Object.create(null), [])

/** The exact headers of a message; those of an ordinary object, where an array is a repeated name, `undefined` is left out. */
export function pairsOf(headers: object | undefined): HeaderPairs {
  if (headers === undefined) return []
  if (Symbol.iterator in headers) return headers as HeaderPairs
  const exact = (headers as WithPairs)[PAIRS]
  if (exact !== undefined) return exact
  const pairs: HeaderPair[] = []
  for (const [name, value] of Object.entries(headers))
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) pairs.push([name, bytesOf(one)])
  return pairs
}

/** Bytes of a header that are read as text. */
const TEXT_BYTES_MAX = 4_096

/** The first value of a name as text, among the first {@link HEADERS_MAX} headers; a long one's beginning. */
export function headerOf(pairs: HeaderPairs, name: string): string | undefined {
  let seen = 0
  for (const [key, value] of pairs) {
    if (key === name) return value?.toString('utf8', 0, TEXT_BYTES_MAX)
    if (++seen === HEADERS_MAX) break
  }
  return undefined
}

/**
 * Headers of exactly these pairs, for a message to send. To readers they look as in kafkajs: a value, or an array where the
 * name is repeated; null values are null. Frozen, because a change would not be sent; a copy by `{...headers}` is an
 * ordinary object.
 */
export function headersFromPairs(pairs: HeaderPairs): IHeaders {
  if (pairs.length === 0) return NO_HEADERS
  const headers: Record<string, Buffer | null | (Buffer | null)[]> = Object.create(null)
  for (const [name, value] of pairs) {
    const before = headers[name]
    if (before === undefined) headers[name] = value
    else if (Array.isArray(before)) before.push(value)
    else headers[name] = [before, value]
  }
  return withPairs(headers, pairs)
}

function withPairs(headers: object, pairs: HeaderPairs): IHeaders {
  return Object.freeze(Object.defineProperty(headers, PAIRS, { value: pairs })) as IHeaders
}

/** What kafkajs takes for a key, a value or a header, as bytes. */
export function bytesOf(value: unknown): Buffer | null {
  if (value === null || value === undefined) return null
  if (Buffer.isBuffer(value)) return value
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  return Buffer.from(String(value))
}
