import fc from 'fast-check'
import { expect, test } from 'vitest'
import { avroType } from '../avro.ts'
import { schemaFile } from '../registry.ts'
import { CHANNELS, dossierEventJson, EVENT_TYPES, NULLABLE_FIELDS, SERVICE_LEVELS } from './event.ts'

const type = avroType(schemaFile('dossier-event/v1.avsc'))

const millis = fc.integer({ min: Date.UTC(1900, 0), max: Date.UTC(2200, 0) })
const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null })
const valid = fc.record({
  event_id: fc.uuid(),
  dossier_id: fc.string(),
  revision: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  event_type: fc.constantFrom(...EVENT_TYPES),
  occurred_at: millis,
  source: fc.string(),
  receiving_unit: orNull(fc.string()),
  processing_unit: orNull(fc.string()),
  procedure_code: orNull(fc.string()),
  sector_code: orNull(fc.string()),
  channel: orNull(fc.constantFrom(...CHANNELS)),
  service_level: orNull(fc.constantFrom(...SERVICE_LEVELS)),
  received_at: orNull(millis),
  due_at: orNull(millis),
  settled_at: orNull(millis),
  returned_at: orNull(millis),
  supplement_pause_ms: orNull(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  supplement_requests: orNull(fc.integer()),
  fee_due: orNull(fc.boolean()),
  paid_online: orNull(fc.boolean()),
  digital_result: orNull(fc.boolean()),
  digitised: orNull(fc.boolean()),
  data_reused: orNull(fc.boolean()),
  cleared: fc.array(fc.string(), { maxLength: 3 }),
})
/** Values of every kind, to put where they may or may not belong. */
const anything = fc.oneof(
  fc.constantFrom(null, undefined, true, '', 'ONLINE', 'SETTLED', 'nonsense', 1.5, -1, 2 ** 31, Number.NaN),
  fc.integer(),
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
  fc.array(fc.string()),
  fc.constant({}),
)

const TIMES = ['occurred_at', 'received_at', 'due_at', 'settled_at', 'returned_at']
const LONGS = ['revision', 'supplement_pause_ms']

/** The same value as a producer of JSON would write it: times as RFC 3339 text, longs as decimal text. */
function asJson(event: Record<string, unknown>): unknown {
  const json: Record<string, unknown> = { ...event }
  for (const name of TIMES)
    if (typeof json[name] === 'number' && Number.isInteger(json[name])) json[name] = new Date(json[name]).toISOString()
  for (const name of LONGS) if (typeof json[name] === 'bigint') json[name] = String(json[name])
  return json
}

test('the zod twin and the Avro schema have the same fields in the same order', () => {
  const avroFields = (schemaFile('dossier-event/v1.avsc') as unknown as { fields: { name: string; type: unknown }[] })
    .fields
  expect(Object.keys(dossierEventJson.shape)).toEqual(avroFields.map(field => field.name))
  expect(NULLABLE_FIELDS).toEqual(avroFields.filter(field => Array.isArray(field.type)).map(field => field.name))
})

test('what is valid passes both, and comes out of both the same', () => {
  fc.assert(
    fc.property(valid, event => {
      expect(dossierEventJson.parse(asJson(event))).toEqual(event)
      expect({ ...(type.fromBuffer(type.toBuffer(event)) as object) }).toEqual(event)
    }),
  )
})

test('with any field replaced by anything, zod and Avro accept and refuse the same', () => {
  let refused = 0
  fc.assert(
    fc.property(valid, fc.constantFrom(...Object.keys(dossierEventJson.shape)), anything, (event, field, value) => {
      // JSON has no bigint beside longs, no undefined beside absence, and its default for cleared is Avro's default.
      fc.pre(typeof value !== 'bigint' || LONGS.includes(field))
      fc.pre(
        !(typeof value === 'number' && LONGS.includes(field)) &&
          !(typeof value === 'number' && Math.abs(value) > 8.64e15),
      )
      fc.pre(field !== 'cleared' || (value !== null && value !== undefined))
      fc.pre(
        !(TIMES.includes(field) && typeof value === 'string') && !(LONGS.includes(field) && typeof value === 'string'),
      )
      const changed: Record<string, unknown> = { ...event, [field]: value }
      if (value === undefined && NULLABLE_FIELDS.includes(field as never)) changed[field] = null
      const avro = type.isValid(changed)
      if (!avro) refused++
      expect(dossierEventJson.safeParse(asJson(changed)).success).toBe(avro)
    }),
    { numRuns: 2_000 },
  )
  expect(refused).toBeGreaterThan(200)
})

test('a field nobody knows is refused', () => {
  expect(dossierEventJson.safeParse({ citizen_name: 'X' }).error?.issues.at(-1)).toMatchObject({
    code: 'unrecognized_keys',
    keys: ['citizen_name'],
  })
})
