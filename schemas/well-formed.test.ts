import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { type AvroSchema, type AvroType, avroType } from './avro.ts'
import { AvroCursor } from './avro-cursor.ts'
import {
  inBlocks,
  lengthAnd,
  mutated,
  mutation,
  type Part,
  type Shape,
  schemaAndValue,
  varint,
} from './avro-for-tests.ts'
import { schemaFile } from './registry.ts'
import { DEPTH_MAX, UnboundedSchema, wellFormed } from './well-formed.ts'
import { readBody } from './wire.ts'

/** Longs of every kind as bigint: a time beyond 2^53 can be read as a number, but not written again. */
const withoutTimes = (schema: AvroSchema): AvroSchema =>
  JSON.parse(JSON.stringify(schema, (name, value) => (name === 'logicalType' ? undefined : value)))
const V1 = withoutTimes(schemaFile('dossier-event/v1.avsc')) as unknown as Shape
const v1 = avroType(V1 as AvroSchema)
const checkV1 = wellFormed(V1 as AvroSchema)
const EVENT: Record<string, unknown> = {
  event_id: '00000000-0000-4000-8000-000000000001',
  dossier_id: 'H44-250804-0001',
  revision: 7n,
  event_type: 'SETTLED',
  occurred_at: 1_754_000_000_000n,
  source: 'thử nghiệm',
  ...Object.fromEntries(V1.fields?.filter(({ type }) => Array.isArray(type)).map(({ name }) => [name, null]) ?? []),
  cleared: ['channel', 'due_at', 'channel'],
}

/** The body of {@link EVENT} with the bytes of some fields replaced. */
const v1With = (bytes: Record<string, Buffer>): Buffer =>
  Buffer.concat(V1.fields?.map(({ name, type }) => bytes[name] ?? inBlocks(type, EVENT[name])) ?? [])

const accepts = (schema: AvroSchema, body: Buffer) => wellFormed(schema)(body, 0) === body.length

/** What the check accepts must be what avsc reads, to the same end, and reads again after writing it. */
function expectReadable(type: AvroType, body: Buffer, end: number) {
  const { value, offset } = type.decode(body.subarray(0, end), 0)
  expect(offset).toBe(end)
  const again = type.decode(type.toBuffer(value), 0)
  expect(isDeepStrictEqual(again.value, value)).toBe(true)
}

describe('what a writer writes', () => {
  test('is accepted to its last byte, wherever it begins and whatever follows', () => {
    fc.assert(
      fc.property(schemaAndValue, fc.nat(5), fc.uint8Array({ maxLength: 5 }), ({ schema, value }, before, behind) => {
        const body = avroType(schema).toBuffer(value)
        const end = wellFormed(schema)(Buffer.concat([Buffer.alloc(before, 0xff), body, behind]), before)
        expect(end).toBe(before + body.length)
      }),
      { numRuns: 1_000 },
    )
  })

  test('is accepted in blocks that say their size', () => {
    fc.assert(
      fc.property(schemaAndValue, ({ part, schema, value }) => {
        const body = inBlocks(part, value)
        expect(accepts(schema, body)).toBe(true)
        expect(isDeepStrictEqual(plain(avroType(schema).fromBuffer(body)), plain(value))).toBe(true)
      }),
      { numRuns: 1_000 },
    )
  })

  test('is accepted in a schema that contains itself, down to the greatest depth', () => {
    const nested = (levels: number): object => ({ value: 1n, next: levels === 1 ? null : nested(levels - 1), more: [] })
    for (const levels of [1, 2, DEPTH_MAX - 1]) expect(accepts(TREE, tree.toBuffer(nested(levels)))).toBe(true)
    expect(accepts(TREE, tree.toBuffer(nested(DEPTH_MAX + 1)))).toBe(false)
  })
})

/** Records of avsc as plain objects. */
const plain = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]))
}

const TREE = {
  type: 'record',
  name: 'Tree',
  fields: [
    { name: 'value', type: 'long' },
    { name: 'next', type: ['null', 'Tree'] },
    { name: 'more', type: { type: 'array', items: 'Tree' } },
  ],
} as unknown as AvroSchema
const tree = avroType(TREE)

