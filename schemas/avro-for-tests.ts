/**
 * For tests: Avro written by hand, so that it can be written wrongly, and random schemas with values that fit them.
 */
import fc from 'fast-check'
import type { AvroSchema } from './avro.ts'

/** A zigzag varint; `bytes_min` makes it longer than it need be. */
export function varint(value: number | bigint, bytes_min = 1): Buffer {
  const whole = BigInt(value)
  let raw = whole >= 0n ? whole * 2n : -whole * 2n - 1n
  const bytes: number[] = []
  for (; raw > 0x7fn || bytes.length + 1 < bytes_min; raw >>= 7n) bytes.push(Number(raw & 0x7fn) | 0x80)
  return Buffer.from([...bytes, Number(raw)])
}

/** A length and the bytes. */
export const lengthAnd = (bytes: Uint8Array): Buffer => Buffer.concat([varint(bytes.length), bytes])

/** A record, enum and so on as JSON; only what is used here. */
export interface Shape {
  type: string
  fields?: { name: string; type: Part }[]
  items?: Part
  values?: Part
  symbols?: string[]
  size?: number
}
export type Part = string | Shape | Part[]

/** The body of a value. Arrays and maps come in blocks of a negative count and a size, as some writers do. */
export function inBlocks(schema: Part, value: unknown): Buffer {
  if (Array.isArray(schema))
    return value === null ? varint(0) : Buffer.concat([varint(1), inBlocks(schema[1] as Part, value)])
  if (typeof schema !== 'string' && typeof schema.type !== 'string') return inBlocks(schema.type, value)
  const { type, ...rest } = typeof schema === 'string' ? { type: schema } : schema
  switch (type) {
    case 'boolean':
      return Buffer.from([value ? 1 : 0])
    case 'int':
    case 'long':
      return varint(value as bigint)
    case 'float': {
      const bytes = Buffer.alloc(4)
      bytes.writeFloatLE(value as number)
      return bytes
    }
    case 'double': {
      const bytes = Buffer.alloc(8)
      bytes.writeDoubleLE(value as number)
      return bytes
    }
    case 'string':
      return lengthAnd(Buffer.from(value as string))
    case 'bytes':
      return lengthAnd(value as Buffer)
    case 'fixed':
      return value as Buffer
    case 'enum':
      return varint((rest as Shape).symbols?.indexOf(value as string) ?? -1)
    case 'array':
      return blocks((value as unknown[]).map(item => inBlocks((rest as Shape).items as Part, item)))
    case 'map':
      return blocks(
        Object.entries(value as object).map(([key, item]) =>
          Buffer.concat([lengthAnd(Buffer.from(key)), inBlocks((rest as Shape).values as Part, item)]),
        ),
      )
    case 'record':
      return Buffer.concat(
        ((rest as Shape).fields ?? []).map(field =>
          inBlocks(field.type, (value as Record<string, unknown>)[field.name]),
        ),
      )
    default:
      throw new Error(`no bytes for ${type}`)
  }
}

/** Blocks of two items each. */
function blocks(items: readonly Buffer[]): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < items.length; at += 2) {
    const block = items.slice(at, at + 2)
    const bytes = Buffer.concat(block)
    parts.push(varint(-block.length), varint(bytes.length), bytes)
  }
  return Buffer.concat([...parts, varint(0)])
}

const SYMBOLS = ['A', 'B', 'C']
const { schema: anySchema } = fc.letrec<{ schema: Part; plain: Part }>(tie => ({
  plain: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.constantFrom<Part>('boolean', 'int', 'long', 'float', 'double', 'string', 'bytes'),
    fc.constant<Part>({ type: 'enum', symbols: SYMBOLS }),
    fc.record({ type: fc.constant('fixed'), size: fc.integer({ min: 1, max: 20 }) }),
    fc.array(tie('schema'), { minLength: 1, maxLength: 5 }).map(
      (types): Part => ({
        type: 'record',
        fields: types.map((type, n) => ({ name: `f${n}`, type })),
      }),
    ),
    tie('schema').map((items): Part => ({ type: 'array', items })),
    tie('schema').map((values): Part => ({ type: 'map', values })),
  ),
  schema: fc.oneof(
    tie('plain'),
    tie('plain').map((branch): Part => ['null', branch]),
  ),
}))

/** Gives every named type its own name, as Avro asks. */
function withNames(schema: Part): AvroSchema {
  let named = 0
  return JSON.parse(JSON.stringify(schema), (_, part) =>
    ['record', 'enum', 'fixed'].includes(part?.type) ? { ...part, name: `N${named++}` } : part,
  )
}

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 90 }),
  fc.constantFrom('', '\ufffd', 'thử', '𝒳'.repeat(40)),
)

/** Values that fit a schema. */
function valueFor(schema: Part): fc.Arbitrary<unknown> {
  if (Array.isArray(schema)) return fc.option(valueFor(schema[1] as Part), { nil: null })
  const {
    type,
    fields = [],
    items = '',
    values = '',
    size = 0,
  } = typeof schema === 'string' ? { type: schema } : schema
  switch (type) {
    case 'boolean':
      return fc.boolean()
    case 'int':
      return fc.integer()
    case 'long':
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    case 'float':
      return fc.float()
    case 'double':
      return fc.double()
    case 'string':
      return text
    case 'bytes':
      return fc.uint8Array({ maxLength: 20 }).map(bytes => Buffer.from(bytes))
    case 'fixed':
      return fc.uint8Array({ minLength: size, maxLength: size }).map(bytes => Buffer.from(bytes))
    case 'enum':
      return fc.constantFrom(...SYMBOLS)
    case 'array':
      return fc.array(valueFor(items), { maxLength: 5 })
    case 'map':
      return fc.dictionary(
        text.filter(key => key !== '__proto__'),
        valueFor(values),
        { maxKeys: 4, noNullPrototype: true },
      )
    case 'record':
      return fc.record(Object.fromEntries(fields.map(field => [field.name, valueFor(field.type)])), {
        noNullPrototype: true,
      })
    default:
      throw new Error(`no values for ${type}`)
  }
}

/** A random schema and a value that fits it. */
export const schemaAndValue = anySchema.chain(part =>
  valueFor(part).map(value => ({ part, schema: withNames(part), value })),
)

/** A change to a body, of the kinds that broken and hostile producers make. */
export const mutation = fc.oneof(
  fc.record({ at: fc.nat(500), flip: fc.integer({ min: 1, max: 255 }) }),
  fc.record({ at: fc.nat(500), cut: fc.constant(true) }),
  fc.record({ at: fc.nat(500), insert: fc.uint8Array({ minLength: 1, maxLength: 12 }) }),
  fc.record({
    at: fc.nat(500),
    insert: fc.constantFrom(
      varint(2 ** 32 - 1),
      varint(-(2 ** 31)),
      varint(2n ** 63n - 1n),
      varint(0, 10),
      varint(0, 11),
      Buffer.alloc(12, 0xff),
      Buffer.from([0xed, 0xa0, 0x80]),
    ),
  }),
)

export function mutated(body: Buffer, change: { at: number; flip?: number; cut?: true; insert?: Uint8Array }): Buffer {
  const at = change.at % (body.length + 1)
  if (change.cut) return body.subarray(0, at)
  if (change.insert) return Buffer.concat([body.subarray(0, at), change.insert, body.subarray(at)])
  const copy = Buffer.from(body)
  if (at < copy.length) copy[at] = (copy[at] as number) ^ (change.flip ?? 0)
  return copy
}
