/**
 * Promise: the scanner lets in what the door lets in, says of it what `saysOf` says, and nothing else; and the bytes that it
 * lets in are those that avsc would write. The JSON door and the door for Avro give the same verdict on the same event.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type AvroSchema, avroType } from '../avro.ts'
import { newestType, schemaFile } from '../registry.ts'
import { faultOf } from '../text.ts'
import { readBody } from '../wire.ts'
import { judge, judgeJson } from './door.ts'
import {
  CHANNELS,
  type DossierEvent,
  EVENT_TYPES,
  FIELDS,
  type Field,
  NULLABLE_FIELDS,
  SERVICE_LEVELS,
} from './fields.ts'
import { saysOf } from './says.ts'
import { createScanner, type Scanner } from './scanner.ts'

const type = newestType('dossier-event')
const knownUnit = (code: string) => ['24', '08746', '31117', 'Ấ'].includes(code)
const NOW = Date.UTC(2025, 7, 5)
const DAY = 86_400_000

const scannerOf = (writer = type, reader = type, fields?: Parameters<typeof createScanner>[3]) =>
  createScanner(writer, reader, { knownUnit }, fields) as Scanner
const scanner = scannerOf()
const scan = (body: Buffer, key: Buffer | null = null, by = scanner) => {
  const bytes = Buffer.concat([Buffer.from('xx'), body, key ?? Buffer.alloc(0)])
  const end = 2 + body.length
  return by.scan(bytes, 2, end, NOW, key === null ? -1 : end, bytes.length)
}

const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null, freq: 1 })
/** Letters on both sides of what the scanner takes without asking further, and marks that stand on them. */
const letter = fc
  .oneof(
    fc.integer({ min: 0x70, max: 0x310 }),
    fc.integer({ min: 0x1e70, max: 0x1f10 }),
    fc.constantFrom(0x301, 0x31b, 0x34f),
  )
  .map(code => String.fromCodePoint(code))
const text = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: letter, minLength: 1, maxLength: 6 }) },
  { weight: 6, arbitrary: fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 20 }) },
  fc.string({ unit: 'binary', maxLength: 70 }).filter(some => some.isWellFormed()),
  fc.constantFrom('', 'x'.repeat(64), 'x'.repeat(65), 'x'.repeat(33), '𝒳'.repeat(32), '𝒳'.repeat(65), 'Sở Tư pháp'),
  fc.constantFrom('motcua-repair', ' x', 'x\u00a0', '\ufeffx', 'So\u031b', '\ufffd'),
)
const tidy = fc.constantFrom(
  'H44.12.17-250804-0001',
  'a',
  'Sở Tư pháp',
  'motcua-repair',
  'x'.repeat(32),
  'Ữ'.repeat(64),
)
const unit = fc.constantFrom('24', '08746', '31117', 'Ấ', '99999', '', 'x'.repeat(33), '24 ')
const time = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: NOW - 3 * DAY, max: NOW + DAY }) },
  fc.constantFrom(NOW + DAY, NOW + DAY + 1, 0, -1, Date.UTC(1990, 0) - 1, Date.UTC(1990, 0), Date.UTC(2100, 0) - 1),
  fc.constantFrom(Date.UTC(2100, 0), 2 ** 53 - 1, -(2 ** 52)),
)
const long = fc.oneof(fc.bigInt({ min: -2n, max: 200n }), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))

