/**
 * What a Kafka broker takes does not stop us: batches in every codec from librdkafka, from Kafka's Java client and from our own
 * producer, each with events that count, tombstones, misplaced records with odd headers; and a record of the largest size.
 */
import { execFile, execFileSync, spawn } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import kafkajs from 'kafkajs'
import { afterAll, describe, expect, inject, test } from 'vitest'
import { rowsOf } from '../common/clickhouse.ts'
import { type HeaderPairs, headerOf, headersFromPairs } from '../common/headers.ts'
import { createProducer, withAdmin } from '../common/kafka.ts'
import { partitionOf } from '../common/partition.ts'
import { type BatchContext, type KafkaRecord, type RecordBatch, Records } from '../common/records.ts'
import { isTooLarge } from '../common/send.ts'
import { topicSettings } from '../common/topics.ts'
import { encodeRecord } from '../common/write-records.ts'
import { findJava, findMaven } from '../infra/local/java.ts'
import { haveKafkaJars, kafkaJars } from '../infra/local/kafka/jars.ts'
import { avroOf, clickhouseOfTests, eventJson, eventOf, eventually, kafkaOfTests } from './events.ts'

const run = promisify(execFile)
const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const TOPIC = 'dossier-events'
const PARTITIONS = 8
/** Of one codec, in every partition. */
const EVENTS = 250
/** What every codec is in a batch's attributes. */
const CODECS = { gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const
type CodecName = keyof typeof CODECS
const NAMES = Object.keys(CODECS) as CodecName[]
const BATCH_HEADER_BYTES = 61

/** As in both programs. */
const ODD_HEADERS: HeaderPairs = [
  ['note', null],
  ['note', Buffer.from('x')],
  ['zeta', Buffer.alloc(0)],
  ['__proto__', Buffer.from('1')],
  ['alpha', null],
]

/** What ingest adds when it sends a record home. */
const REHOMED = ['motcua.rehomed_under', Buffer.from(String(PARTITIONS))] as const

interface Sent {
  codec: CodecName
  partition: number
  key: string
  value: Buffer | null
  odd: boolean
}
type Read = KafkaRecord & { partition: number; batchContext: BatchContext }

const kafka = kafkaOfTests()
const clickhouse = clickhouseOfTests('analyst')
const producer = createProducer(kafka)
await producer.connect()
afterAll(async () => {
  await producer.disconnect()
  await clickhouse.close()
})

// --- the clients ----------------------------------------------------------------------------------------------------

/** Through a program that reads records from its input. */
function pipe(command: string, args: string[], records: Sent[]): Promise<void> {
  const child = spawn(command, [...args, inject('kafkaBrokers'), TOPIC], { stdio: ['pipe', 'inherit', 'pipe'] })
  let errors = ''
  child.stderr.on('data', chunk => {
    errors += chunk
  })
  child.stdin.end(
    records
      .map(({ codec, partition, key, value, odd }) =>
        [codec, partition, key, value?.toString('base64') ?? '-', odd ? '1' : '0'].join('\t'),
      )
      .join('\n'),
  )
  return new Promise((resolve, reject) =>
    child.on('exit', code => (code === 0 ? resolve() : reject(new Error(`${command} ended with ${code}: ${errors}`)))),
  )
}

const hasPython = (() => {
  try {
    execFileSync('python3', ['-c', 'import venv, ensurepip'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()

/** The same packages as in third-party.test.ts, so in the same place. */
async function sendByLibrdkafka(records: Sent[]): Promise<void> {
  const requirements = path('third-party/requirements.txt')
  const hash = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12)
  const venv = path(`../node_modules/.cache/motcua/python-${hash}`)
  if (!existsSync(`${venv}/ready`)) {
    await rm(venv, { recursive: true, force: true })
    await run('python3', ['-m', 'venv', venv])
    await run(`${venv}/bin/pip`, ['install', '--quiet', '--disable-pip-version-check', '-r', requirements])
    await run('touch', [`${venv}/ready`])
  }
  await pipe(`${venv}/bin/python`, [path('codecs/produce.py')], records)
}

const { java } = await findJava(process.env)
const hasJava = await (async () => {
  if (java === undefined || !((await haveKafkaJars()) || (await findMaven(process.env)) !== undefined)) return false
  return run(java.command, ['--describe-module', 'jdk.compiler']).then(
    () => true,
    () => false,
  )
})()

async function sendByJava(records: Sent[]): Promise<void> {
  if (java === undefined) throw new Error('no Java')
  const { classPath } = await kafkaJars({ java, env: process.env, log: () => undefined })
  await pipe(java.command, ['-Xmx256m', '-cp', classPath, path('codecs/Produce.java')], records)
}

async function sendByKafkajs(records: Sent[]): Promise<void> {
  const { GZIP, Snappy, LZ4, ZSTD } = kafkajs.CompressionTypes
  const types = { gzip: GZIP, snappy: Snappy, lz4: LZ4, zstd: ZSTD }
  const headers = headersFromPairs(ODD_HEADERS)
  for (const name of NAMES) {
    const messages = records
      .filter(({ codec }) => codec === name)
      .map(({ partition, key, value, odd }) => ({ partition, key, value, headers: odd ? headers : undefined }))
    await producer.send({ topic: TOPIC, acks: -1, compression: types[name], messages })
  }
}

// --- what is in the topics ------------------------------------------------------------------------------------------

/** Where a topic ends now: what follows is read from here. */
const endsOf = (topic: string) => withAdmin(kafka, admin => admin.fetchTopicOffsets(topic))

/** Reads a topic on from `starts` until `count` records have been seen that `concerns` us. */
async function readFrom(
  topic: string,
  starts: Awaited<ReturnType<typeof endsOf>>,
  concerns: (record: KafkaRecord) => boolean,
  count: number,
): Promise<Read[]> {
  const groupId = `codecs-${randomUUID()}`
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 200 })
  const read: Read[] = []
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch: { partition, messages } }) => {
      for (const batch of messages as unknown[] as RecordBatch[])
        for (const record of Records.of([batch], 0))
          if (concerns(record)) read.push({ ...record, partition, batchContext: batch.batchContext })
    },
  })
  for (const { partition, offset } of starts) consumer.seek({ topic, partition, offset })
  try {
    await eventually(
      async () => read.length,
      length => length >= count,
      60_000,
    )
  } finally {
    await consumer.disconnect()
  }
  return read
}

