/**
 * Our side of Kafka on a real broker: topics are made and put right as ingest needs them, and refused where that is for
 * somebody else to decide; sends notice a raised number of partitions, and tell the offsets they got.
 */
import { randomUUID } from 'node:crypto'
import kafkajs from 'kafkajs'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openFetcher } from '../common/fetch.ts'
import { createProducer, withAdmin } from '../common/kafka.ts'
import { isTooLarge, sendAll } from '../common/send.ts'
import { checkTopics, ensureDeadLettersFit, setTopicSettings, topicSettings } from '../common/topics.ts'
import { eventually, kafkaOfTests } from './events.ts'

const kafka = kafkaOfTests(kafkajs.logLevel.NOTHING)
const producer = createProducer(kafka)
const INPUT = 'indicator-reports'
const LETTERS = `${INPUT}.dlq`
const own = `client-${randomUUID()}`

beforeAll(async () => {
  await producer.connect()
  await withAdmin(kafka, admin =>
    admin.createTopics({
      waitForLeaders: true,
      topics: [{ topic: own, numPartitions: 2, configEntries: [{ name: 'retention.ms', value: '-1' }] }],
    }),
  )
})
afterAll(async () => {
  await producer.disconnect()
  await withAdmin(kafka, admin => admin.deleteTopics({ topics: [own] }))
})

/** A log that keeps its lines. */
function logOfTests() {
  const lines: Record<string, unknown>[] = []
  return { lines, log: pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) }) }
}
/** Effective once the broker has heard of it from the controller. */
const inEffect = (topic: string, setting: string, value: string) =>
  eventually(
    async () => (await topicSettings(kafka, topic)).effective[setting],
    is => is === value,
  )

test('a setting changes, and the others stay', async () => {
  await setTopicSettings(kafka, own, { 'max.message.bytes': '2000000' })
  await inEffect(own, 'max.message.bytes', '2000000')
  await setTopicSettings(kafka, own, { 'max.message.bytes': '1000', 'segment.ms': '86400000' })
  await inEffect(own, 'segment.ms', '86400000')
  const { overrides, effective } = await topicSettings(kafka, own)
  expect(overrides).toEqual({ 'retention.ms': '-1', 'max.message.bytes': '1000', 'segment.ms': '86400000' })
  expect(effective['cleanup.policy']).toBe('delete')
  expect(effective['message.timestamp.type']).toBe('CreateTime')
})

test('the topics of a new broker are as they must be', async () => {
  const { lines, log } = logOfTests()
  await checkTopics(kafka, log)
  expect(lines).toEqual([])
})

test('wrong settings are put right, one line each', async () => {
  await setTopicSettings(kafka, INPUT, { 'message.timestamp.type': 'CreateTime', 'max.message.bytes': '20000000' })
  await inEffect(INPUT, 'max.message.bytes', '20000000')
  const { lines, log } = logOfTests()
  await ensureDeadLettersFit(kafka, log)
  expect(lines).toMatchObject([{ topic: LETTERS, setting: 'max.message.bytes', is: '21048576' }])
  await checkTopics(kafka, log)
  expect(lines.slice(1)).toMatchObject([{ topic: INPUT, setting: 'message.timestamp.type', is: 'LogAppendTime' }])
  await checkTopics(kafka, log)
  expect(lines).toHaveLength(2)
  expect((await topicSettings(kafka, INPUT)).overrides).toMatchObject({ 'retention.ms': '-1' })
})

test('the end is told with and without what an open transaction holds back', async () => {
  const transactional = kafka.producer({ transactionalId: own, idempotent: true, maxInFlightRequests: 1 })
  await transactional.connect()
  const fetcher = openFetcher(kafka)
  try {
    const transaction = await transactional.transaction()
    await transaction.send({ topic: own, acks: -1, messages: [{ value: 'open', partition: 1 }] })
    await sendAll(producer, own, [{ value: 'behind', partition: 1 }])
    expect([(await fetcher.ends(own)).get(1)?.high, (await fetcher.appended(own)).get(1)]).toEqual([0n, 2n])
    await transaction.abort()
    await eventually(
      async () => (await fetcher.ends(own)).get(1)?.high,
      high => high === 3n,
    )
    expect((await fetcher.read(own, 1, 0n)).records.map(({ value }) => String(value))).toEqual(['behind'])
  } finally {
    await Promise.all([fetcher.close(), transactional.disconnect()])
  }
})

test('a compacted topic is refused with the command that changes it', async () => {
  await setTopicSettings(kafka, LETTERS, { 'cleanup.policy': 'compact' })
  await inEffect(LETTERS, 'cleanup.policy', 'compact')
  const { log } = logOfTests()
  await expect(checkTopics(kafka, log)).rejects.toMatchObject({
    code: 'SERVER_REFUSED',
    message: expect.stringMatching(
      /Run: kafka-configs\.sh --bootstrap-server \S+:\d+ --alter --entity-type topics --entity-name indicator-reports\.dlq --add-config cleanup\.policy=delete$/,
    ),
  })
  await setTopicSettings(kafka, LETTERS, { 'cleanup.policy': 'delete' })
  await inEffect(LETTERS, 'cleanup.policy', 'delete')
  await checkTopics(kafka, log)
})

test('all is sent in order within a limit, and the next offsets are those of the broker', async () => {
  await setTopicSettings(kafka, own, { 'max.message.bytes': '1000000' })
  await inEffect(own, 'max.message.bytes', '1000000')
  const messages = Array.from({ length: 3000 }, (_, at) => ({ partition: at % 2, value: Buffer.alloc(2000, `${at} `) }))
  const ends = await sendAll(producer, own, [...messages, { key: 'k', value: null }])
  const offsets = await withAdmin(kafka, admin => admin.fetchTopicOffsets(own))
  expect(ends).toEqual(new Map(offsets.map(({ partition, high }) => [partition, BigInt(high)])))
})

test('a message that is too large is refused, and fits when it is compressed', async () => {
  const message = { partition: 0, value: Buffer.alloc(3_000_000) }
  expect(isTooLarge(await sendAll(producer, own, [message]).catch(error => error))).toBe(true)
  const ends = await sendAll(producer, own, [message], { pack_larger: true })
  expect([...ends.keys()]).toEqual([0])
})

test('a partition that is new is found at once, one that is not there is an error', async () => {
  await withAdmin(kafka, admin => admin.createPartitions({ topicPartitions: [{ topic: own, count: 4 }] }))
  const start = performance.now()
  expect(await sendAll(producer, own, [{ partition: 3, value: 'new' }])).toEqual(new Map([[3, 1n]]))
  expect(performance.now() - start).toBeLessThan(9_000)
  await expect(sendAll(producer, own, [{ partition: 4, value: 'nowhere' }])).rejects.toMatchObject({
    code: 'UNACKNOWLEDGED',
    topic: own,
    partitions: [4],
  })
})
