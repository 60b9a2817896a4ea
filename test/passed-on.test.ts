/**
 * Bytes are passed on: whatever schema a producer wrote with, what ClickHouse stores is what avsc reads, field by field. Through
 * the steps of ingest, without a broker.
 */
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { type AvroSchema, type AvroType, avroType } from '../schemas/avro.ts'
import { createDecoder } from '../schemas/dossier-event/codec.ts'
import {
  CHANNELS,
  type DossierEvent,
  EVENT_TYPES,
  FIELDS,
  NULLABLE_FIELDS,
  namesOf,
  SERVICE_LEVELS,
} from '../schemas/dossier-event/fields.ts'
import { saysOf } from '../schemas/dossier-event/says.ts'
import { newestSchema, newestType, type SchemaRegistry } from '../schemas/registry.ts'
import { frame } from '../schemas/wire.ts'
import { rowsOf } from '../services/common/clickhouse.ts'
import { recordsOf } from '../services/common/records-for-tests.ts'
import { createClassify } from '../services/ingest/classify.ts'
import { createInsert } from '../services/ingest/insert.ts'
import { ownDatabase } from './own-database.ts'

const { clickhouse, empty } = ownDatabase('test_passed_on')
afterAll(() => clickhouse.close())

const NOW = Date.UTC(2026, 0, 15)
const DAY = 86_400_000
const v1 = newestSchema('dossier-event') as unknown as { fields: { name: string; type: unknown; default?: unknown }[] }
const withFields = (change: (fields: typeof v1.fields) => object[]) =>
  avroType({ ...v1, fields: change(v1.fields) } as unknown as AvroSchema)
const field = (name: string, type: unknown) => (fields: typeof v1.fields) =>
  fields.map(one => (one.name === name ? { name, type } : one))

/** Writers, and whether their bytes are passed on. */
const WRITERS: [string, AvroType, boolean][] = [
  ['our own schema', newestType('dossier-event'), true],
  [
    "Java's strings",
    withFields(fields =>
      fields.map(one =>
        one.type === 'string' ? { ...one, type: { type: 'string', 'avro.java.string': 'String' } } : one,
      ),
    ),
    true,
  ],
  ['without the last field', withFields(fields => fields.slice(0, -1)), true],
  ['without the last three', withFields(fields => fields.slice(0, -3)), true],
  [
    'with one more',
    withFields(fields => [...fields, { name: 'note', type: ['null', 'string'], default: null }]),
    false,
  ],
  ['an int for a long', withFields(field('revision', 'int')), false],
  ['a branch without its union', withFields(field('processing_unit', 'string')), false],
  ['other fields first', withFields(fields => [...fields.slice(6), ...fields.slice(0, 6)]), false],
]
const registry: SchemaRegistry = {
  answerFor: async id => ({ type: (WRITERS[id] as (typeof WRITERS)[number])[1] }),
  byId: async id => WRITERS[id]?.[1],
  newest: async () => ({ id: 0, type: newestType('dossier-event') }),
}
const decoder = createDecoder(registry, code => code !== '')

const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null })
const text = fc.oneof(
  fc.constantFrom('a', '1.012766', 'Sở Tư pháp', '𝒳', 'x'.repeat(32), "it's", 'a\\b'),
  fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 20 }).map(some => `x${some}x`),
)
const time = fc.integer({ min: NOW, max: NOW + 300 * DAY })
const long = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })
const event: fc.Arbitrary<DossierEvent> = fc
  .record({
    event_id: fc.uuid(),
    dossier_id: fc.uuid().map(id => `H44-260115-${id}`),
    revision: fc.oneof(fc.bigInt({ min: 0n, max: 300n }), long),
    event_type: fc.constantFrom(...EVENT_TYPES),
    occurred_at: time,
    source: text,
    receiving_unit: orNull(text),
    processing_unit: orNull(text),
    procedure_code: orNull(text),
    sector_code: orNull(text),
    channel: orNull(fc.constantFrom(...CHANNELS)),
    service_level: orNull(fc.constantFrom(...SERVICE_LEVELS)),
    received_at: orNull(fc.constant(NOW)),
    due_at: orNull(time),
    settled_at: orNull(time),
    returned_at: orNull(time),
    supplement_pause_ms: orNull(long),
    supplement_requests: orNull(fc.nat()),
    fee_due: orNull(fc.boolean()),
    paid_online: orNull(fc.boolean()),
    digital_result: orNull(fc.boolean()),
    digitised: orNull(fc.boolean()),
    data_reused: orNull(fc.boolean()),
    cleared: fc.array(fc.constantFrom(...NULLABLE_FIELDS), { maxLength: 3 }),
  })
  .map(made => ({ ...made, cleared: made.cleared.filter(name => made[name] === null) })) as fc.Arbitrary<DossierEvent>

