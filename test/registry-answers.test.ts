/**
 * Whatever a schema registry answers, ingest goes on: an answer that is no plain Avro schema of a dossier event refuses the
 * record that names it; an id that is registered a moment after its first record is found; an id that nobody registers is
 * `unknown_schema` after half a minute, while other partitions go on; and services start where they may look up but not register.
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ClickHouseClient } from '@clickhouse/client'
import type { Kafka, Message, Producer } from 'kafkajs'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createClickHouse, rowsOf } from '../common/clickhouse.ts'
import { createKafka, createProducer } from '../common/kafka.ts'
import { caughtUp, progressOf, TOPIC, topicEnds, untilNow } from '../common/progress.ts'
import { sendAll } from '../common/send.ts'
import { schemaFile } from '../schemas/registry.ts'
import { accountFor } from './accounting.ts'
import { avroOf, eventJson, eventOf, eventually } from './events.ts'
import { startOwnStack } from './own-stack.ts'

const schema = JSON.stringify(schemaFile('dossier-event/v1.avsc'))
const OWN_ID = 1
const ANSWERS: Record<number, object | string> = {
  20: { schema, references: [{ name: 'x.Y', subject: 'y', version: 1 }] },
  21: { schema: '"string"' },
  22: { schema: '{"type":"record","name":"Other","fields":[]}' },
  23: { schema: 'syntax = "proto3";', schemaType: 'PROTOBUF' },
  24: { schema: 'not JSON' },
  25: { schema: 7 },
  26: { schema: `${'{"type":"array","items":'.repeat(200)}"int"${'}'.repeat(200)}` },
  27: {
    schema:
      '{"type":"record","name":"DossierEvent","namespace":"motcua","fields":[{"name":"self","type":"DossierEvent"}]}',
  },
}
const LATE_ID = 40
let late = false
const requests: string[] = []

/** Confluent's API as far as it is asked. It lets nobody register. */
function serve(): Server {
  return createServer((request, response) => {
    const path = request.url ?? ''
    requests.push(`${request.method} ${path}`)
    const answer = (status: number, body: object | string) => {
      response.writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json' })
      response.end(typeof body === 'string' ? body : JSON.stringify(body))
    }
    if (request.method === 'POST')
      return path.endsWith('/versions') ? answer(403, { error_code: 40301 }) : answer(200, { id: OWN_ID })
    const id = Number(/^\/schemas\/ids\/(\d+)/.exec(path)?.[1])
    if (id === OWN_ID || (id === LATE_ID && late)) return answer(200, { schema })
    const own = ANSWERS[id]
    return own === undefined ? answer(404, { error_code: 40403 }) : answer(200, own)
  })
}

const closing: (() => Promise<unknown>)[] = []
let kafka: Kafka
let clickhouse: ClickHouseClient
let producer: Producer
let urls: Record<string, string>

