/**
 * Avro types as this project reads and writes them: 64-bit integers as bigint (a double cannot hold them), timestamps as
 * milliseconds in a number, unions unwrapped.
 *
 * avsc's own long is a double and throws beyond 2^53. Its hook for other longs hands over the zigzag varint as it stands.
 */
import avro from 'avsc'

/** Bytes whose 49 bits a double still holds exactly. */
const EXACT_BYTES_MAX = 7

/** The value of a zigzag varint: a number while that is exact, else a bigint. */
function readVarint(bytes: Uint8Array): number | bigint {
  if (bytes.length > EXACT_BYTES_MAX) {
    let raw = 0n
    for (let at = bytes.length - 1; at >= 0; at--) raw = (raw << 7n) | BigInt((bytes[at] as number) & 0x7f)
    raw = BigInt.asUintN(64, raw)
    return (raw >> 1n) ^ -(raw & 1n)
  }
  let raw = 0
  for (let at = bytes.length - 1; at >= 0; at--) raw = raw * 128 + ((bytes[at] as number) & 0x7f)
  return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2
}

/** Numbers whose zigzag form a double still holds exactly: every time, every ordinary amount. */
const EXACT_VALUE_MAX = 2 ** 52 - 1
const scratch = Buffer.alloc(10)

/** The zigzag varint of a value; valid until the next call (avsc copies it at once). */
function writeVarint(value: number | bigint): Buffer {
  let length = 0
  if (value >= -EXACT_VALUE_MAX && value <= EXACT_VALUE_MAX) {
    const exact = Number(value)
    let raw = exact >= 0 ? exact * 2 : -exact * 2 - 1
    for (; raw > 0x7f; raw = Math.floor(raw / 128)) scratch[length++] = (raw % 128) | 0x80
    scratch[length++] = raw
  } else {
    const whole = BigInt(value)
    let raw = BigInt.asUintN(64, (whole << 1n) ^ (whole >> 63n))
    for (; raw > 0x7fn; raw >>= 7n) scratch[length++] = Number(raw & 0x7fn) | 0x80
    scratch[length++] = Number(raw)
  }
  return scratch.subarray(0, length)
}

const bigintLong = avro.types.LongType.__with(
  {
    fromBuffer: (bytes: Buffer) => BigInt(readVarint(bytes)),
    toBuffer: writeVarint,
    fromJSON: (value: number | string) => BigInt(value),
    toJSON: (value: bigint) => String(value),
    isValid: (value: unknown) => typeof value === 'bigint' && BigInt.asIntN(64, value) === value,
    compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
  },
  true,
)

/** A number beyond 2^53 is inexact, and so far outside of every allowed time that it does not matter. */
const millisLong = avro.types.LongType.__with(
  {
    fromBuffer: (bytes: Buffer) => Number(readVarint(bytes)),
    toBuffer: writeVarint,
    fromJSON: (value: number) => value,
    toJSON: (value: number) => value,
    isValid: (value: unknown) => Number.isSafeInteger(value),
    compare: (a: number, b: number) => a - b,
  },
  true,
)

/** The Avro type of a schema. Throws where the text is no schema. */
export function avroType(schema: avro.Schema): avro.Type {
  return avro.Type.forSchema(schema, {
    typeHook: part => {
      if (part === 'long') return bigintLong
      if (typeof part !== 'object' || !('type' in part) || part.type !== 'long')
        return undefined as unknown as avro.Type
      return 'logicalType' in part && part.logicalType === 'timestamp-millis' ? millisLong : bigintLong
    },
    wrapUnions: false,
  })
}

/** The classes of the types, to tell them apart. */
export const avroTypes = avro.types
export type AvroType = avro.Type
export type AvroRecord = avro.types.RecordType
export type AvroSchema = avro.Schema