describe('what no writer writes', () => {
  test('whatever is accepted of changed bytes, avsc reads as well', () => {
    fc.assert(
      fc.property(schemaAndValue, fc.array(mutation, { minLength: 1, maxLength: 3 }), ({ schema, value }, changes) => {
        const type = avroType(schema)
        const body = changes.reduce(mutated, type.toBuffer(value))
        const end = wellFormed(schema)(body, 0)
        if (end !== -1) expectReadable(type, body, end)
      }),
      { numRuns: 3_000 },
    )
  })

  test('the same for changed dossier events, of today and with more fields', () => {
    const more = {
      ...V1,
      fields: [
        ...(V1.fields ?? []),
        { name: 'later', type: ['null', { type: 'map', values: 'string' }] },
        { name: 'tree', type: ['null', TREE] },
      ],
    } as unknown as AvroSchema
    const later = { later: { a: 'x', b: '\ufffd' }, tree: { value: 1n, next: null, more: [] } }
    let accepted = 0
    for (const schema of [V1 as AvroSchema, more]) {
      const type = avroType(schema)
      const check = wellFormed(schema)
      const body = type.toBuffer({ ...EVENT, ...later })
      fc.assert(
        fc.property(fc.array(mutation, { minLength: 1, maxLength: 3 }), changes => {
          const changed = changes.reduce(mutated, body)
          const end = check(changed, 0)
          if (end === -1) return
          accepted++
          expectReadable(type, changed, end)
        }),
        { numRuns: 3_000 },
      )
    }
    expect(accepted).toBeGreaterThan(200)
  })

  test('two bodies are not one', () => {
    const body = v1.toBuffer(EVENT)
    expect(checkV1(Buffer.concat([body, body]), 0)).toBe(body.length)
    expect(readBody(v1, Buffer.concat([body, body]))).toBeUndefined()
  })
})

const nullOr = (bytes: Buffer) => Buffer.concat([varint(1), bytes])
const text = (...bytes: number[]) => lengthAnd(Buffer.from(bytes))
const a = (length: number) => Array.from<number>({ length }).fill(0x61)

const REFUSED: [string, Buffer][] = [
  ['4 billion names in 100 bytes', v1With({ cleared: Buffer.concat([varint(2 ** 32 - 1), Buffer.alloc(100)]) })],
  ['2 billion names in 100 bytes', v1With({ cleared: Buffer.concat([varint(2 ** 31 - 1), Buffer.alloc(100)]) })],
  ['one name more than there are bytes', v1With({ cleared: Buffer.concat([varint(101), Buffer.alloc(100)]) })],
  [
    'the lowest count there is',
    v1With({ cleared: Buffer.concat([varint(-(2 ** 31)), varint(100), Buffer.alloc(101)]) }),
  ],
  ['a block shorter than it says', v1With({ cleared: Buffer.from([1, 6, 2, 0x61, 0, 0, 0]) })],
  ['a block longer than it says', v1With({ cleared: Buffer.from([1, 2, 2, 0x61, 0]) })],
  ['a block of a negative size', v1With({ cleared: Buffer.from([1, 1, 2, 0x61, 0]) })],
  ['half a megabyte of FF as a long', v1With({ revision: Buffer.alloc(500_000, 0xff) })],
  ['half a megabyte of FF as a length', v1With({ source: Buffer.alloc(500_000, 0xff) })],
  ['a long of eleven bytes', v1With({ revision: varint(0, 11) })],
  ['a long of 65 bits', v1With({ revision: Buffer.from([...Buffer.alloc(9, 0x80), 2]) })],
  ['a long beyond the end', v1With({ revision: varint(2n ** 62n) }).subarray(0, 60)],
  ['2^31 as an int', v1With({ supplement_requests: nullOr(varint(2 ** 31)) })],
  ['-2^31 - 1 as an int', v1With({ supplement_requests: nullOr(varint(-(2 ** 31) - 1)) })],
  ['2^62 as an int', v1With({ supplement_requests: nullOr(varint(2n ** 62n)) })],
  ['2 as a boolean', v1With({ fee_due: nullOr(Buffer.from([2])) })],
  ['255 as a boolean', v1With({ fee_due: nullOr(Buffer.from([255])) })],
  ['a symbol too many', v1With({ event_type: varint(14) })],
  ['a symbol before the first', v1With({ event_type: varint(-1) })],
  ['a symbol of 2^32', v1With({ event_type: varint(2 ** 32) })],
  ['a branch too many', v1With({ channel: varint(2) })],
  ['a branch before the first', v1With({ channel: varint(-1) })],
  ['a branch of 2^32', v1With({ channel: varint(2 ** 32) })],
  ['a negative length', v1With({ source: varint(-1) })],
  ['a length of 2^31 - 1', v1With({ source: varint(2 ** 31 - 1) })],
  ['a length of 2^53 + 1', v1With({ source: varint(2n ** 53n + 1n) })],
  ['FF in a text', v1With({ source: text(0x61, 0xff) })],
  ['half a character at the end of a text', v1With({ source: text(0x61, 0xe1, 0xbb) })],
  ['half of a surrogate pair', v1With({ source: text(0xed, 0xa0, 0x80) })],
  ['a surrogate pair in six bytes', v1With({ source: text(0xed, 0xa0, 0xbd, 0xed, 0xb2, 0xa9) })],
  ['a zero in two bytes', v1With({ source: text(0xc0, 0x80) })],
  ['beyond the last character', v1With({ source: text(0xf4, 0x90, 0x80, 0x80) })],
  ['FF far behind in a text', v1With({ source: text(...a(200), 0xff) })],
  ['half a character at the 64th byte', v1With({ source: text(...a(63), 0xe1, 0xbb, 0x61, ...a(63)) })],
]

