/**
 * A topic that is deleted and made again begins another life: what is in it counts, its refused records have their letters,
 * though their offsets were there before; whether ingest runs meanwhile, is down, or looks only when the topic has grown beyond
 * where it was. Records deleted from the front are no new life. A topic that others made with the producers' clock
 * (CreateTime) is put right at the start, and no record is judged by that clock.
 */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Message } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { rowsOf } from '../common/clickhouse.ts'
import { headerOf } from '../common/headers.ts'
import { ensureTopics } from '../common/kafka.ts'
import { partitionOf } from '../common/partition.ts'
import { progressOf, TOPIC } from '../common/progress.ts'
import { topicSettings } from '../common/topics.ts'
import { recordsOf } from './accounting.ts'
import { type Member, type Stack, startStack, temporaryHome } from './chaos/stack.ts'
import { avroOf, eventJson, eventOf, eventually } from './events.ts'

const DLQ = `${TOPIC}.dlq`
const COORDINATES = ['__connect.errors.partition', '__connect.errors.offset', 'motcua.topic_epoch']
const PARTITIONS = 8
/** In these refused records lie at the first offsets. */
const REFUSING = [6, 7]
const AGAIN = /made again or cut off at its end/

let stack: Stack
let member: Member
const closing: (() => Promise<unknown>)[] = []
/** Every dossier that must count by now. */
const counting = new Set<string>()
/** Which life of the topic this is. */
let life = 0

beforeAll(async () => {
  const { home, remove } = await temporaryHome(tmpdir())
  closing.push(remove)
  stack = await startStack(home)
  closing.push(() => stack.close())
  member = await stack.member('ingest-1')
  closing.push(() => member.stop())
}, 180_000)
afterAll(async () => {
  for (const step of closing.reverse()) await step()
})

type Sent = Message & { partition: number; value: Buffer }

function goodIn(partition: number, partitions = PARTITIONS): Sent {
  for (;;) {
    const dossier_id = `H44.12.17-250804-${randomUUID()}`
    if (partitionOf(Buffer.from(dossier_id), partitions) !== partition) continue
    counting.add(dossier_id)
    return { key: dossier_id, value: avroOf(eventOf(eventJson({ dossier_id }))), partition }
  }
}
const refusedIn = (partition: number): Sent => ({ key: 'k', value: Buffer.from(`refused ${randomUUID()}`), partition })

/** Of every partition two good records; in some, two refused ones before them. */
function twoOfEach() {
  const all = Array.from({ length: PARTITIONS }, (_, partition) => partition)
  const refused = REFUSING.flatMap(partition => [refusedIn(partition), refusedIn(partition)])
  return { refused, good: all.flatMap(partition => [goodIn(partition), goodIn(partition)]) }
}

const send = async (messages: Message[]) => {
  await stack.producer.send({ topic: TOPIC, acks: -1, messages })
}
/** One after the other: the order in a partition is the order sent. */
async function sendLife({ refused, good }: ReturnType<typeof twoOfEach>) {
  await send(refused)
  await send(good)
}

async function makeAgain() {
  await stack.admin.deleteTopics({ topics: [TOPIC] })
  await eventually(
    () => stack.admin.listTopics(),
    topics => !topics.includes(TOPIC),
  )
  await ensureTopics(stack.kafka)
  life++
}

const counted = async () =>
  new Set(
    (await rowsOf<{ id: string }>(stack.clickhouse, 'SELECT dossier_id AS id FROM dossiers WHERE counted')).map(
      ({ id }) => id,
    ),
  )
/** All that must count does, and nothing else. */
async function allCount(limit_ms = 60_000) {
  const missing = async () => {
    const there = await counted()
    return { missing: [...counting].filter(id => !there.has(id)).length, there: there.size }
  }
  await eventually(missing, ({ missing: left, there }) => left === 0 && there === counting.size, limit_ms)
}

