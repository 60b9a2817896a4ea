/**
 * From producers to rates through real Kafka and real ClickHouse: what is delivered twice, late, out of order, corrected, into
 * the wrong partition or broken leaves the rates exact, and nothing bad blocks what is good. Figures are read from the views.
 */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { logLevel } from 'kafkajs'
import { afterAll, describe, expect, inject, test } from 'vitest'
import { rowsOf } from '../common/clickhouse.ts'
import { javaPartitioner, partitionOf } from '../common/partition.ts'
import type { DossierEventJson } from '../schemas/dossier-event/event.ts'
import {
  allIngested,
  avroOf,
  clickhouseOfTests,
  eventJson,
  eventOf,
  eventually,
  kafkaOfTests,
  messageOf,
  monthlyRates,
  producerOfTests,
  type RateRow,
  TIERS,
} from './events.ts'

const clickhouse = clickhouseOfTests('analyst')
const { urls, demoKey } = inject('stack')
const producer = await producerOfTests()
afterAll(() => producer.disconnect())

const send = (messages: { key?: Buffer | string | null; value: Buffer | null; partition?: number }[]) =>
  producer.send({ topic: 'dossier-events', acks: -1, messages: messages as never })

async function post(body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${urls.intake}/v1/dossier-events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${demoKey}`, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    body: (await response.json()) as Record<string, unknown>,
  }
}

const COUNTS = ['received', 'received_online', 'settled', 'settled_early', 'settled_on_time', 'settled_late'] as const
/** The rates once nothing is under way any more. */
async function settledRates() {
  await allIngested()
  return monthlyRates(clickhouse)
}

type Rates = Record<(typeof TIERS)[number], RateRow[]>

/** What moved between two readings: rows with the differences of their counts, rows that did not move left out. */
function moved(before: Rates, after: Rates): Rates {
  const differences = TIERS.map(tier => {
    const keyOf = (row: RateRow) => `${row.month} ${row.unit_code} ${row.unit_valid_from}`
    const old = new Map(before[tier].map(row => [keyOf(row), row]))
    const rows = after[tier].map(row => ({
      ...row,
      ...Object.fromEntries(COUNTS.map(count => [count, row[count] - (old.get(keyOf(row))?.[count] ?? 0)])),
    }))
    const gone = before[tier].filter(row => !after[tier].some(now => keyOf(now) === keyOf(row)))
    return [
      tier,
      [
        ...rows,
        ...gone.map(row => ({ ...row, ...Object.fromEntries(COUNTS.map(count => [count, -row[count]])) })),
      ].filter(row => COUNTS.some(count => row[count] !== 0)),
    ]
  })
  return Object.fromEntries(differences) as Rates
}

describe('over HTTP', () => {
  const id = (n: number) => `E2E-250620-${n}-${randomUUID().slice(0, 8)}`
  const dossiers = [id(1), id(2)]
  const events: DossierEventJson[] = [
    eventJson({
      dossier_id: dossiers[0],
      processing_unit: '08152',
      received_at: '2025-06-20T09:00:00+07:00',
      due_at: '2025-06-27T17:00:00+07:00',
    }),
    eventJson({
      dossier_id: dossiers[0],
      revision: 2,
      event_type: 'SETTLED',
      processing_unit: undefined,
      channel: undefined,
      received_at: undefined,
      settled_at: '2025-06-28T09:00:00+07:00',
    }),
    eventJson({
      dossier_id: dossiers[1],
      processing_unit: '08152',
      channel: 'COUNTER',
      received_at: '2025-06-21T09:00:00+07:00',
    }),
  ]
  const row = (unit_code: string) => ({
    month: '2025-06-01',
    unit_code,
    unit_valid_from: '1970-01-01',
    received: 2,
    received_online: 1,
    settled: 1,
    settled_early: 0,
    settled_on_time: 0,
    settled_late: 1,
  })

  test('three events for one commune move three tiers; again, and anew under other ids, they move nothing', async () => {
    const before = await settledRates()
    expect(await post(events)).toMatchObject({ status: 202, body: { accepted: 3 } })
    await allIngested()
    const after = await monthlyRates(clickhouse)
    expect(moved(before, after)).toEqual({ commune: [row('08152')], district: [row('232')], province: [row('25')] })

    expect((await post(events)).status).toBe(202)
    await allIngested()
    expect((await post(events.map(event => ({ ...event, event_id: randomUUID() })))).status).toBe(202)
    await allIngested()
    expect(moved(after, await monthlyRates(clickhouse))).toEqual({ commune: [], district: [], province: [] })
  })

  test('the good rows of a request with bad ones are accepted, the bad ones named by index, line and field', async () => {
    const good = eventJson()
    const answer = await post(
      [JSON.stringify(good), '{"half":', JSON.stringify(eventJson({ channel: 'FAX' as never }))].join('\n'),
      { 'content-type': 'application/x-ndjson' },
    )
    expect(answer.status).toBe(422)
    expect(answer.type).toContain('application/problem+json')
    expect(answer.body).toMatchObject({
      accepted: 1,
      errors: [
        { index: 1, line: 2, reason: 'wrong_type' },
        { index: 2, line: 3, field: 'channel', reason: 'not_allowed_value' },
      ],
    })
    await allIngested()
  })

  test('one object, nothing at all, no JSON, no key, too much', async () => {
    expect(await post(eventJson())).toMatchObject({ status: 202, body: { accepted: 1 } })
    expect(await post([])).toMatchObject({ status: 202, body: { accepted: 0 } })
    expect((await post('this is no JSON')).status).toBe(400)
    expect((await post(eventJson(), { authorization: 'Bearer wrong' })).status).toBe(401)
    expect((await post(`[${' '.repeat(9_000_000)}]`)).status).toBe(413)
  })
})

test("the contract's examples through Kafka, doubled and backwards", async () => {
  const examples = JSON.parse(readFileSync(new URL('data/contract-examples.json', import.meta.url), 'utf8')) as {
    events: DossierEventJson[]
    rows: Rates
  }[]
  const mark = randomUUID().slice(0, 8)
  const events = examples.flatMap(example =>
    example.events.map(event => eventOf({ ...event, dossier_id: `${event.dossier_id}-${mark}` })),
  )
  const before = await settledRates()
  const deliveries = [...events].reverse().concat(events)
  for (let at = 0; at < deliveries.length; at += 7)
    await send(deliveries.slice(at, at + 7).map(event => messageOf(event) as never))
  await allIngested()
  const difference = moved(before, await monthlyRates(clickhouse))
  for (const tier of TIERS) {
    const expected = new Map<string, number>()
    for (const row of examples.flatMap(example => example.rows[tier]))
      for (const count of COUNTS) {
        const key = `${row.month} ${row.unit_code} ${row.unit_valid_from} ${count}`
        expected.set(key, (expected.get(key) ?? 0) + row[count])
      }
    const got = new Map(
      difference[tier].flatMap(row =>
        COUNTS.map(count => [`${row.month} ${row.unit_code} ${row.unit_valid_from} ${count}`, row[count]] as const),
      ),
    )
    expect(Object.fromEntries([...got].sort())).toEqual(Object.fromEntries([...expected].sort()))
  }
})

describe('what is bad', () => {
  test('poison in the middle becomes dead letters, byte for byte, and blocks nothing', async () => {
    const mark = randomUUID()
    const good = [eventOf(eventJson()), eventOf(eventJson())]
    const partition = partitionOf(Buffer.from((good[0] as { dossier_id: string }).dossier_id), 8)
    const value = avroOf(good[0] as never)
    const poison: [Buffer | null, string, string][] = [
      [Buffer.from(`${mark} no avro`), 'unknown_magic', ''],
      [null, 'unknown_magic', ''],
      [Buffer.from([0, 0, 0, 9, 9, 1]), 'unknown_schema', ''],
      [value.subarray(0, value.length - 3), 'truncated_body', ''],
      [
        avroOf(eventOf(eventJson({ dossier_id: `U-${mark}`, processing_unit: '99999' }))),
        'unknown_unit',
        'processing_unit',
      ],
      [avroOf(eventOf(eventJson({ dossier_id: `X-${mark}`, revision: 5 }))), 'key_mismatch', 'dossier_id'],
    ]
    const keys = [`k1-${mark}`, `k2-${mark}`, `k3-${mark}`, `k4-${mark}`, `U-${mark}`, `other-${mark}`]
    await send([
      { ...messageOf(good[0] as never), partition } as never,
      ...poison.map(([bytes], at) => ({ key: keys[at], value: bytes, partition })),
      messageOf(good[1] as never) as never,
    ])
    await allIngested()
    const rows = await eventually(
      () =>
        rowsOf<{ key: string; reason: string; field: string; message: string; value_bytes: number }>(
          clickhouse,
          'SELECT key, reason, field, message, value_bytes FROM dead_letters FINAL WHERE key IN {keys:Array(String)} ORDER BY dlq_offset',
          { keys },
        ),
      letters => letters.length >= poison.length,
    )
    expect(rows.map(row => [row.key, row.reason, row.field])).toEqual(
      poison.map(([, reason, field], at) => [keys[at], reason, field]),
    )
    for (const row of rows) expect(row.message.length).toBeGreaterThan(20)

    const letters = await readTopic('dossier-events.dlq', message => keys.includes(String(message.key)), poison.length)
    for (const [at, [bytes, reason]] of poison.entries()) {
      const letter = letters.find(message => String(message.key) === keys[at])
      expect(letter?.value).toEqual(bytes)
      expect(letter?.headers).toMatchObject({
        'motcua.reason': Buffer.from(reason),
        'motcua.attempt': Buffer.from('1'),
        '__connect.errors.topic': Buffer.from('dossier-events'),
        '__connect.errors.partition': Buffer.from(String(partition)),
      })
    }
  })

  test('a good record in the wrong partition, or without a key, goes home and counts once', async () => {
    const [strayed, keyless] = [eventOf(eventJson()), eventOf(eventJson())] as const
    const home = partitionOf(Buffer.from(strayed.dossier_id), 8)
    const before = await settledRates()
    await send([
      { key: strayed.dossier_id, value: avroOf(strayed), partition: (home + 3) % 8 },
      { key: null, value: avroOf(keyless), partition: 0 },
    ])
    // Once for the strays, once for where they were sent.
    await allIngested()
    await allIngested()
    const rows = await rowsOf<{ dossier_id: string; partition: number }>(
      clickhouse,
      'SELECT dossier_id, partition FROM dossier_events WHERE dossier_id IN {ids:Array(String)}',
      { ids: [strayed.dossier_id, keyless.dossier_id] },
    )
    expect(rows).toHaveLength(2)
    for (const row of rows) expect(row.partition).toBe(partitionOf(Buffer.from(row.dossier_id), 8))
    expect(moved(before, await monthlyRates(clickhouse)).commune).toEqual([
      {
        month: '2025-08-01',
        unit_code: '08746',
        unit_valid_from: '2025-07-01',
        received: 2,
        received_online: 2,
        settled: 0,
        settled_early: 0,
        settled_on_time: 0,
        settled_late: 0,
      },
    ])
    expect(await metric('ingest', 'motcua_rehomed_total')).toBeGreaterThanOrEqual(2)
  })
})

test('transactions: what was committed counts once, what was aborted never, and nothing waits at their end', async () => {
  const transactional = kafkaOfTests(logLevel.NOTHING).producer({
    transactionalId: `test-${randomUUID()}`,
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner: javaPartitioner,
  })
  await transactional.connect()
  const [kept, aborted] = [eventOf(eventJson()), eventOf(eventJson())] as const
  const before = await settledRates()
  for (const [event, end] of [
    [kept, 'commit'],
    [aborted, 'abort'],
  ] as const) {
    const transaction = await transactional.transaction()
    await transaction.send({ topic: 'dossier-events', acks: -1, messages: [messageOf(event)] })
    await transaction[end]()
  }
  await transactional.disconnect()
  // Ends only where the offsets behind the marks of both transactions are committed.
  await allIngested(20_000)
  expect(moved(before, await monthlyRates(clickhouse)).commune).toMatchObject([{ unit_code: '08746', received: 1 }])
})

describe('the land alert', () => {
  const mark = randomUUID().slice(0, 8)
  // A province and a half-year that no other test touches.
  const land = (n: number, channel: 'ONLINE' | 'COUNTER', revision = 1) =>
    eventOf(
      eventJson({
        dossier_id: `L-${mark}-${n}`,
        revision,
        event_type: revision === 1 ? 'RECEIVED' : 'CORRECTED',
        processing_unit: '04',
        sector_code: 'LAND',
        channel,
        received_at: '2021-03-01T09:00:00+07:00',
      }),
    )
  const state = () =>
    rowsOf<{ state: string; numerator: number; denominator: number; reason: string }>(
      clickhouse,
      "SELECT state, numerator, denominator, reason FROM dossier_alerts FINAL WHERE unit_code = '04' ORDER BY changed_at",
    )

  test('29 dossiers are no evidence, 30 raise it, a better share resolves it', async () => {
    await send(Array.from({ length: 29 }, (_, n) => messageOf(land(n, n < 2 ? 'ONLINE' : 'COUNTER')) as never))
    await allIngested()
    await new Promise(resolve => setTimeout(resolve, 2_500))
    expect(await state()).toEqual([])
    await send([messageOf(land(29, 'COUNTER')) as never])
    expect(await eventually(state, rows => rows.length === 1)).toEqual([
      { state: 'FIRING', numerator: 2, denominator: 30, reason: 'low_rate' },
    ])
    await send([messageOf(land(5, 'ONLINE', 2)) as never])
    expect(await eventually(state, rows => rows.length === 2)).toMatchObject([
      { state: 'FIRING' },
      { state: 'RESOLVED', numerator: 3, denominator: 30, reason: 'recovered' },
    ])
    expect(await rowsOf(clickhouse, "SELECT 1 FROM open_alerts WHERE unit_code = '04'")).toEqual([])
  })
})

test('every service is live, ready and has metrics', async () => {
  for (const url of Object.values(urls)) {
    for (const path of ['/health/live', '/health/ready']) expect((await fetch(url + path)).status, url + path).toBe(200)
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('process_resident_memory_bytes')
  }
})

test('the audit runs on its schedule: result and age are metrics of the alerts service', async () => {
  const ended = async () => {
    const text = await (await fetch(`${urls.alerts}/metrics`)).text()
    return Number(
      /^motcua_audit_last_success_timestamp_seconds\{[^}]*kind="changed"[^}]*\} (\S+)$/m.exec(text)?.[1] ?? 0,
    )
  }
  const began = Date.now() / 1000
  await eventually(ended, seconds => seconds > began, 90_000)
  expect(await metric('alerts', 'motcua_audit_seconds')).toBeGreaterThan(0)
  const text = await (await fetch(`${urls.alerts}/metrics`)).text()
  for (const kind of ['dossier', 'sum', 'record'])
    expect(text).toMatch(new RegExp(`motcua_audit_differences\\{[^}]*kind="${kind}"`))
})

async function metric(service: keyof typeof urls, name: string): Promise<number> {
  const text = await (await fetch(`${urls[service]}/metrics`)).text()
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN)
}

interface ReadMessage {
  key: Buffer | null
  value: Buffer | null
  headers?: Record<string, unknown>
}
/** Messages of a topic from its beginning, until enough of them are wanted ones. */
async function readTopic(
  topic: string,
  wanted: (message: ReadMessage) => boolean,
  enough: number,
): Promise<ReadMessage[]> {
  const consumer = kafkaOfTests().consumer({ groupId: `test-${randomUUID()}` })
  const found: ReadMessage[] = []
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({ eachMessage: async ({ message }) => void (wanted(message) && found.push(message)) })
  try {
    await eventually(
      async () => found.length,
      count => count >= enough,
    )
  } finally {
    await consumer.disconnect()
  }
  return found
}
