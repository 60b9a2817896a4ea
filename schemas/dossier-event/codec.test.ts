import fc from 'fast-check'
import { expect, test } from 'vitest'
import { avroType } from '../avro.ts'
import { inBlocks, mutated, mutation, type Part } from '../avro-for-tests.ts'
import { directoryRegistry, type SchemaRegistry, schemaFile } from '../registry.ts'
import { frame } from '../wire.ts'
import { readWriterSchema } from '../writer-schema.ts'
import { createDecoder, framed } from './codec.ts'
import type { DossierEvent } from './event.ts'

const registry = directoryRegistry()
const { id, type } = await registry.newest('dossier-event')
const event: DossierEvent = {
  event_id: '00000000-0000-4000-8000-000000000001',
  dossier_id: 'H44-250804-0001',
  revision: 2n ** 62n,
  event_type: 'SETTLED',
  occurred_at: Date.UTC(2025, 7, 4),
  source: 'thử nghiệm',
  receiving_unit: null,
  processing_unit: '08746',
  procedure_code: null,
  sector_code: null,
  channel: 'ONLINE',
  service_level: null,
  received_at: null,
  due_at: null,
  settled_at: Date.UTC(2025, 7, 4),
  returned_at: null,
  supplement_pause_ms: 5n,
  supplement_requests: 1,
  fee_due: true,
  paid_online: false,
  digital_result: null,
  digitised: null,
  data_reused: null,
  cleared: ['channel'].slice(1),
}
const value = frame(id, type, event)
const V1 = schemaFile('dossier-event/v1.avsc') as unknown as Part

async function judge(record: { value: Buffer | null; key?: Buffer | null }, from: SchemaRegistry = registry) {
  const decoder = createDecoder(from, () => true)
  await decoder.prepare(framed([record.value]))
  return decoder.judgeRecord({ key: Buffer.from(event.dossier_id), timestamp_ms: Date.now(), ...record })
}

test('a good record comes out as the event that went in', async () => {
  expect({ ...(await judge({ value })).event }).toEqual(event)
})

test.each([
  ['null', null, 'unknown_magic'],
  ['empty', Buffer.alloc(0), 'unknown_magic'],
  ['JSON text', Buffer.from('{"event_id":1}'), 'unknown_magic'],
  ['a cut header', Buffer.from([0, 0, 0]), 'unknown_schema'],
  ['an id nobody knows', Buffer.concat([Buffer.from([0, 0, 0, 0xff, 1]), value.subarray(5)]), 'unknown_schema'],
  ['the id of another subject', Buffer.concat([Buffer.from([0, 0, 0, 0, 2]), value.subarray(5)]), 'unknown_schema'],
  ['no body', value.subarray(0, 5), 'truncated_body'],
  ['a byte short', value.subarray(0, -1), 'truncated_body'],
  ['a byte long', Buffer.concat([value, Buffer.from([0])]), 'truncated_body'],
])('refused: %s', async (_, bad, reason) => {
  expect((await judge({ value: bad })).refusals?.[0]?.reason).toBe(reason)
})

test('text that is not UTF-8 is no body the schema can read, while U+FFFD itself is a character', async () => {
  const at = value.indexOf('thử')
  const broken = Buffer.from(value)
  broken[at] = 0xff
  expect((await judge({ value: broken })).refusals?.[0]?.reason).toBe('truncated_body')
  const odd = frame(id, type, { ...event, source: '\ufffd' })
  expect((await judge({ value: odd })).event?.source).toBe('\ufffd')
})

test('cut anywhere, or with any byte changed, a record is judged and never throws', async () => {
  const decoder = createDecoder(registry, () => true)
  await decoder.prepare(framed([value]))
  for (let at = 0; at < value.length; at++) {
    decoder.judgeRecord({ key: null, value: value.subarray(0, at), timestamp_ms: 0 })
    for (const change of [1, 0x7f, 0x80, 0xff]) {
      const changed = Buffer.from(value)
      changed[at] = (changed[at] as number) ^ change
      await decoder.prepare(framed([changed]))
      decoder.judgeRecord({ key: null, value: changed, timestamp_ms: 0 })
    }
  }
})

test('a key that differs from the dossier_id is refused, a missing one is not', async () => {
  expect((await judge({ value, key: Buffer.from('other') })).refusals?.[0]?.reason).toBe('key_mismatch')
  expect((await judge({ value, key: null })).event).toBeDefined()
})