/** The letters of refused records: each once, with its bytes, its coordinates and the life it lay in. */
async function haveLetters(refused: readonly Sent[]) {
  const lettersOf = async () => {
    const all = await recordsOf(stack.kafka, DLQ)
    return refused.map(({ value }) => all.filter(letter => letter.value?.equals(value)))
  }
  const found = await eventually(lettersOf, lists => lists.every(list => list.length > 0))
  const records = await recordsOf(stack.kafka, TOPIC)
  for (const [at, { value }] of refused.entries()) {
    // A producer may have sent it twice while the topic was made.
    const lying = records.filter(record => record.value?.equals(value))
    expect(Number(lying[0]?.offset)).toBe(at % 2)
    expect(
      found[at]?.map(({ key, headers }) => [String(key), ...COORDINATES.map(name => Number(headerOf(headers, name)))]),
    ).toEqual(lying.map(({ key, partition, offset }) => [String(key), partition, Number(offset), life]))
  }
  // And people see them.
  await eventually(
    () =>
      rowsOf<{ n: number }>(
        stack.clickhouse,
        'SELECT uniqExact(partition, offset) AS n FROM dead_letters WHERE topic_epoch = {topic_epoch:UInt32} AND offset < 2',
        { topic_epoch: life },
      ),
    ([row]) => row?.n === refused.length,
  )
}

async function lifeIsNoted() {
  const epochs = async () => [...(await progressOf(stack.clickhouse)).values()].map(progress => progress.topic_epoch)
  await eventually(epochs, all => all.length === PARTITIONS && all.every(epoch => epoch === life))
}
/** Dossiers with records of this life. */
const inLog = () =>
  rowsOf<{ n: number }>(
    stack.clickhouse,
    `SELECT uniqExact(dossier_id) AS n FROM dossier_events WHERE topic_epoch = ${life}`,
  )
const linesAgain = (from: number) => member.lines.slice(from).filter(line => AGAIN.test(line))

async function auditIsClean() {
  const env = {
    ...process.env,
    KAFKA_BROKERS: `127.0.0.1:${stack.broker.port}`,
    CLICKHOUSE_URL: `http://127.0.0.1:${stack.engine.port}`,
  }
  const audit = fileURLToPath(new URL('../pipelines/audit/main.ts', import.meta.url))
  const { code, text } = await new Promise<{ code: unknown; text: string }>(resolve =>
    execFile(process.execPath, ['--disable-warning=TimeoutNegativeWarning', audit], { env }, (error, out, errors) =>
      resolve({ code: error?.code ?? 0, text: out + errors }),
    ),
  )
  expect(code, text).toBe(0)
}

test('before: what is sent counts, and the audit is clean', async () => {
  const first = twoOfEach()
  await sendLife(first)
  await allCount()
  await haveLetters(first.refused)
  await lifeIsNoted()
  await auditIsClean()
})

test('made again under running ingest: the same offsets again, and everything counts', async () => {
  const from = member.lines.length
  await makeAgain()
  const second = twoOfEach()
  expect(second.good).toHaveLength(16)
  await sendLife(second)
  const sent_ms = Date.now()
  await allCount()
  console.log(`made again under running ingest: all counted ${Date.now() - sent_ms} ms after the last record was sent`)
  await haveLetters(second.refused)
  await lifeIsNoted()
  expect(await inLog()).toEqual([{ n: 16 }])
  // One line a partition.
  expect(
    linesAgain(from)
      .map(line => JSON.parse(line).partition)
      .sort(),
  ).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  expect(member.exits).toEqual([])
  await auditIsClean()
})

test('made again while ingest is down', async () => {
  await member.stop()
  await makeAgain()
  const third = twoOfEach()
  await sendLife(third)
  member = await stack.member('ingest-2')
  await allCount()
  await haveLetters(third.refused)
  await lifeIsNoted()
  expect(await inLog()).toEqual([{ n: 16 }])
  expect(linesAgain(0)).toHaveLength(PARTITIONS)
  await auditIsClean()
})

/** More than there was. */
const grown = () => [twoOfEach(), twoOfEach(), twoOfEach()].flatMap(({ good }) => good)

