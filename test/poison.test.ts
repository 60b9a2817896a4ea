/**
 * Nothing that a producer can write into the topic stops or falsifies ingest: each record that once did, thousands of mutated
 * ones, and a good record behind each. No process is started again, every record is in the log or a dead letter with its
 * bytes, the audit is clean, and the memory is back to its level.
 *
 * POISON_RECORDS and POISON_SEED: how many mutated records, and from which seed.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { zstdCompressSync } from 'node:zlib'
import type { ClickHouseClient } from '@clickhouse/client'
import kafkajs, { type IHeaders, type Kafka, type Message, type Producer } from 'kafkajs'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createClickHouse, rowsOf } from '../common/clickhouse.ts'
import { type HeaderPairs, headersFromPairs } from '../common/headers.ts'
import { createKafka, createProducer, withAdmin } from '../common/kafka.ts'
import { partitionOf } from '../common/partition.ts'
import { caughtUp, TOPIC, topicEnds, untilNow } from '../common/progress.ts'
import { sendAll } from '../common/send.ts'
import { setTopicSettings } from '../common/topics.ts'
import { encodeRecord } from '../common/write-records.ts'
import { audit } from '../pipelines/audit/audit.ts'
import { AUDIT_SETTINGS } from '../pipelines/audit/ledger.ts'
import { linesOf } from '../pipelines/audit/report.ts'
import { directoryRegistry } from '../schemas/registry.ts'
import { accountFor, recordsOf } from './accounting.ts'
import { avroOf, eventJson, eventOf, eventually, messageOf } from './events.ts'
import { mutatedRecords } from './mutations.ts'
import { startOwnStack } from './own-stack.ts'

const RECORDS = Number(process.env.POISON_RECORDS ?? 5_000)
const SEED = process.env.POISON_SEED ?? String(Math.floor(Math.random() * 2 ** 31))

/** The long form. */
const LONG = RECORDS > 5_000
const SMALL = LONG ? 240_000 : 80_000
const WIDE = LONG ? 20 : 3
const OVERFULL = LONG ? 120 : 12

const closing: (() => Promise<unknown>)[] = []
let kafka: Kafka
let clickhouse: ClickHouseClient
let producer: Producer
let ingest: string
const log = pino({ level: 'silent' })