/** Events of which about half are let in, and which lie close to every limit. */
const event: fc.Arbitrary<DossierEvent> = fc
  .record({
    event_id: fc.oneof({ weight: 9, arbitrary: fc.uuid() }, fc.constantFrom('', 'x'.repeat(36), '0'.repeat(36))),
    dossier_id: fc.oneof({ weight: 5, arbitrary: tidy }, text),
    revision: fc.oneof({ weight: 5, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }) }, long),
    event_type: fc.constantFrom(...EVENT_TYPES),
    occurred_at: fc.oneof({ weight: 9, arbitrary: fc.constant(NOW) }, time),
    source: fc.oneof({ weight: 5, arbitrary: tidy }, text),
    receiving_unit: orNull(fc.oneof({ weight: 5, arbitrary: fc.constantFrom('24', '08746', 'Ấ') }, unit)),
    processing_unit: orNull(fc.oneof({ weight: 5, arbitrary: fc.constantFrom('24', '31117') }, unit)),
    procedure_code: orNull(fc.oneof({ weight: 5, arbitrary: fc.constant('1.012766') }, text)),
    sector_code: orNull(fc.constantFrom('G15-TP03', 'x'.repeat(32))),
    channel: orNull(fc.constantFrom(...CHANNELS)),
    service_level: orNull(fc.constantFrom(...SERVICE_LEVELS)),
    received_at: orNull(fc.oneof({ weight: 9, arbitrary: fc.integer({ min: NOW - DAY, max: NOW }) }, time)),
    due_at: orNull(fc.oneof({ weight: 9, arbitrary: fc.integer({ min: NOW, max: NOW + DAY }) }, time)),
    settled_at: orNull(fc.oneof({ weight: 9, arbitrary: fc.integer({ min: NOW, max: NOW + DAY }) }, time)),
    returned_at: orNull(fc.oneof({ weight: 9, arbitrary: fc.constant(NOW) }, time)),
    supplement_pause_ms: orNull(fc.oneof({ weight: 9, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 40n }) }, long)),
    supplement_requests: orNull(fc.oneof({ weight: 9, arbitrary: fc.nat() }, fc.integer())),
    fee_due: orNull(fc.boolean()),
    paid_online: orNull(fc.boolean()),
    digital_result: orNull(fc.boolean()),
    digitised: orNull(fc.boolean()),
    data_reused: orNull(fc.boolean()),
    cleared: fc.oneof(
      { weight: 4, arbitrary: fc.constant([]) },
      fc.array(fc.constantFrom(...NULLABLE_FIELDS), { maxLength: 4 }),
      fc.integer({ min: 16, max: 19 }).map(length => Array(length).fill('returned_at')),
      fc.array(fc.constantFrom('channel', 'dossier_id', '', 'x'.repeat(40)), { maxLength: 2 }),
    ),
  })
  .chain(made =>
    // Mostly a field is not set and cleared at once.
    fc.boolean().map(both => ({
      ...made,
      cleared: both
        ? made.cleared
        : (made.cleared as string[]).filter(name => made[name as keyof typeof made] === null),
    })),
  ) as fc.Arbitrary<DossierEvent>

const keyOf = fc.constantFrom<(id: string) => Buffer | null>(
  () => null,
  id => Buffer.from(id),
  id => Buffer.from(id),
  id => Buffer.from(`${id}x`),
  () => Buffer.alloc(0),
)

test('every letter that the scanner takes without asking is fine, alone and beside others', () => {
  for (const [from, to] of [
    [0xc0, 0x27f],
    [0x1e80, 0x1eff],
  ] as const)
    for (let code = from; code <= to; code++) {
      const one = String.fromCodePoint(code)
      for (const some of [one, `a${one}a`, one + one]) expect(faultOf(some), code.toString(16)).toBeUndefined()
    }
})

test('scanner and door: the same verdict on any event, and the same bits', () => {
  const seen = { in: 0, out: 0 }
  fc.assert(
    fc.property(event, keyOf, (one, makeKey) => {
      const key = makeKey(one.dossier_id)
      const refusals = judge(one, { now_ms: NOW, knownUnit, key: key ?? undefined })
      seen[refusals.length === 0 ? 'in' : 'out']++
      expect(scan(type.toBuffer(one), key)).toBe(refusals.length === 0 ? saysOf(one) : -1)
    }),
    { numRuns: 20_000 },
  )
  expect(Math.min(seen.in, seen.out)).toBeGreaterThan(3_000)
})

/** As a producer of JSON writes it. */
const asJson = (one: DossierEvent) => ({
  ...one,
  revision: String(one.revision),
  supplement_pause_ms: one.supplement_pause_ms === null ? null : String(one.supplement_pause_ms),
  ...Object.fromEntries(
    (['occurred_at', 'received_at', 'due_at', 'settled_at', 'returned_at'] as const).map(name => {
      const time_ms = one[name]
      return [name, time_ms === null ? null : new Date(time_ms).toISOString()]
    }),
  ),
})

test('the JSON door and the door for Avro: the same verdict, the same reasons, the same fields', () => {
  // JSON writes years of four digits.
  const writable = event.filter(one =>
    [one.occurred_at, one.received_at, one.due_at, one.settled_at, one.returned_at].every(
      at => at === null || (at > -6e13 && at < 2.5e14),
    ),
  )
  fc.assert(
    fc.property(writable, one => {
      const json = judgeJson(asJson(one), { now_ms: NOW, knownUnit })
      const avro = judge(one, { now_ms: NOW, knownUnit })
      expect((json.refusals ?? []).map(({ reason, field }) => [reason, field])).toEqual(
        avro.map(({ reason, field }) => [reason, field]),
      )
    }),
    { numRuns: 5_000 },
  )
})

