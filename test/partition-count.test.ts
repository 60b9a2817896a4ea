/**
 * The partition count may be raised under running ingest (`npm run partitions -- set N`): within a minute every member counts
 * under the new one, every event counts once and every refused record has its letter, whatever partitions producers with old
 * and new metadata choose meanwhile. No record is sent home twice under one count.
 *
 * The control is `no-count-fence` of the fault matrix: where one member keeps its old count and the ledger does not refuse its
 * batches, hundreds of rates differ, and records go from one member to the other and back without an end.
 */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Message, Producer } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { rowsOf } from '../common/clickhouse.ts'
import { headerOf } from '../common/headers.ts'
import { createProducer } from '../common/kafka.ts'
import { javaPartitioner, partitionOf } from '../common/partition.ts'
import { caughtUp, TOPIC, untilNow } from '../common/progress.ts'
import { partitionCount } from '../common/topics.ts'
import { accountFor, recordsOf } from './accounting.ts'
import { type Member, type Stack, startStack, temporaryHome } from './chaos/stack.ts'
import { createWorkload, type Delivery, nameOf } from './chaos/workload.ts'
import { avroOf, eventJson, eventOf, eventually, monthlyRates } from './events.ts'
import { ratesOf } from './oracle/oracle.ts'

const DLQ = `${TOPIC}.dlq`
const IN_FORCE_MS_MAX = 60_000
const REHOMED_UNDER = 'motcua.rehomed_under'

let stack: Stack
let members: Member[]
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  const { home, remove } = await temporaryHome(tmpdir())
  closing.push(remove)
  stack = await startStack(home)
  closing.push(() => stack.close())
  members = await Promise.all([stack.member('ingest-1'), stack.member('ingest-2')])
  closing.push(() => Promise.all(members.map(member => member.stop())))
}, 180_000)
afterAll(async () => {
  for (const step of closing.reverse()) await step()
})

/** A command of this project as a process. */
function run(script: string, ...args: string[]): Promise<{ code: number; out: string; errors: string }> {
  const env = {
    ...process.env,
    KAFKA_BROKERS: `127.0.0.1:${stack.broker.port}`,
    CLICKHOUSE_URL: `http://127.0.0.1:${stack.engine.port}`,
  }
  return new Promise(resolve =>
    execFile(
      process.execPath,
      ['--disable-warning=TimeoutNegativeWarning', fileURLToPath(new URL(`../${script}`, import.meta.url)), ...args],
      { env },
      (error, out, errors) => resolve({ code: error === null ? 0 : Number(error.code), out, errors }),
    ),
  )
}
const partitions = (...args: string[]) => run('infra/partitions.ts', ...args)
const raised = async (count: number) => {
  const { code, out, errors } = await partitions('set', String(count), '--json')
  expect(errors).toBe('')
  expect(code).toBe(0)
  return JSON.parse(out)
}

const countUnder = (count: number) =>
  Promise.all(
    members.map(member =>
      member.logged(new RegExp(`"partitions":${count},.*partition count in force`), IN_FORCE_MS_MAX),
    ),
  )

/** Twice: what is sent home at first comes to the end of the topic. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 2; turn++)
    if (!(await caughtUp(stack, await untilNow(stack), 60_000))) throw new Error('ingest does not come to the end')
}

const goodOf = (dossier_id: string) => ({ key: dossier_id, value: avroOf(eventOf(eventJson({ dossier_id }))) })
const isCounted = async (dossier_id: string) =>
  (
    await rowsOf<{ n: number }>(
      stack.clickhouse,
      'SELECT count() AS n FROM dossiers WHERE counted AND dossier_id = {dossier_id:String}',
      { dossier_id },
    )
  )[0]?.n === 1
/** A dossier whose home among so many partitions satisfies. */
function dossierAt(count: number, satisfies: (home: number) => boolean): string {
  for (;;) {
    const dossier_id = `H44.12.17-250804-${randomUUID()}`
    if (satisfies(partitionOf(Buffer.from(dossier_id), count))) return dossier_id
  }
}

async function letterOf(value: Buffer) {
  const [letter] = await eventually(
    async () => (await recordsOf(stack.kafka, DLQ)).filter(record => record.value?.equals(value)),
    found => found.length > 0,
  )
  if (letter === undefined) throw new Error('unreachable')
  const header = (name: string) => headerOf(letter.headers, name)
  return {
    dlq_partition: letter.partition,
    partition: Number(header('__connect.errors.partition')),
    reason: header('motcua.reason'),
    key: letter.key?.toString(),
  }
}