test('made again, and grown beyond the old offsets before ingest looks', async () => {
  await member.stop()
  await makeAgain()
  await send(grown())
  member = await stack.member('ingest-3')
  await allCount()
  await lifeIsNoted()
  expect(await inLog()).toEqual([{ n: 48 }])
  await auditIsClean()
})

test('the same while ingest sleeps for a moment and keeps its place', async () => {
  member.signal('SIGSTOP')
  await makeAgain()
  await send([...grown(), ...grown()])
  member.signal('SIGCONT')
  await allCount()
  await lifeIsNoted()
  await auditIsClean()
})

test('records deleted from the front are no new life', async () => {
  const from = member.lines.length
  const partitions = (await stack.admin.fetchTopicOffsets(TOPIC)).map(({ partition }) => ({ partition, offset: '5' }))
  await stack.admin.deleteTopicRecords({ topic: TOPIC, partitions })
  expect((await stack.admin.fetchTopicOffsets(TOPIC)).every(({ low }) => low === '5')).toBe(true)
  // Twice it is looked at.
  await sleep(21_000)
  await send(twoOfEach().good)
  await allCount()
  await lifeIsNoted()
  expect(linesAgain(from)).toEqual([])
  await member.stop()
  await send(twoOfEach().good)
  member = await stack.member('ingest-4')
  await allCount()
  expect(linesAgain(0)).toEqual([])
  await auditIsClean()
})

test('made by others with the producers’ clock: set right at the start, and nothing is judged by that clock', async () => {
  await member.stop()
  await stack.admin.deleteTopics({ topics: [TOPIC] })
  life++
  const overrides = { 'retention.ms': '-1', 'segment.bytes': '20971520', 'max.message.bytes': '2000000' }
  await eventually(
    () =>
      stack.admin
        .createTopics({
          waitForLeaders: false,
          topics: [
            {
              topic: TOPIC,
              numPartitions: PARTITIONS,
              configEntries: Object.entries({ ...overrides, 'message.timestamp.type': 'CreateTime' }).map(
                ([name, value]) => ({ name, value }),
              ),
            },
          ],
        })
        .catch(() => false),
    made => made,
  )
  const stamped = (): Message[] => {
    const times = [String(Math.floor(Date.now() / 1000)), String(Date.parse('2025-08-04T02:00:00Z'))]
    return twoOfEach().good.map((message, at) => ({ ...message, timestamp: times[at % 2] }))
  }
  await send(stamped())
  const stored = await recordsOf(stack.kafka, TOPIC)
  expect(stored.every(({ broker_time, timestamp_ms }) => !broker_time && timestamp_ms < Date.now() - 86_400_000)).toBe(
    true,
  )

  member = await stack.member('ingest-5')
  await allCount()
  await send(stamped())
  await allCount()
  expect((await topicSettings(stack.kafka, TOPIC)).overrides).toEqual({
    ...overrides,
    'message.timestamp.type': 'LogAppendTime',
  })
  expect(member.lines.filter(line => /"setting":"message.timestamp.type".*changed a setting/.test(line))).toHaveLength(
    1,
  )
  const letters = await rowsOf<{ reason: string }>(
    stack.clickhouse,
    `SELECT DISTINCT reason FROM dead_letters WHERE topic_epoch = ${life}`,
  )
  expect(letters).toEqual([])
  await lifeIsNoted()
  await auditIsClean()
})

test('made again with fewer partitions: everything counts within a minute', async () => {
  await stack.admin.deleteTopics({ topics: [TOPIC] })
  life++
  await eventually(
    () =>
      stack.admin
        .createTopics({ waitForLeaders: false, topics: [{ topic: TOPIC, numPartitions: 3 }] })
        .catch(() => false),
    made => made,
  )
  await send([0, 1, 2].flatMap(partition => [goodIn(partition, 3), goodIn(partition, 3)]))
  // A smaller count is believed when it was told at two looks: a broker may be behind.
  await allCount()
  await member.logged(/"partitions":3,.*partition count in force/, 1_000)
  expect(await inLog()).toEqual([{ n: 6 }])
  await auditIsClean()
})
