/**
 * Bytes are passed on: whatever schema a producer wrote with, what ClickHouse stores is what avsc reads, field by field. Through
 * the steps of ingest, without a broker.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { createClickHouse, rowsOf } from '../common/clickhouse.ts'
import { partitionOf } from '../common/partition.ts'
import { recordsOf } from '../common/records-for-tests.ts'
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
  TIME_MAX_MS,
  TIME_MIN_MS,
} from '../schemas/dossier-event/fields.ts'
import { saysOf } from '../schemas/dossier-event/says.ts'
import { newestSchema, newestType, type SchemaRegistry } from '../schemas/registry.ts'
import { frame } from '../schemas/wire.ts'
import { createClassify } from '../services/ingest/classify.ts'
import { createInsert } from '../services/ingest/insert.ts'
import { clickhouseConfig } from './events.ts'
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

const [INT, BARE] = ['an int for a long', 'a branch without its union']
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
  [INT, withFields(field('revision', 'int')), false],
  [BARE, withFields(field('processing_unit', 'string')), false],
  ['other fields first', withFields(fields => [...fields.slice(6), ...fields.slice(0, 6)]), false],
]
const registry: SchemaRegistry = {
  answerFor: async id => ({ type: (WRITERS[id] as (typeof WRITERS)[number])[1] }),
  byId: async id => WRITERS[id]?.[1],
  newest: async () => ({ id: 0, type: newestType('dossier-event') }),
}
const writerOf = (id: number) => WRITERS[id] as (typeof WRITERS)[number]
const decoder = createDecoder(registry, code => code !== '')

const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null })
const text = fc.oneof(
  fc.constantFrom('a', '1.012766', 'Sở Tư pháp', '𝒳', '𝒳'.repeat(32), 'ấ'.repeat(32), 'x'.repeat(32), "it's", 'a\\b'),
  fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 20 }).map(some => `x${some}x`),
)
const time = fc.oneof(fc.integer({ min: NOW, max: NOW + 300 * DAY }), fc.constantFrom(NOW, TIME_MAX_MS - 1))
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
    received_at: orNull(fc.constantFrom(NOW, TIME_MIN_MS, NOW - DAY)),
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
function asWritten(one: DossierEvent, id: number): DossierEvent {
  const [name, writer] = writerOf(id)
  const names = new Set((writer as unknown as { fields: { name: string }[] }).fields.map(field => field.name))
  const left = { ...one } as DossierEvent
  if (!names.has('cleared')) left.cleared = []
  for (const field of NULLABLE_FIELDS) if (!names.has(field)) left[field] = null as never
  if (name === INT) left.revision %= 2n ** 31n
  if (name === BARE) {
    left.processing_unit ??= '08746'
    left.cleared = left.cleared.filter(field => field !== 'processing_unit')
  }
  return left
}

/** The value of a record. The smaller number is written as a number, not as a bigint. */
function writtenAs(one: DossierEvent, id: number): Buffer {
  const [name, writer] = writerOf(id)
  return frame(id, writer, name === INT ? { ...one, revision: Number(one.revision) } : { note: 'x', ...one })
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

const SEED = Number(process.env.PASSED_ON_SEED ?? Math.floor(Math.random() * 2 ** 31))
let samples = 0
const some = (count: number) => fc.sample(event, { numRuns: count, seed: SEED + samples++ })

/** A place in the log, and what has to stand there. */
type Expected = Map<string, { event: DossierEvent; timestamp_ms: number; batch: string; batch_rows: number }>
const FACTS = { topic: 't', writerOf: (partition: number) => `w${partition}`, count_epoch: 5n, ingested_at_ms: NOW + 1 }

async function expectStored(expected: Expected): Promise<void> {
  const rows = await rowsOf<Record<string, unknown>>(
    clickhouse,
    `SELECT ${COLUMNS.join(', ')}, toString(says) AS says, toString(offset) AS at, partition, topic_epoch, topic, writer, batch, batch_rows,
       toString(count_epoch) AS epoch, toUnixTimestamp64Milli(log_append_time) AS appended, toUnixTimestamp64Milli(ingested_at) AS ingested
     FROM dossier_events ORDER BY partition, offset`,
  )
  expect(rows).toHaveLength(expected.size)
  for (const {
    at,
    partition,
    topic_epoch,
    topic,
    writer,
    batch,
    batch_rows,
    epoch,
    appended,
    ingested,
    ...row
  } of rows) {
    const place = `${partition}/${at}`
    const one = expected.get(place)
    if (one === undefined) throw new Error(`nobody sent ${place}`)
    expect([topic_epoch, topic, writer, batch, batch_rows, epoch, appended, ingested], place).toEqual([
      7 + Number(partition),
      't',
      `w${partition}`,
      one.batch,
      one.batch_rows,
      '5',
      one.timestamp_ms,
      NOW + 1,
    ])
    expect(row, place).toEqual(stored(one.event))
  }
}

test.each(WRITERS.map(([name, , passed], id) => [name, id, passed] as const))(
  `%s, seed ${SEED}`,
  async (_, id, passed_on) => {
    await empty()
    const events = some(3_000).map(one => asWritten(one, id))
    const records = recordsOf(
      events.map((one, at) => ({
        offset: BigInt(at),
        timestamp_ms: NOW,
        key: Buffer.from(one.dossier_id),
        value: writtenAs(one, id),
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
    const batch = `b${id}`
    await createInsert(clickhouse, 'dossier_events')(good, { ...FACTS, batch })
    await expectStored(
      new Map(
        events.map((one, at) => [`0/${at}`, { event: one, timestamp_ms: NOW, batch, batch_rows: events.length }]),
      ),
    )
  },
)

test(`all writers in one batch, two batches at once in memory that is used again, also after some that failed; seed ${SEED}`, async () => {
  await empty()
  const hasty = createClickHouse(clickhouseConfig(), 'default', { database: 'test_passed_on', request_ms_max: 60 })
  let client = clickhouse
  // Which client an insert takes is decided when it begins.
  const either = { exec: (asked: Parameters<typeof clickhouse.exec>[0]) => client.exec(asked) } as typeof clickhouse
  const insert = createInsert(either, 'dossier_events')
  const { classify, release } = createClassify({
    decoder,
    epochOf: partition => 7 + partition,
    parked: () => undefined,
  })
  const expected: Expected = new Map()
  const next = [0, 0, 0, 0]
  let failed = 0

  async function send(partitions: readonly number[], rows: number, nth: number, in_time: boolean): Promise<void> {
    const batch = `all-${nth}`
    const chunks = partitions.map(partition => {
      const own = some(rows)
        .filter(({ dossier_id }) => partitionOf(Buffer.from(dossier_id), next.length) === partition)
        .map((one, at) => [asWritten(one, at % WRITERS.length), at % WRITERS.length] as const)
      const records = recordsOf(
        own.map(([one, id], at) => ({
          offset: BigInt((next[partition] as number) + at),
          timestamp_ms: NOW + nth,
          key: Buffer.from(one.dossier_id),
          value: writtenAs(one, id),
        })),
      )
      return { own, chunk: { topic: 't', partition, lag: 0, records } }
    })
    for (const { chunk } of chunks) await decoder.prepare(chunk.records)
    const classified = await classify(
      chunks.map(({ chunk }) => chunk),
      { epoch: 5n, partitions: next.length },
    )
    expect([classified.dead.map(({ refusal }) => refusal), classified.misplaced]).toEqual([[], []])
    const batch_rows = classified.good.length
    for (const { own, chunk } of chunks) {
      const first = next[chunk.partition] as number
      for (const [at, [one]] of own.entries())
        expected.set(`${chunk.partition}/${first + at}`, { event: one, timestamp_ms: NOW + nth, batch, batch_rows })
      next[chunk.partition] = first + own.length
    }
    client = in_time ? clickhouse : hasty
    const inserted = insert(classified.good, { ...FACTS, batch })
    client = clickhouse
    // An insert whose client has given up may be written or not; in the end it is, with another batch.
    const wasWritten = await inserted.then(
      () => true,
      () => false,
    )
    if (!wasWritten) {
      failed++
      while ((await running(batch)) > 0) await sleep(50)
      await clickhouse.command({ query: `DELETE FROM dossier_events WHERE batch = '${batch}'` })
      await insert(classified.good, { ...FACTS, batch })
    }
    release(classified)
  }
  const running = async (batch: string) =>
    (
      await rowsOf<{ n: number }>(
        clickhouse,
        `SELECT count() AS n FROM system.processes WHERE query_kind = 'Insert' AND current_database = 'test_passed_on' AND '${batch}' != ''`,
      )
    )[0]?.n ?? 0

  for (let round = 0; round < 8; round++)
    await Promise.all([
      send([0, 1], 400 + 300 * round, 2 * round, round % 3 !== 1),
      send([2, 3], 2_800 - 300 * round, 2 * round + 1, round % 4 !== 2),
    ])
  await hasty.close()
  expect(failed).toBeGreaterThan(0)
  expect(expected.size).toBeGreaterThan(8_000)
  await expectStored(expected)
})
