/**
 * Confluent's wire format: byte 0, the schema's id in four bytes big-endian, then the Avro body.
 * https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
 */
import type { AvroType } from './avro.ts'
import { wellFormed } from './well-formed.ts'

const MAGIC = 0
/** Before the body. */
export const HEADER_BYTES = 5

/** What the first five bytes of a value say. `unknown_magic` and `unknown_schema` as in the contract's reasons. */
export type Framed = { schema_id: number; body: Buffer } | 'unknown_magic' | 'unknown_schema'

/** The schema id of a value that has a whole header. */
export const schemaIdOf = (value: Buffer | null): number | undefined =>
  value === null ? undefined : schemaIdAt(value, 0, value.length)

/** The same of a value that lies from `at` to `end`. */
export function schemaIdAt(bytes: Buffer, at: number, end: number): number | undefined {
  return end - at >= HEADER_BYTES && bytes[at] === MAGIC ? bytes.readUInt32BE(at + 1) : undefined
}

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

/** How a body of one schema is read as a value of another. */
export interface Resolving {
  reader: AvroType
  resolver: ReturnType<AvroType['createResolver']>
}

/**
 * Reads a body to its last byte; undefined where the writer's schema cannot: cut off, something behind it, no such branch,
 * a count beyond the body, text that is not UTF-8. Never throws, and takes time and memory only as the body is long: the
 * bytes are checked before anything is built from them.
 */
export function readBody(writer: AvroType, body: Buffer, as?: Resolving): unknown {
  if (checkOf(writer)(body, 0) !== body.length) return undefined
  try {
    const { value, offset } = as === undefined ? writer.decode(body, 0) : as.reader.decode(body, 0, as.resolver)
    return offset === body.length ? value : undefined
  } catch {
    return undefined
  }
}

type Check = ReturnType<typeof wellFormed>
const checks = new WeakMap<AvroType, Check>()

function checkOf(type: AvroType): Check {
  let check = checks.get(type)
  if (check === undefined) {
    check = compileCheck(type)
    checks.set(type, check)
  }
  return check
}

/** No body can be read with a schema without bounds. */
function compileCheck(type: AvroType): Check {
  try {
    return wellFormed(type)
  } catch {
    return () => -1
  }
}