test('a key is compared by its bytes: what only decodes to the dossier_id is another key', async () => {
  const odd = frame(id, type, { ...event, dossier_id: 'H\ufffd' })
  expect((await judge({ value: odd, key: Buffer.from('H\ufffd') })).event?.dossier_id).toBe('H\ufffd')
  const verdict = await judge({ value: odd, key: Buffer.from([0x48, 0xff]) })
  expect(verdict.refusals?.[0]).toMatchObject({ reason: 'key_mismatch', message: expect.stringContaining('0x48ff') })
})

test('U+FFFD together with a time that no double holds is judged, not thrown', async () => {
  const body = inBlocks(V1, { ...event, source: '\ufffd', occurred_at: 2n ** 60n })
  const verdict = await judge({ value: Buffer.concat([value.subarray(0, 5), body]) })
  expect(verdict.refusals?.map(refusal => refusal.reason)).toEqual(['time_out_of_range'])
})

test('any bytes, keys and times are judged and never throw', async () => {
  const decoder = createDecoder(registry, () => true)
  await decoder.prepare(framed([value]))
  const bytes = fc.oneof(
    fc.constant(value),
    fc.uint8Array({ maxLength: 300 }).map(body => Buffer.from(body)),
    fc.uint8Array({ maxLength: 300 }).map(body => Buffer.concat([value.subarray(0, 5), body])),
    fc.array(mutation, { maxLength: 3 }).map(changes => changes.reduce(mutated, value)),
  )
  const key = fc.option(
    fc.uint8Array({ maxLength: 30 }).map(part => Buffer.from(part)),
    { nil: null },
  )
  fc.assert(
    fc.property(bytes, key, fc.double(), (changed, key, timestamp_ms) => {
      const verdict = decoder.judgeRecord({ key, value: changed, timestamp_ms })
      expect(verdict.event === undefined).toBe((verdict.refusals?.length ?? 0) > 0)
    }),
    { numRuns: 3_000 },
  )
})

/** A registry with one schema, under id 77. */
const withSchema = (schema: unknown): SchemaRegistry => {
  const read = readWriterSchema(JSON.stringify(schema))
  if (read.type === undefined) throw new Error(read.refused)
  return { ...registry, complete: new Map([[77, read.type]]) }
}
const changedV1 = (change: (fields: { name: string; type: unknown; default?: unknown }[]) => object[]) => {
  const schema = structuredClone(schemaFile('dossier-event/v1.avsc')) as unknown as { fields: never[] }
  return { ...schema, fields: change(schema.fields) }
}

test('a later writer version with a new defaulted field is read as today’s', async () => {
  const schema = changedV1(fields => [...fields, { name: 'later', type: ['null', 'string'], default: null }])
  const later = avroType(schema as never)
  const from = withSchema(schema)
  expect({ ...(await judge({ value: frame(77, later, { ...event, later: 'x' }) }, from)).event }).toEqual(event)
  const broken = frame(77, later, { ...event, later: 'xyz' })
  broken[broken.length - 1] = 0xff
  expect((await judge({ value: broken }, from)).refusals?.[0]?.reason).toBe('truncated_body')
})

test('an int of a writer is read as our long, a null that it cannot say as unsaid', async () => {
  const schema = changedV1(fields =>
    fields
      .filter(field => field.name !== 'digitised')
      .map(field => (['revision', 'occurred_at'].includes(field.name) ? { ...field, type: 'int' } : field)),
  )
  const value = frame(77, avroType(schema as never), { ...event, revision: 5, occurred_at: 0 })
  const verdict = await judge({ value }, withSchema(schema))
  expect(verdict.refusals?.map(refusal => refusal.reason)).toEqual(['time_out_of_range'])
})

test.each([
  ['long where we hold an int', 'supplement_requests', ['null', 'long'], 'cannot read'],
  ['bytes where we hold text', 'source', 'bytes', 'holds bytes'],
  ['bytes or null where we hold text', 'sector_code', ['null', 'bytes'], 'holds bytes'],
  ['bytes in a list of texts', 'cleared', { type: 'array', items: 'bytes' }, 'holds bytes'],
  ['a symbol that we do not have', 'event_type', { type: 'enum', name: 'EventType', symbols: ['LOST'] }, 'cannot read'],
])('the schema of a writer is refused: %s', async (_, name, type, why) => {
  const schema = changedV1(fields => fields.map(field => (field.name === name ? { name, type } : field)))
  const verdict = await judge({ value: Buffer.from([0, 0, 0, 0, 77]) }, withSchema(schema))
  expect(verdict.refusals?.[0]).toMatchObject({ reason: 'unknown_schema', message: expect.stringContaining(why) })
})

test('a record is not judged before its schema was looked up', () => {
  const { complete: _, ...learning } = registry
  const decoder = createDecoder(learning, () => true)
  expect(() => decoder.judgeRecord({ key: null, value, timestamp_ms: 0 })).toThrow(/prepared/)
})
