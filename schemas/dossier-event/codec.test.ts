import { expect, test } from 'vitest'
import { avroType } from '../avro.ts'
import { directoryRegistry, type SchemaRegistry, schemaFile } from '../registry.ts'
import { frame } from '../wire.ts'
import { createDecoder } from './codec.ts'
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

async function judge(record: { value: Buffer | null; key?: Buffer | null }, from: SchemaRegistry = registry) {
  const decoder = createDecoder(from, () => true)
  await decoder.prepare([record.value])
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
  await decoder.prepare([value])
  for (let at = 0; at < value.length; at++) {
    decoder.judgeRecord({ key: null, value: value.subarray(0, at), timestamp_ms: 0 })
    for (const change of [1, 0x7f, 0x80, 0xff]) {
      const changed = Buffer.from(value)
      changed[at] = (changed[at] as number) ^ change
      await decoder.prepare([changed])
      decoder.judgeRecord({ key: null, value: changed, timestamp_ms: 0 })
    }
  }
})

test('a key that differs from the dossier_id is refused, a missing one is not', async () => {
  expect((await judge({ value, key: Buffer.from('other') })).refusals?.[0]?.reason).toBe('key_mismatch')
  expect((await judge({ value, key: null })).event).toBeDefined()
})

test('a later writer version with a new defaulted field is read as today’s', async () => {
  const schema = structuredClone(schemaFile('dossier-event/v1.avsc')) as unknown as { fields: object[] }
  schema.fields.push({ name: 'later', type: ['null', 'string'], default: null })
  const later = avroType(schema as never)
  const two: SchemaRegistry = {
    newest: registry.newest,
    byId: async asked => (asked === 77 ? later : registry.byId(asked)),
  }
  const verdict = await judge({ value: frame(77, later, { ...event, later: 'x' }) }, two)
  expect({ ...verdict.event }).toEqual(event)
})