test('what it lets in of any bytes is well-formed, let in by the door, and as avsc writes it', () => {
  let let_in = 0
  const flip = fc.record({
    at: fc.nat({ max: 400 }),
    to: fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(0, 1, 2, 0x80, 0xff)),
  })
  fc.assert(
    fc.property(event, fc.array(flip, { maxLength: 2 }), fc.integer({ min: -3, max: 3 }), (one, flips, longer) => {
      let body = type.toBuffer(one)
      for (const { at, to } of flips) if (at < body.length) body[at] = to
      body = longer > 0 ? Buffer.concat([body, Buffer.alloc(longer)]) : body.subarray(0, body.length + longer)
      const says = scan(body)
      if (says < 0) return
      let_in++
      const read = readBody(type, body) as DossierEvent
      expect(judge(read, { now_ms: NOW, knownUnit })).toEqual([])
      expect(saysOf(read)).toBe(says)
      expect(type.toBuffer(read).equals(body)).toBe(true)
    }),
    { numRuns: 20_000 },
  )
  expect(let_in).toBeGreaterThan(1_000)
})

const good: DossierEvent = {
  ...(Object.fromEntries(NULLABLE_FIELDS.map(name => [name, null])) as unknown as DossierEvent),
  event_id: '00000000-0000-4000-8000-000000000001',
  dossier_id: 'H44.12.17-250804-0001',
  revision: 2n ** 63n - 1n,
  event_type: 'PROCESSING',
  occurred_at: NOW,
  source: 'test',
  cleared: ['channel', 'due_at'],
}

describe('forms that Avro allows and avsc does not write are left to the door', () => {
  const bytes = type.toBuffer({ ...good, cleared: [] })
  test.each([
    ['a count in more bytes than needed', [0x80, 0x00]],
    ['a block with its size', [0x01, 0x10, 0x0e, ...Buffer.from('channel'), 0x00]],
    ['two blocks', [0x02, 0x0e, ...Buffer.from('channel'), 0x02, 0x0c, ...Buffer.from('due_at'), 0x00]],
  ])('%s', (_, tail) => {
    const body = Buffer.concat([bytes.subarray(0, -1), Buffer.from(tail)])
    expect(readBody(type, body)).toBeDefined()
    expect(scan(body)).toBe(-1)
  })
})

describe('writer schemas', () => {
  const v1 = schemaFile('dossier-event/v1.avsc') as unknown as { fields: object[] }
  const with_ = (fields: object[]) => avroType({ ...v1, fields } as unknown as AvroSchema)
  const note = { name: 'note', type: ['null', 'string'], default: null }

  test('the bytes of a version that lacks the last fields are passed on with their defaults', () => {
    const v2 = with_([...v1.fields, note])
    const fields: Record<string, Field> = { ...FIELDS, note: { kind: 'text', characters_max: 100, bit: 19 } }
    const by = scannerOf(type, v2, fields)
    expect(by.suffix).toEqual(Buffer.from([0]))
    expect(scan(type.toBuffer(good), null, by)).toBe(saysOf(good))
    expect(v2.fromBuffer(Buffer.concat([type.toBuffer(good), by.suffix]))).toEqual({ ...good, note: null })
    const own = scannerOf(v2, v2, fields)
    expect(own.suffix).toHaveLength(0)
    expect(scan(v2.toBuffer({ ...good, note: 'x' }), null, own)).toBe(saysOf(good) | (1 << 19))
  })

  test('what does not change the bytes is not looked at: docs, defaults, properties of Java', () => {
    const java = v1.fields.map(field => {
      const { type: of, ...rest } = field as { type: unknown }
      return { ...rest, doc: 'other', type: of === 'string' ? { type: 'string', 'avro.java.string': 'String' } : of }
    })
    expect(scan(type.toBuffer(good), null, scannerOf(with_(java)))).toBe(saysOf(good))
  })

  test.each([
    ['more fields than ours', [...v1.fields, note]],
    ['another order', [v1.fields[1], v1.fields[0], ...v1.fields.slice(2)]],
    ['an int for a long', v1.fields.map((field, at) => (at === 2 ? { ...field, type: 'int' } : field))],
    [
      'a branch without its union',
      v1.fields.map((field, at) => (at === 6 ? { name: 'receiving_unit', type: 'string' } : field)),
    ],
    ['a required field missing', v1.fields.slice(0, 5)],
  ])('%s cannot be passed on', (_, fields) => {
    expect(createScanner(with_(fields as object[]), type, { knownUnit })).toBeUndefined()
  })
})