const ACCEPTED: [string, Buffer][] = [
  ['the event itself', v1With({})],
  ['a zero of ten bytes', v1With({ revision: varint(0, 10) })],
  ['the highest long', v1With({ revision: varint(2n ** 63n - 1n) })],
  ['the lowest long', v1With({ revision: varint(-(2n ** 63n)) })],
  ['the highest int', v1With({ supplement_requests: nullOr(varint(2 ** 31 - 1)) })],
  ['the lowest int, in ten bytes', v1With({ supplement_requests: nullOr(varint(-(2 ** 31), 10)) })],
  ['a symbol and a branch in ten bytes', v1With({ event_type: varint(13, 10), channel: nullOr(varint(2, 10)) })],
  ['U+FFFD and a time beyond 2^53', v1With({ source: text(0xef, 0xbf, 0xbd), occurred_at: varint(2n ** 60n) })],
  ['characters across the 64th byte', v1With({ source: text(...a(63), 0xe1, 0xbb, 0xad, ...a(63), 0xe1, 0xbb, 0xad) })],
  ['a zero character', v1With({ source: text(0) })],
  ['a block that says its size', v1With({ cleared: Buffer.from([1, 4, 2, 0x61, 0]) })],
]

/**
 * Steps are calls of the cursor; each costs at most a varint's ten bytes or the text it moves over. Negative control: with
 * `affords` always true the array of nulls is accepted, and avsc would build 1.8 billion of them; with no limit for the bytes
 * of a varint, eleven bytes are accepted and half a megabyte of FF is read to its end.
 */
describe('hostile bodies', () => {
  afterEach(() => vi.restoreAllMocks())
  function stepsOf(run: () => void): number {
    const spies = (['long', 'int', 'skip', 'skipLong', 'skipBoolean', 'skipString', 'affords'] as const).map(name =>
      vi.spyOn(AvroCursor.prototype, name),
    )
    run()
    return spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0)
  }

  test.each(REFUSED)('refused: %s', (_, body) => {
    expect(stepsOf(() => expect(checkV1(body, 0)).not.toBe(body.length))).toBeLessThan(1_000)
    expect(readBody(v1, body)).toBeUndefined()
  })

  test.each(ACCEPTED)('accepted: %s', (_, body) => {
    expect(checkV1(body, 0)).toBe(body.length)
    expectReadable(v1, body, body.length)
    expect(readBody(avroType(schemaFile('dossier-event/v1.avsc')), body)).toBeDefined()
  })

  test('items without a byte are no more than the body has bytes, in all blocks together', () => {
    const nulls = { type: 'array', items: 'null' } as AvroSchema
    expect(accepts(nulls, Buffer.concat([varint(2), varint(0)]))).toBe(true)
    const body = Buffer.concat([...Array.from({ length: 30_000 }, () => varint(60_000)), varint(0)])
    expect(stepsOf(() => expect(accepts(nulls, body)).toBe(false))).toBeLessThan(100)
  })

  test('nesting is bounded, however a body drives it', () => {
    const endless = Buffer.concat(Array.from({ length: 100_000 }, () => Buffer.from([0, 2])))
    expect(stepsOf(() => expect(accepts(TREE, endless)).toBe(false))).toBeLessThan(1_000)
    const arrays = JSON.parse(`${'{"type":"array","items":'.repeat(100)}"null"${'}'.repeat(100)}`)
    expect(accepts(arrays, Buffer.alloc(200, 2))).toBe(false)
  })

  test('nothing is read behind the end or before the beginning', () => {
    for (const at of [-1, 1, 2 ** 31, Number.NaN]) expect(wellFormed('string')(Buffer.from([0]), at)).toBe(-1)
    expect(wellFormed('string')(new Uint8Array(0), 0)).toBe(-1)
  })
})

test('a schema of which no body is bounded is refused', () => {
  const record = (name: string, ...types: (Part | object)[]) => ({
    type: 'record',
    name,
    fields: types.map((type, n) => ({ name: `f${n}`, type })),
  })
  const endless = record('Endless', 'Endless')
  const round = record('A', record('B', 'A'))
  let doubling: object = record('D0')
  for (let n = 1; n <= 40; n++) doubling = record(`D${n}`, doubling, `D${n - 1}`)
  for (const schema of [endless, round, doubling])
    expect(() => wellFormed(schema as unknown as AvroSchema)).toThrow(UnboundedSchema)
})