test('what cannot be is refused, with what is allowed; the count that is there is no change', async () => {
  for (const bad of ['9.5', '-9', '0', 'nine', '1001', '']) {
    const { code, errors } = await partitions('set', bad)
    expect(code).toBe(1)
    expect(errors).toContain(bad)
    expect(errors).toMatch(/whole number from 1 to 1000/)
  }
  const { code, errors } = await partitions('set', '7')
  expect(code).toBe(1)
  expect(errors).toBe(
    '7 is not allowed: dossier-events has 8 partitions, and Kafka cannot take partitions away; allowed: a whole number from 8 (as it is) to 1000\n',
  )
  await countUnder(8)
  const same = await partitions('set', '8')
  expect(same).toMatchObject({ code: 0, errors: '' })
  expect(same.out).toMatch(/^dossier-events +has 8 partitions and stays as it is$/m)
  expect(same.out).toMatch(/Ingest counts under 8 partitions/)
  expect(await partitionCount(stack.kafka, TOPIC)).toBe(8)
})

test('8 → 9 under the stream of a producer with old metadata and of one with new', { timeout: 240_000 }, async () => {
  const workload = createWorkload('partition count', { dossiers: 500, hot: 60, poison: 0.03 })
  const options = { createPartitioner: javaPartitioner, allowAutoTopicCreation: false }
  const old = stack.kafka.producer({ ...options, metadataMaxAge: 3_600_000 })
  const fresh = stack.kafka.producer({ ...options, metadataMaxAge: 300 })
  await Promise.all([old.connect(), fresh.connect()])
  closing.push(() => Promise.all([old.disconnect(), fresh.disconnect()]))
  let sent = 0
  const send = async (producer: Producer, messages: Message[]) => {
    await producer.send({ topic: TOPIC, acks: -1, messages })
    sent += messages.length
  }
  /** By turns: so events of one dossier lie in two partitions at once. */
  async function stream(deliveries: Delivery[], pause_ms: number) {
    for (let at = 0; at < deliveries.length; at += 40) {
      const messages = deliveries.slice(at, at + 40).map(({ key, value }) => ({ key, value }))
      await Promise.all([
        send(
          old,
          messages.filter((_, n) => n % 2 === 0),
        ),
        send(
          fresh,
          messages.filter((_, n) => n % 2),
        ),
      ])
      await sleep(pause_ms)
    }
  }
  const refusedIn8 = Array.from({ length: 20 }, (_, n) => ({
    key: Buffer.from(`key ${n}`),
    value: Buffer.from(`refused ${n}`),
  }))
  for (const { key, value } of refusedIn8) workload.refused.set(nameOf(key, value), 'unknown_magic')

  const [before, around, after] = workload.parts
  await stream(before, 20)
  const raising = raised(9)
  const streaming = stream(around, 250)
  const { topics, ingest, in_force_after_ms } = await raising
  expect(topics).toEqual(
    [DLQ, 'indicator-reports.dlq', TOPIC, 'indicator-reports'].map(topic => ({ topic, before: 8, after: 9 })),
  )
  expect(ingest).toBe('running')
  expect(in_force_after_ms).toBeLessThan(IN_FORCE_MS_MAX)
  const asked_ms = Date.now()
  await countUnder(9)
  const all_after_ms = in_force_after_ms + Date.now() - asked_ms
  await send(
    fresh,
    refusedIn8.map(message => ({ ...message, partition: 8 })),
  )
  await streaming
  await stream(after, 20)
  await settled()

  // Every event counts once; both members wrote under the new count.
  expect(await monthlyRates(stack.clickhouse)).toEqual(ratesOf(workload.accepted))
  const writers = await rowsOf<{ n: number }>(
    stack.clickhouse,
    "SELECT uniqExact(replaceRegexpOne(writer, '-[0-9]+$', '')) AS n FROM dossier_events WHERE bitAnd(count_epoch, 65535) = 9",
  )
  expect(writers).toEqual([{ n: 2 }])

  // Every refused record has one letter.
  const account = await accountFor(stack.kafka, stack.clickhouse)
  expect(account.wrong).toEqual([])
  const records = await recordsOf(stack.kafka, TOPIC)
  const refused = records.filter(({ key, value }) => workload.refused.has(nameOf(key, value)))
  const letters = await recordsOf(stack.kafka, DLQ)
  expect(letters).toHaveLength(refused.length)
  for (const { key, value, headers, partition } of letters) {
    expect(headerOf(headers, 'motcua.reason')).toBe(workload.refused.get(nameOf(key, value)))
    // Ingest asks for the dead-letter topic's count every ten seconds; either is a partition that is there.
    expect([8, 9].map(count => Number(headerOf(headers, '__connect.errors.partition')) % count)).toContain(partition)
  }
  expect(refused.filter(({ partition }) => partition === 8).length).toBeGreaterThanOrEqual(refusedIn8.length)

  // A record goes home once under each count, and only where it is not there.
  const good = records.filter(({ key, value }) => !workload.refused.has(nameOf(key, value)))
  const under = ({ headers }: (typeof good)[number]) => Number(headerOf(headers, REHOMED_UNDER) ?? 0)
  const copies = (count: number) =>
    Map.groupBy(
      good.filter(record => under(record) === count),
      ({ value }) => String(value),
    )
  const strays = (count: number) =>
    Map.groupBy(
      good.filter(record => under(record) < count && partitionOf(record.key as Buffer, count) !== record.partition),
      ({ value }) => String(value),
    )
  for (const count of [8, 9])
    for (const [value, some] of copies(count)) {
      expect(some.length).toBeLessThanOrEqual(strays(count).get(value)?.length ?? 0)
      for (const { key, partition } of some) expect(partition).toBe(partitionOf(key as Buffer, count))
    }
  const [under8, under9] = [8, 9].map(count => good.filter(record => under(record) === count).length) as [
    number,
    number,
  ]
  expect(under9).toBeGreaterThan(100)
  expect(records).toHaveLength(sent + under8 + under9)
  // And none goes round and round.
  await sleep(3_000)
  expect(await recordsOf(stack.kafka, TOPIC)).toHaveLength(records.length)
  console.log(
    `9 partitions in force after ${in_force_after_ms} ms, in both members after ${all_after_ms} ms; ${sent} records sent, ${records.length} in the topic: ${under8} sent home under 8, ${under9} under 9`,
  )
})

