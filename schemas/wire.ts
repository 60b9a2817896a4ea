/**
 * Confluent's wire format: byte 0, the schema's id in four bytes big-endian, then the Avro body.
 * https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
 */
import type { AvroType } from './avro.ts'

const MAGIC = 0
const HEADER_BYTES = 5

/** What the first five bytes of a value say. `unknown_magic` and `unknown_schema` as in the contract's reasons. */
export type Framed = { schema_id: number; body: Buffer } | 'unknown_magic' | 'unknown_schema'

/** Splits a Kafka value into schema id and body, without copying. */
export function unframe(value: Buffer | null): Framed {
  if (value === null || value[0] !== MAGIC) return 'unknown_magic'
  if (value.length < HEADER_BYTES) return 'unknown_schema'
  return { schema_id: value.readUInt32BE(1), body: value.subarray(HEADER_BYTES) }
}

/** A Kafka value: header and the Avro body of `value`. Throws where the value does not fit the type. */
export function frame(schema_id: number, type: AvroType, value: unknown): Buffer {
  const body = type.toBuffer(value)
  const framed = Buffer.allocUnsafe(HEADER_BYTES + body.length)
  framed[0] = MAGIC
  framed.writeUInt32BE(schema_id, 1)
  body.copy(framed, HEADER_BYTES)
  return framed
}

/**
 * Reads a body to its last byte; undefined where the schema cannot: cut off, something behind it, no such branch, or text
 * that is not UTF-8.
 */
export function readBody(type: AvroType, body: Buffer): unknown {
  let read: { value: unknown; offset: number }
  try {
    read = type.decode(body, 0) as typeof read
  } catch {
    return undefined
  }
  if (read.offset !== body.length) return undefined
  return read.value
}