/** What an event is to a reader of today when a writer could not say all of it. */
function asWritten(one: DossierEvent, writer: AvroType): DossierEvent {
  const names = new Set((writer as unknown as { fields: { name: string }[] }).fields.map(({ name }) => name))
  const left = { ...one, processing_unit: one.processing_unit ?? '08746' } as Record<string, unknown>
  if (!names.has('cleared')) left.cleared = []
  for (const name of NULLABLE_FIELDS) if (!names.has(name)) left[name] = null
  left.cleared = (left.cleared as string[]).filter(name => name !== 'processing_unit')
  return left as DossierEvent
}

/** A row of the log as it stands there: nothing said is the default of a column. */
const stored = (one: DossierEvent) => ({
  ...Object.fromEntries(
    namesOf(FIELDS).map(name => {
      const value = one[name]
      const { kind } = FIELDS[name]
      if (name === 'event_id') return [name, String(value).toLowerCase()]
      if (kind === 'amount') return [name, String(value ?? 0)]
      if (kind === 'time') return [name, value ?? 0]
      if (kind === 'flag') return [name, value ?? false]
      return [name, value ?? '']
    }),
  ),
  says: String(saysOf(one)),
})
const COLUMNS = namesOf(FIELDS).map(name => {
  const { kind } = FIELDS[name]
  if (kind === 'time') return `toUnixTimestamp64Milli(${name}) AS ${name}`
  return kind === 'amount' || kind === 'uuid' ? `toString(${name}) AS ${name}` : name
})

test.each(WRITERS.map(([name, , passed], id) => [name, id, passed] as const))('%s', async (name, id, passed_on) => {
  await empty()
  const writer = (WRITERS[id] as (typeof WRITERS)[number])[1]
  const small = name === 'an int for a long'
  const events = fc.sample(event, 3_000).map(one => {
    const left = asWritten(one, writer)
    return small ? { ...left, revision: left.revision % 2n ** 31n } : left
  })
  const records = recordsOf(
    events.map((one, at) => ({
      offset: BigInt(at),
      timestamp_ms: NOW,
      key: Buffer.from(one.dossier_id),
      value: frame(id, writer, small ? { ...one, revision: Number(one.revision) } : { note: 'x', ...one }),
    })),
  )
  await decoder.prepare(records)
  expect(decoder.scannerOf(id) !== undefined).toBe(passed_on)
  const { classify } = createClassify({ decoder, epochOf: () => 7, parked: () => undefined })
  const { good, dead, misplaced } = await classify([{ topic: 't', partition: 0, lag: 0, records }], {
    epoch: 1n,
    partitions: 1,
  })
  expect([dead.map(({ refusal }) => refusal), misplaced.length, good.length]).toEqual([[], 0, events.length])
  await createInsert(clickhouse, 'dossier_events')(good, {
    topic: 't',
    writerOf: () => 'test',
    batch: `b${id}`,
    count_epoch: 0n,
    ingested_at_ms: NOW,
  })
  const rows = await rowsOf<Record<string, unknown>>(
    clickhouse,
    `SELECT ${COLUMNS.join(', ')}, toString(says) AS says, toString(offset) AS at, partition, topic_epoch FROM dossier_events ORDER BY offset`,
  )
  expect(rows).toHaveLength(events.length)
  for (const [nth, { at, partition, topic_epoch, ...row }] of rows.entries()) {
    expect([at, partition, topic_epoch]).toEqual([String(nth), 0, 7])
    expect(row).toEqual(stored(events[nth] as DossierEvent))
  }
})