beforeAll(async () => {
  const registry = serve().listen(0, '127.0.0.1')
  await once(registry, 'listening')
  closing.push(async () => registry.close())
  const url = `http://127.0.0.1:${(registry.address() as AddressInfo).port}`
  const stack = await startOwnStack({ names: ['ingest', 'intake', 'alerts'], more: { SCHEMA_REGISTRY_URL: url } })
  closing.push(stack.close)
  urls = stack.services.urls
  kafka = createKafka(stack.config, 'motcua-registry-test', pino({ level: 'silent' }))
  clickhouse = createClickHouse(stack.config, 'default')
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

/** A good event under a schema id, in a partition of its choice. */
function under(id: number, partition?: number): Message & { dossier_id: string } {
  for (;;) {
    const dossier_id = `R-250804-${Math.random().toString(36).slice(2)}`
    const value = Buffer.from(avroOf(eventOf(eventJson({ dossier_id }))))
    value.writeUInt32BE(id, 1)
    if (partition === undefined || home(dossier_id) === partition) return { key: dossier_id, value, dossier_id }
  }
}
const { partitionOf } = await import('../common/partition.ts')
const home = (dossier_id: string) => partitionOf(Buffer.from(dossier_id), 8)
const counted = async (dossier_id: string) =>
  (
    await rowsOf<{ n: number }>(
      clickhouse,
      'SELECT count() AS n FROM dossiers WHERE dossier_id = {dossier_id:String}',
      {
        dossier_id,
      },
    )
  )[0]?.n === 1
const send = (...messages: Message[]) => sendAll(producer, TOPIC, messages)
const startedAt = async () =>
  /process_start_time_seconds\{[^}]*\} (\S+)/.exec(await (await fetch(`${urls.ingest}/metrics`)).text())?.[1]

test('services start where they may look up and nobody may register', () => {
  for (const subject of ['dossier-events', 'dossier-alerts'])
    expect(requests.some(line => line.startsWith(`POST /subjects/${subject}-value`))).toBe(true)
  expect(requests.filter(line => line.endsWith('/versions'))).toEqual([])
})

test('an answer that is no plain schema of a dossier event refuses its record, and nothing else', async () => {
  const began = await startedAt()
  const from = await topicEnds(kafka)
  const ids = Object.keys(ANSWERS).map(Number)
  const behind = ids.map(() => under(OWN_ID, 3))
  await send(...ids.flatMap((id, at) => [under(id, 3), behind[at] as Message]))
  // An answer that a proxy may have given is asked for again, for half a minute.
  expect(await caughtUp({ clickhouse }, await untilNow({ kafka }), 50_000)).toBe(true)
  const account = await accountFor(kafka, clickhouse, from)
  expect(account).toMatchObject({ wrong: [], in_log: ids.length, reasons: { unknown_schema: ids.length } })
  expect(await startedAt()).toBe(began)
}, 90_000)

test('an id that is registered a moment after its first record is found; other partitions go on meanwhile', async () => {
  const [waiting, other] = [under(LATE_ID, 1), under(OWN_ID, 2)]
  await send(waiting)
  await new Promise(resolve => setTimeout(resolve, 1_500))
  await send(other)
  await eventually(() => counted(other.dossier_id), Boolean, 10_000)
  expect(await counted(waiting.dossier_id)).toBe(false)
  late = true
  await eventually(() => counted(waiting.dossier_id), Boolean, 10_000)
}, 60_000)

test('an id that nobody registers is unknown_schema after half a minute; records before it are not held up', async () => {
  const from = await topicEnds(kafka)
  const [before, unknown, behind] = [under(OWN_ID, 5), under(99, 5), under(OWN_ID, 5)]
  // A producer whose ids are noise holds up its own partition only, and no longer than one unknown id does.
  const noise = Array.from({ length: 5_000 }, (_, nth): Message => {
    const value = Buffer.alloc(100)
    value.writeUInt32BE(1_000_000 + nth, 1)
    return { key: 'noise', value, partition: 6 }
  })
  const sent_ms = Date.now()
  await send(before, unknown, behind, ...noise)
  await eventually(() => counted(before.dossier_id), Boolean, 10_000)
  await eventually(() => counted(behind.dossier_id), Boolean, 45_000)
  expect(Date.now() - sent_ms).toBeGreaterThan(25_000)
  // For ten seconds such a record is refused at once.
  const again_ms = Date.now()
  const [later, last] = [under(99, 5), under(OWN_ID, 5)]
  await send(later, last)
  await eventually(() => counted(last.dossier_id), Boolean, 10_000)
  expect(Date.now() - again_ms).toBeLessThan(10_000)
  expect((await progressOf(clickhouse)).get(5)?.next_offset).toBeGreaterThan(0n)
  expect(await caughtUp({ clickhouse }, await untilNow({ kafka }), 60_000)).toBe(true)
  expect(await accountFor(kafka, clickhouse, from)).toMatchObject({ wrong: [], dead: 5_002, in_log: 3 })
}, 90_000)