const homeOf = (key: string) => partitionOf(Buffer.from(key), PARTITIONS)

/** For each codec: in every partition so many events of its own, a tombstone, and an event that belongs into the next. */
function recordsOf(mark: string, received_at: string): Sent[] {
  const eventBytes = (dossier_id: string) =>
    avroOf(eventOf(eventJson({ dossier_id, received_at, occurred_at: received_at })))
  return NAMES.flatMap(codec => {
    const missing = new Map(Array.from({ length: PARTITIONS }, (_, partition) => [partition, EVENTS + 1]))
    const records: Sent[] = []
    for (let at = 0; missing.size > 0; at++) {
      const key = `${mark}-${codec}-${at}`
      const home = homeOf(key)
      const left = missing.get(home)
      if (left === undefined) continue
      if (left === 1) missing.delete(home)
      else missing.set(home, left - 1)
      const odd = left === 1
      records.push({ codec, partition: odd ? (home + 1) % PARTITIONS : home, key, value: eventBytes(key), odd })
    }
    for (let partition = 0; partition < PARTITIONS; partition++)
      records.push({ codec, partition, key: `${mark}-${codec}-tombstone-${partition}`, value: null, odd: true })
    return records
  })
}

describe.each([
  {
    client: 'librdkafka (skipped without python3 and its venv)',
    there: hasPython,
    send: sendByLibrdkafka,
    month: '2019-04',
  },
  { client: "Kafka's Java client (skipped without a JDK)", there: hasJava, send: sendByJava, month: '2019-05' },
  { client: 'our producer', there: true, send: sendByKafkajs, month: '2019-06' },
])('$client', ({ there, send, month }) => {
  test.skipIf(!there)(
    'every codec: events count, tombstones and strays with odd headers go where they belong',
    async () => {
      const mark = `C-${randomUUID().slice(0, 8)}`
      const records = recordsOf(mark, `${month}-03T09:00:00+07:00`)
      const [tombstones, strays] = [
        records.filter(one => one.value === null),
        records.filter(one => one.odd && one.value),
      ]
      const isOurs = (message: KafkaRecord) => String(message.key).startsWith(mark)
      const starts = { events: await endsOf(TOPIC), letters: await endsOf(`${TOPIC}.dlq`) }
      await send(records)

      // Every event counts, a stray too, once it is at home.
      const events = records.length - tombstones.length
      const figures = `SELECT
      (SELECT count() FROM dossiers WHERE startsWith(dossier_id, '${mark}-')) AS dossiers,
      (SELECT sum(received) FROM rates(from='${month}-01', to='${month}-30', tier='commune')) AS received`
      await eventually(
        () => rowsOf<Record<'dossiers' | 'received', number | string>>(clickhouse, figures),
        ([row]) => Number(row?.dossiers) === events && Number(row?.received) === events,
        60_000,
      )

      // Not by luck: the broker keeps the batches as they were compressed, and each stray came home.
      const read = await readFrom(TOPIC, starts.events, isOurs, records.length + strays.length)
      const byKey = Map.groupBy(read, message => String(message.key))
      for (const { key, partition, codec, odd, value } of records) {
        const [first] = (byKey.get(key) ?? []).filter(message => message.partition === partition)
        expect([key, first?.batchContext.compression]).toEqual([key, CODECS[codec]])
        if (!odd) expect(first?.batchContext.lastOffsetDelta).toBeGreaterThanOrEqual(EVENTS / 2)
        expect(first?.value).toEqual(value)
        expect([...(first?.headers ?? [])]).toEqual(odd ? ODD_HEADERS : [])
      }
      for (const { key, value } of strays) {
        const [home] = (byKey.get(key) ?? []).filter(message => message.partition === homeOf(key))
        expect(home?.value).toEqual(value)
        expect([...(home?.headers ?? [])]).toEqual([...ODD_HEADERS, REHOMED])
      }

      const letters = await readFrom(`${TOPIC}.dlq`, starts.letters, isOurs, tombstones.length)
      expect(letters.map(letter => String(letter.key)).sort()).toEqual(tombstones.map(one => one.key).sort())
      for (const { value, headers } of letters) {
        expect(value).toBeNull()
        expect(headerOf(headers, 'motcua.reason')).toBe('unknown_magic')
      }
    },
  )
})

test('a record as large as the topic takes becomes a dead letter, byte for byte; one byte more is refused', async () => {
  const { effective } = await topicSettings(kafka, TOPIC)
  const key = `L-${randomUUID()}`
  const most = Number(effective['max.message.bytes']) - BATCH_HEADER_BYTES
  const lengthOf = (bytes: number) => encodeRecord({ key, value: Buffer.alloc(bytes) }).buffer.length
  let bytes = most - 100
  while (lengthOf(bytes) < most) bytes++
  expect(lengthOf(bytes)).toBe(most)
  const send = (value: Buffer) => producer.send({ topic: TOPIC, acks: -1, messages: [{ key, value }] })

  const error = await send(Buffer.alloc(bytes + 1)).catch(error => error)
  expect(isTooLarge(error)).toBe(true)
  const starts = await endsOf(`${TOPIC}.dlq`)
  const value = Buffer.alloc(bytes, 'no Avro')
  await send(value)
  const [letter] = await readFrom(`${TOPIC}.dlq`, starts, message => String(message.key) === key, 1)
  expect(letter?.value?.equals(value)).toBe(true)
})