beforeAll(async () => {
  const stack = await startOwnStack({ names: ['ingest'] })
  closing.push(stack.close)
  ingest = stack.services.urls.ingest
  kafka = createKafka(stack.config, 'motcua-poison-test', log)
  clickhouse = createClickHouse(stack.config, 'default', { settings: AUDIT_SETTINGS })
  producer = createProducer(kafka)
  await producer.connect()
  closing.push(
    () => clickhouse.close(),
    () => producer.disconnect(),
  )
}, 120_000)
afterAll(async () => {
  for (const step of closing.reverse()) await step()
})

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${ingest}/metrics`)).text()
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1])
}
const startedAt = () => metric('process_start_time_seconds')

/** Twice: what is sent home at first comes to the end of the topic. */
async function settled(limit_ms = 60_000): Promise<void> {
  for (let turn = 0; turn < 2; turn++)
    if (!(await caughtUp({ clickhouse }, await untilNow({ kafka }), limit_ms)))
      throw new Error(`ingest did not come to the end within ${limit_ms} ms`)
}

async function expectClean(): Promise<void> {
  const report = await audit({ kafka, clickhouse, registry: directoryRegistry() })
  expect(report.clean, linesOf(report, 20).join('\n')).toBe(true)
}

const good = () => messageOf(eventOf(eventJson({ dossier_id: `H44.12.17-250804-${randomUUID()}` })))
const received = async () =>
  (
    await rowsOf<{ n: number }>(
      clickhouse,
      "SELECT sum(received) AS n FROM rates(from='2025-08-01', to='2025-08-31', tier='country')",
    )
  )[0]?.n ?? 0

/** A valid body of 100 bytes and more, and where its last parts begin. */
const body = avroOf(eventOf(eventJson({ dossier_id: 'H44.12.17-250804-1', supplement_requests: 3 })))
const withTail = (bytes: Buffer) => Buffer.concat([body.subarray(0, body.length - 1), bytes])
const varint = (value: bigint): Buffer => {
  const out: number[] = []
  let raw = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
  for (; raw > 0x7fn; raw >>= 7n) out.push(Number(raw & 0x7fn) | 0x80)
  return Buffer.from([...out, Number(raw)])
}
/** The bytes of a field replaced: `3` of supplement_requests stands as 0x06 before five nulls and an empty array. */
const supplementRequests = (value: bigint) =>
  Buffer.concat([body.subarray(0, body.length - 7), varint(value), body.subarray(body.length - 6)])
const longTime = (() => {
  const event = eventOf(eventJson({ dossier_id: 'H44.12.17-250804-\ufffd' }))
  const bytes = avroOf(event)
  const time = varint(BigInt(event.occurred_at))
  const at = bytes.indexOf(time)
  return Buffer.concat([bytes.subarray(0, at), varint(2n ** 60n), bytes.subarray(at + time.length)])
})()

const home = partitionOf(Buffer.from('H44.12.17-250804-1'), 8)
const key = 'H44.12.17-250804-1'
const big = (bytes: number): Message => ({ key: 'big', value: Buffer.alloc(bytes, 1) })

const CASES: [string, Message[]][] = [
  ['a: an array count of 2^32-1', [{ key, value: withTail(varint(2n ** 32n - 1n)) }]],
  [
    'b: a long of 500,000 bytes of FF',
    [{ key, value: Buffer.concat([body.subarray(0, 62), Buffer.alloc(500_000, 0xff)]) }],
  ],
  ['c: supplement_requests of 2^31', [{ key, value: supplementRequests(2n ** 31n) }]],
  ['d: U+FFFD beside a time beyond 2^53', [{ key: 'H44.12.17-250804-\ufffd', value: longTime }]],
  [
    'e: a refused record with headers of a dead letter',
    [
      {
        key,
        value: Buffer.from('no Avro'),
        headers: {
          '__connect.errors.offset': 'xyz',
          '__connect.errors.partition': '-5e9',
          'motcua.attempt': 'many',
          'motcua.first_failed_at': 'never',
        },
      },
    ],
  ],
  [
    'f: a misplaced good record with a null header',
    [
      {
        key,
        partition: (home + 1) % 8,
        value: avroOf(eventOf(eventJson({ dossier_id: key }))),
        headers: headersFromPairs([
          ['note', null],
          ['note', Buffer.from('x')],
          ['__proto__', Buffer.from('1')],
        ]),
      },
    ],
  ],
  ['h: twelve refused records of 1 MB', Array.from({ length: 12 }, () => big(1_000_000))],
  [
    'a refused record of 300,000 headers',
    [
      {
        key,
        value: Buffer.from('x'),
        headers: headersFromPairs(Array.from({ length: 300_000 }, (_, n) => [`h${n % 10}`, null] as const)),
      },
    ],
  ],
  [
    'a million empty names in cleared',
    [{ key, value: Buffer.concat([body.subarray(0, body.length - 1), varint(1_000_000n), Buffer.alloc(1_000_001)]) }],
  ],
  [
    'tombstones, with a key and without',
    [
      { key, value: null },
      { key: null, value: null, partition: 2 },
    ],
  ],
]

test.each(CASES)(
  '%s: a dead letter or home, and the good record behind it counts',
  async (_, messages) => {
    const [before, began] = [await received(), await startedAt()]
    const from = await topicEnds(kafka)
    // In the partition of the good record, before it.
    const behind = good()
    const partition = partitionOf(Buffer.from(String(behind.key)), 8)
    const misplaced = messages.some(message => message.partition !== undefined)
    await sendAll(producer, TOPIC, misplaced ? messages : messages.map(message => ({ ...message, partition })))
    await sendAll(producer, TOPIC, [behind])
    await settled()
    const account = await accountFor(kafka, clickhouse, from)
    expect(account.wrong).toEqual([])
    expect(account.dead + account.rehomed).toBe(messages.length)
    expect(await received()).toBe(before + 1 + account.rehomed)
    expect(await startedAt()).toBe(began)
  },
  120_000,
)

test('h: a refused record of 8.3 MB in a topic that takes it', async () => {
  const began = await startedAt()
  await setTopicSettings(kafka, TOPIC, { 'max.message.bytes': '9000000' })
  const from = await topicEnds(kafka)
  const noise = Buffer.from(Array.from({ length: 8_300_000 }, (_, n) => (n * 2_654_435_761) >>> 24))
  await sendAll(producer, TOPIC, [{ key: 'large', value: noise }, good()])
  await settled()
  const account = await accountFor(kafka, clickhouse, from)
  expect(account).toMatchObject({ wrong: [], dead: 1, in_log: 1 })
  expect(await startedAt()).toBe(began)
}, 120_000)

test('a refused record of 20 MB that only its own codec packs small', async () => {
  const began = await startedAt()
  const from = await topicEnds(kafka)
  const noise = Buffer.from(Array.from({ length: 100_000 }, (_, n) => Math.imul(n, 2_654_435_761) >>> 21))
  const value = Buffer.concat(Array.from({ length: 200 }, () => noise))
  await producer.send({
    topic: TOPIC,
    acks: -1,
    compression: kafkajs.CompressionTypes.ZSTD,
    messages: [{ key: 'wide', value, partition: 5 }],
  })
  await sendAll(producer, TOPIC, [{ ...good(), partition: 5 }])
  await settled()
  expect((await accountFor(kafka, clickhouse, from)).wrong).toEqual([])
  expect(await startedAt()).toBe(began)
}, 120_000)

const repeated = (name: string, times: number) => {
  const names = Buffer.alloc(times * (name.length + 1), Buffer.concat([varint(BigInt(name.length)), Buffer.from(name)]))
  return Buffer.concat([body.subarray(0, body.length - 1), varint(BigInt(times)), names, Buffer.alloc(1)])
}

/** Small as they are sent, and in every partition at once. */
test.each<[string, Message]>([
  ['a key of 40 MB', { key: Buffer.alloc(40_000_000, 1), value: null }],
  ['five million times the same name in cleared', { key, value: repeated('due_at', 5_000_000) }],
])(
  '%s, which its codec packs small: a dead letter and its copy, and the good record behind it counts',
  async (_, message) => {
    const [began, before] = [await startedAt(), await received()]
    const from = await topicEnds(kafka)
    for (const partition of [0, 3, 6])
      await producer.send({
        topic: TOPIC,
        acks: -1,
        compression: kafkajs.CompressionTypes.ZSTD,
        messages: [{ ...message, partition }],
      })
    await sendAll(producer, TOPIC, Array.from({ length: 8 }, good))
    await settled()
    expect(await received()).toBe(before + 8)
    const places = [0, 3, 6].map(partition => `(${partition}, ${from.get(partition)?.high})`)
    await eventually(
      () =>
        rowsOf<{ n: number }>(
          clickhouse,
          `SELECT count() AS n FROM dead_letters FINAL WHERE (partition, offset) IN (${places})`,
        ),
      rows => rows[0]?.n === 3,
    )
    expect(await startedAt()).toBe(began)
  },
  120_000,
)

test(`a producer that writes nothing but refused records: ${SMALL} small ones`, async () => {
  const began = await startedAt()
  const from = await topicEnds(kafka)
  for (let at = 0; at < SMALL; at += 2_500)
    await producer.send({
      topic: TOPIC,
      acks: -1,
      compression: kafkajs.CompressionTypes.ZSTD,
      messages: Array.from({ length: 2_500 }, (_, n) => ({ key: `${at + n}`, value: `refused ${at + n}` })),
    })
  await sendAll(producer, TOPIC, [good()])
  await settled(240_000)
  expect(await accountFor(kafka, clickhouse, from)).toMatchObject({ wrong: [], dead: SMALL, in_log: 1 })
  expect(await startedAt()).toBe(began)
}, 400_000)

test('records of two million headers in every partition at once', async () => {
  const [began, before] = [await startedAt(), await received()]
  const from = await topicEnds(kafka)
  const headers: HeaderPairs = {
    length: 2_000_000,
    *[Symbol.iterator]() {
      for (let nth = 0; nth < this.length; nth++) yield ['', null] as const
    },
  }
  const messages = Array.from({ length: 8 }, (_, partition): Message[] => {
    const { key, value } = good()
    const refused = { key, value: Buffer.from(`refused ${partition}`) }
    return [refused, { key, value, partition: partitionOf(Buffer.from(String(key)), 8) }, { key, value, partition }]
  }).flat()
  for (const message of messages) {
    const one = { partition: 0, ...message, headers: headers as object as IHeaders }
    await producer.send({ topic: TOPIC, acks: -1, compression: kafkajs.CompressionTypes.ZSTD, messages: [one] })
  }
  await settled()
  const account = await accountFor(kafka, clickhouse, from)
  expect(account).toMatchObject({ wrong: [], rehomed: 0, reasons: { unknown_magic: 8 } })
  expect(account.in_log + (account.reasons.misplaced ?? 0)).toBe(16)
  expect(await received()).toBe(before + 8)
  expect(await startedAt()).toBe(began)
}, 240_000)

/** Sends what a codec might have made of a record. */
async function sendPacked(bytes: Buffer, partition: number): Promise<void> {
  const { CompressionCodecs, CompressionTypes } = kafkajs
  const ours = CompressionCodecs[CompressionTypes.ZSTD] as () => { compress: () => Promise<Buffer> }
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({ ...ours(), compress: async () => bytes }) as never
  try {
    const messages = [{ key: 'packed', value: 'packed', partition }]
    await producer.send({ topic: TOPIC, acks: -1, compression: CompressionTypes.ZSTD, messages })
  } finally {
    CompressionCodecs[CompressionTypes.ZSTD] = ours as never
  }
}

test('batches that unpack to more than memory has room for, and one of 100,000 frames: dead letters with their bytes', async () => {
  const [began, before] = [await startedAt(), await received()]
  const from = await topicEnds(kafka)
  const zeros = encodeRecord({ value: Buffer.alloc(270_000_000) }).buffer
  const packed = zstdCompressSync(zeros)
  for (let nth = 0; nth < OVERFULL; nth++) await sendPacked(packed, 4)
  // The broker reads the first frame, and the record in it.
  const frames = Array.from({ length: 100_000 }, () => zstdCompressSync(''))
  const record = zstdCompressSync(encodeRecord({ key: 'frames', value: 'frames' }).buffer)
  await sendPacked(Buffer.concat([record, ...frames]), 3)
  await sendAll(producer, TOPIC, Array.from({ length: 16 }, good))
  await settled()
  const account = await accountFor(kafka, clickhouse, from)
  expect(account).toMatchObject({ wrong: [], reasons: { undecodable: OVERFULL + 1 } })
  expect(await received()).toBe(before + 16)
  expect(await startedAt()).toBe(began)
}, 240_000)

test('junk in the topics of which people get copies stops nothing, and every dead letter has its copy', async () => {
  const began = await startedAt()
  const junk = headersFromPairs([
    ['__connect.errors.topic', Buffer.from('x')],
    ['__connect.errors.offset', Buffer.from('99999999999999999999')],
    ['__connect.errors.partition', Buffer.from([0xff, 0xfe])],
    ['motcua.first_failed_at', Buffer.from('9999-99-99')],
    ['motcua.schema_id', Buffer.from('-1')],
    ['motcua.attempt', null],
  ])
  for (const topic of [`${TOPIC}.dlq`, 'dossier-alerts'])
    await sendAll(producer, topic, [
      { key: 'junk', value: null, headers: junk },
      { key: 'junk', value: Buffer.from([0, 0, 0, 0, 3, 0xff, 0xff]), headers: junk },
    ])
  await sendAll(producer, TOPIC, [{ key: 'behind', value: Buffer.from('refused') }])
  await settled()
  const letters = (await recordsOf(kafka, `${TOPIC}.dlq`)).length
  const copies = () => rowsOf<{ n: number }>(clickhouse, 'SELECT count() AS n FROM dead_letters FINAL')
  await eventually(copies, rows => rows[0]?.n === letters)
  expect(await startedAt()).toBe(began)
}, 60_000)

test('keys are bytes: one that ends in bytes which are no UTF-8 is refused, and never counted for another dossier', async () => {
  const from = await topicEnds(kafka)
  const before = await received()
  const messages = Array.from({ length: 3_000 }, (_, n): Message => {
    const dossier_id = `K-250804-${randomUUID()}-${n}-\ufffd`
    const bytes = Buffer.concat([
      Buffer.from(dossier_id.slice(0, -1)),
      Buffer.from([[0xff], [0xc3], [0xe2, 0x82], [0xed, 0xa0, 0x80]][n % 4] as number[]),
    ])
    return { key: n % 5 === 0 ? dossier_id : bytes, value: avroOf(eventOf(eventJson({ dossier_id }))) }
  })
  await sendAll(producer, TOPIC, messages)
  await settled()
  const account = await accountFor(kafka, clickhouse, from)
  expect(account).toMatchObject({ wrong: [], in_log: 600, reasons: { key_mismatch: 2_400 } })
  expect(await received()).toBe(before + 600)
}, 120_000)

test(`${RECORDS} mutated records, seed ${SEED}`, async () => {
  const [began, before] = [await startedAt(), await metric('nodejs_heap_size_used_bytes')]
  const from = await topicEnds(kafka)
  for (const messages of mutatedRecords(SEED, RECORDS)) await sendAll(producer, TOPIC, messages)
  await settled(300_000)
  const account = await accountFor(kafka, clickhouse, from)
  console.log(`seed ${SEED}: ${JSON.stringify({ ...account, wrong: account.wrong.length })}`)
  expect(account.wrong.slice(0, 20)).toEqual([])
  expect(account.in_log).toBeGreaterThan(RECORDS / 20)
  expect(account.dead).toBeGreaterThan(RECORDS / 5)
  expect(await startedAt()).toBe(began)
  await expectClean()
  // Garbage is collected when there is need for it: the floor of some seconds is what is really held.
  let floor = Number.POSITIVE_INFINITY
  for (let turn = 0; turn < 40 && floor > before + 48e6; turn++) {
    floor = Math.min(floor, await metric('nodejs_heap_size_used_bytes'))
    await sendAll(producer, TOPIC, [good()])
    await sleep(250)
  }
  expect(floor).toBeLessThan(before + 48e6)
}, 900_000)

test(`${WIDE} batches that unpack to 250 MB each, good records between them`, async () => {
  await settled()
  const [began, before] = [await startedAt(), await received()]
  const zeros: Message = { key: 'zeros', value: Buffer.alloc(250_000_000), partition: 3 }
  for (let nth = 0; nth < WIDE; nth++) {
    await producer.send({ topic: TOPIC, acks: -1, compression: kafkajs.CompressionTypes.ZSTD, messages: [zeros] })
    await sendAll(producer, TOPIC, [good()])
  }
  await settled(240_000)
  expect(await received()).toBe(before + WIDE)
  expect(await startedAt()).toBe(began)
  const copies = await eventually(
    () =>
      rowsOf<{ value_bytes: string }>(clickhouse, 'SELECT value_bytes FROM dead_letters FINAL WHERE value_bytes > 2e8'),
    rows => rows.length === WIDE,
  )
  expect(new Set(copies.map(({ value_bytes }) => Number(value_bytes)))).toEqual(new Set([250_000_000]))
  await expectClean()
}, 400_000)

/** Last: the letters that were in it are gone, and an audit says so. */
test('the dead-letter topic is made again where somebody deleted it', async () => {
  await withAdmin(kafka, admin => admin.deleteTopics({ topics: [`${TOPIC}.dlq`] }))
  // What a broker still takes into a topic that is going is gone with it.
  await eventually(
    () => withAdmin(kafka, admin => admin.listTopics()),
    topics => !topics.includes(`${TOPIC}.dlq`),
  )
  await sleep(1_000)
  const from = await topicEnds(kafka)
  // The producer of these tests has written into that topic, and asks for it with every metadata.
  const other = createProducer(kafka)
  await other.connect()
  closing.push(() => other.disconnect())
  const { key, value } = good()
  const stray = { key, value, partition: (partitionOf(Buffer.from(String(key)), 8) + 1) % 8 }
  await sendAll(other, TOPIC, [
    stray,
    { key: 'gone', value: Buffer.from('refused') },
    ...Array.from({ length: 8 }, good),
  ])
  await settled()
  expect(await accountFor(kafka, clickhouse, from)).toMatchObject({ wrong: [], in_log: 9, dead: 1, rehomed: 1 })
}, 120_000)