test('somebody raises the input topic alone: letters of its new partition arrive, and the command makes up for it', async () => {
  await stack.admin.createPartitions({ topicPartitions: [{ topic: TOPIC, count: 10 }] })
  await countUnder(10)
  const producer = createProducer(stack.kafka)
  await producer.connect()
  const dossier = dossierAt(10, home => home === 9)
  const value = Buffer.from(`refused ${randomUUID()}`)
  await producer.send({ topic: TOPIC, acks: -1, messages: [{ key: 'k', value, partition: 9 }, goodOf(dossier)] })
  await producer.disconnect()
  // The dead-letter topic has 9 partitions.
  expect(await letterOf(value)).toEqual({ dlq_partition: 0, partition: 9, reason: 'unknown_magic', key: 'k' })
  await eventually(
    () => isCounted(dossier),
    counted => counted,
  )
  expect((await raised(10)).topics).toContainEqual({ topic: DLQ, before: 9, after: 10 })
})

test('sent home once under this count and misplaced still: a dead letter, counted nowhere, never sent again', async () => {
  const dossier = dossierAt(10, home => home !== 3)
  const { key, value } = goodOf(dossier)
  const before = (await recordsOf(stack.kafka, TOPIC)).length
  await stack.producer.send({
    topic: TOPIC,
    acks: -1,
    messages: [{ key, value, partition: 3, headers: { [REHOMED_UNDER]: '10' } }],
  })
  expect(await letterOf(value)).toEqual({ dlq_partition: 3, partition: 3, reason: 'misplaced', key })
  await settled()
  expect(await isCounted(dossier)).toBe(false)
  expect(await recordsOf(stack.kafka, TOPIC)).toHaveLength(before + 1)
})

test('raised while no ingest runs: it counts under the new number from its start', async () => {
  await Promise.all(members.map(member => member.stop()))
  const { code, out } = await partitions('set', '11')
  expect(code).toBe(0)
  expect(out).toMatch(/^dossier-events +10 → 11 partitions$/m)
  expect(out).toMatch(/No ingest is running; it takes the 11 partitions up when it starts/)
  members = [await stack.member('ingest-3')]
  await countUnder(11)
  const dossier = dossierAt(11, home => home === 10)
  await stack.producer.send({ topic: TOPIC, acks: -1, messages: [{ ...goodOf(dossier), partition: 2 }] })
  await eventually(
    () => isCounted(dossier),
    counted => counted,
  )
})

test('the audit is clean after all of it', async () => {
  await settled()
  const { code, out, errors } = await run('pipelines/audit/main.ts')
  expect(code, out + errors).toBe(0)
})
