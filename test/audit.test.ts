/**
 * The audit finds each kind of damage, names it, and what it names can be made right: on a small stack of its own, because it
 * damages what it stands on. Every test leaves the stack clean behind it.
 */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { ClickHouseClient } from '@clickhouse/client'
import type { Kafka, Producer } from 'kafkajs'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { createClickHouse, rowsOf } from '../common/clickhouse.ts'
import { commonShape, readConfig } from '../common/config.ts'
import { createKafka, createProducer } from '../common/kafka.ts'
import { createMetrics } from '../common/metrics.ts'
import { javaPartitioner, partitionOf } from '../common/partition.ts'
import { progressOf, TOPIC, type Until, untilNow } from '../common/progress.ts'
import { type AuditDeps, type AuditReport, audit, lastClean } from '../pipelines/audit/audit.ts'
import { gapsOf } from '../pipelines/audit/gaps.ts'
import { parseLeaveOut } from '../pipelines/audit/leave-out.ts'
import { AUDIT_SETTINGS } from '../pipelines/audit/ledger.ts'
import { reingest, repair, waitForIngest } from '../pipelines/audit/repair.ts'
import { linesOf } from '../pipelines/audit/report.ts'
import { createAuditSchedule } from '../pipelines/audit/schedule.ts'
import { planSlices } from '../pipelines/audit/slices.ts'
import { comparisonOf } from '../pipelines/audit/sums.ts'
import type { MissingRecord } from '../pipelines/audit/topic.ts'
import { directoryRegistry } from '../schemas/registry.ts'
import { eventJson, eventOf, eventually, messageOf } from './events.ts'
import { startOwnStack } from './own-stack.ts'

const log = pino({ level: 'silent' })
const closing: (() => Promise<unknown>)[] = []
let environment: NodeJS.ProcessEnv
let kafka: Kafka
let clickhouse: ClickHouseClient
let producer: Producer
let deps: AuditDeps

/** A commune of today, and the other one to which things are moved. */
const [HERE, THERE] = ['08746', '08152']
const dossier = (number: number) => `H44.12.17-250804-${number}`
const DOSSIERS = 12

beforeAll(async () => {
  const stack = await startOwnStack({ names: ['ingest'] })
  closing.push(stack.close)
  environment = stack.env
  const { config } = stack
  kafka = createKafka(config, 'motcua-audit-test', log)
  clickhouse = createClickHouse(config, 'default', { settings: AUDIT_SETTINGS })
  closing.push(() => clickhouse.close())
  producer = createProducer(kafka)
  await producer.connect()
  closing.push(() => producer.disconnect())
  deps = { kafka, clickhouse, registry: directoryRegistry() }
  await fill()
}, 120_000)

afterAll(async () => {
  for (const step of closing.reverse()) await step()
})

async function produce(...events: ReturnType<typeof eventJson>[]) {
  await producer.send({ topic: TOPIC, acks: -1, messages: events.map(event => messageOf(eventOf(event))) })
  await waitForIngest(deps, await untilNow(deps))
}

/** Some dossiers with two events each; one record in a wrong partition, one poison, one delivered twice. */
async function fill() {
  const events = Array.from({ length: DOSSIERS }, (_, number) => [
    eventJson({ dossier_id: dossier(number), due_at: '2025-08-11T17:00:00+07:00' }),
    eventJson({
      dossier_id: dossier(number),
      event_type: 'SETTLED',
      revision: 2,
      processing_unit: null,
      channel: null,
      received_at: null,
      settled_at: `2025-08-${10 + (number % 3)}T10:00:00+07:00`,
    }),
  ]).flat()
  const messages = events.map(event => messageOf(eventOf(event)))
  const [misplaced] = messages.splice(1, 1)
  const home = partitionOf(Buffer.from(dossier(0)), 8)
  await producer.send({
    topic: TOPIC,
    acks: -1,
    messages: [
      ...messages,
      { ...(misplaced as (typeof messages)[0]), partition: (home + 1) % 8 },
      { key: 'poison', value: Buffer.from('no Avro') },
      messages[4] as (typeof messages)[0],
    ],
  })
  // Twice: what is sent home at first comes to the end of the topic.
  for (let turn = 0; turn < 2; turn++) await waitForIngest(deps, await untilNow(deps))
}

const sumOf = (until: Until) => [...until.values()].reduce((sum, offset) => sum + offset, 0n)
const lookAt = (options: Parameters<typeof audit>[1] = {}) => audit(deps, { again_ms: [50], ...options })
const command = (query: string) => clickhouse.command({ query, clickhouse_settings: { mutations_sync: '2' } })
const postingsOf = (...numbers: number[]) =>
  `dossier_id IN (${numbers.map(number => `'${dossier(number)}'`).join(', ')})`

/** An audit that leaves these offsets out. */
const leavingOut = (text: string) => lookAt({ leave_out: parseLeaveOut(text) })

async function expectClean() {
  const report = await lookAt()
  expect(report.clean, linesOf(report, 20).join('\n')).toBe(true)
  return report
}

/** `npm run audit` as a process. */
async function cli(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const main = fileURLToPath(new URL('../pipelines/audit/main.ts', import.meta.url))
  const run = promisify(execFile)
  return run(process.execPath, ['--disable-warning=TimeoutNegativeWarning', main, ...args], { env: environment }).then(
    ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
    error => ({ code: error.code as number, out: String(error.stdout), err: String(error.stderr) }),
  )
}

test('what nobody touched is clean: every offset is in the log, a dead letter, or re-homed', async () => {
  const report = await expectClean()
  expect(report).toMatchObject({ kind: 'whole', dossiers: DOSSIERS, differing_dossiers: 0, quarantined_dossiers: 0 })
  expect(report.records).toMatchObject({ dead_letters: 1, elsewhere: 1, missing: 0, gone: [] })
  const [line] = await rowsOf(clickhouse, 'SELECT kind, clean, dossiers FROM audits ORDER BY started_at DESC LIMIT 1')
  expect(line).toEqual({ kind: 'whole', clean: true, dossiers: DOSSIERS })
})

/** Damages of the ledger: what is done, which dossiers the audit must name, how. */
const DAMAGES: [string, () => Promise<unknown>, Partial<AuditReport['differences'][0]>[]][] = [
  [
    'a posting deleted',
    () => command(`ALTER TABLE dossier_postings DELETE WHERE ${postingsOf(1)}`),
    [{ dossier_id: dossier(1), kind: 'other_facts', units: [HERE] }],
  ],
  [
    "a posting's unit altered",
    () => command(`ALTER TABLE dossier_postings UPDATE unit_code = '${THERE}' WHERE ${postingsOf(2)}`),
    [{ dossier_id: dossier(2), units: [THERE, HERE].sort() }],
  ],
  [
    "two dossiers' postings swapped",
    () => swapped(3, 4),
    [
      { dossier_id: dossier(3), kind: 'other_facts' },
      { dossier_id: dossier(4), kind: 'other_facts' },
    ],
  ],
  [
    'a posting doubled',
    () =>
      command(
        `INSERT INTO dossier_postings SELECT * FROM dossier_postings WHERE ${postingsOf(5)} AND sign = 1 LIMIT 1`,
      ),
    [{ dossier_id: dossier(5), kind: 'unbalanced' }],
  ],
  [
    'a posting of a dossier that the log does not know',
    () =>
      command(
        `INSERT INTO dossier_postings SELECT * REPLACE ('stranger' AS dossier_id) FROM (SELECT * FROM dossier_postings WHERE ${postingsOf(6)} LIMIT 1)`,
      ),
    [{ dossier_id: 'stranger', kind: 'unknown_dossier', units: [HERE] }],
  ],
]

/** The postings of one dossier under the number of the other, and the other way round. */
async function swapped(one: number, other: number) {
  const [a, b] = [`'${dossier(one)}'`, `'${dossier(other)}'`]
  await command('CREATE TABLE damaged AS dossier_postings')
  await command(
    `INSERT INTO damaged SELECT * REPLACE (multiIf(dossier_id = ${a}, ${b}, dossier_id = ${b}, ${a}, dossier_id) AS dossier_id) FROM dossier_postings`,
  )
  await command('EXCHANGE TABLES damaged AND dossier_postings')
  await command('DROP TABLE damaged')
}

test.each(DAMAGES)('%s: found and named, and made right by an event that says nothing', async (_, damage, named) => {
  await damage()
  const report = await lookAt()
  expect(report.clean).toBe(false)
  expect(report.differences).toMatchObject(named)
  expect(await repair(deps, report)).toEqual({ touched: named.length, left: [] })
  await expectClean()
})

test('two dossiers swapped that differ in nothing a rate knows: the audit does not go by totals', async () => {
  const totals = () =>
    rowsOf(
      clickhouse,
      'SELECT month, unit_code, received, settled_early, settled_late FROM rates_by_commune ORDER BY ALL',
    )
  const moved = (number: number) =>
    eventJson({ dossier_id: dossier(number), event_type: 'CORRECTED', revision: 3, procedure_code: `1.00000${number}` })
  await produce(moved(0), moved(3))
  const before = await totals()
  await swapped(0, 3)
  expect(await totals()).toEqual(before)
  const report = await lookAt()
  expect(report.differences.map(one => one.dossier_id)).toEqual([dossier(0), dossier(3)])
  await repair(deps, report)
  await expectClean()
})

test('a raw event deleted: named by its Kafka coordinates, no repair before it is read again from the topic', async () => {
  const [event] = await rowsOf<{ event_id: string; partition: number; offset: number }>(
    clickhouse,
    `SELECT toString(event_id) AS event_id, partition, offset FROM dossier_events WHERE ${postingsOf(7)} AND event_type = 'SETTLED'`,
  )
  await command(`ALTER TABLE dossier_events DELETE WHERE event_id = '${event?.event_id}'`)
  const report = await lookAt()
  expect(report.records).toMatchObject({
    missing: 1,
    named: [
      {
        topic: TOPIC,
        partition: event?.partition,
        offset: BigInt(event?.offset ?? -1),
        event_id: event?.event_id,
        dossier_id: dossier(7),
      },
    ],
  })
  // The ledger still counts the settlement: that, too, is a difference.
  expect(report.differences.map(one => one.dossier_id)).toEqual([dossier(7)])

  await expect(repair(deps, report)).rejects.toMatchObject({ code: 'RECORDS_MISSING' })
  const refused = await cli('--repair')
  expect(refused.code).toBe(1)
  expect(refused.out).toContain(
    `${TOPIC} partition ${event?.partition} offset ${event?.offset}: event ${event?.event_id} of dossier ${dossier(7)}`,
  )
  expect(refused.err).toContain('--reingest')

  const again = await cli('--reingest')
  expect([again.code, again.err]).toEqual([0, ''])
  expect(again.out).toContain('1 records were produced again')
  const [now] = await rowsOf<{ offset: number }>(
    clickhouse,
    `SELECT offset FROM dossier_events WHERE event_id = '${event?.event_id}'`,
  )
  expect(now?.offset).toBeGreaterThan(event?.offset ?? 0)
  await expectClean()
})

test('a dead letter that got lost is written again, under the coordinates of its record', async () => {
  const [letter] = await rowsOf<{ partition: number; offset: number }>(
    clickhouse,
    'SELECT partition, offset FROM dead_letters',
  )
  await command('TRUNCATE TABLE dead_letters')
  const high = await untilNow(deps)
  const missing: MissingRecord[] = []
  const report = await lookAt({ onMissing: async records => void missing.push(...records) })
  expect(report.records?.named).toMatchObject([
    {
      partition: letter?.partition,
      offset: BigInt(letter?.offset ?? -1),
      refusal: { reason: 'unknown_magic' },
    },
  ])
  expect(missing.map(({ record }) => record.value?.toString())).toEqual(['no Avro'])
  expect(await reingest(kafka, missing)).toEqual(new Map())
  // The letter is written by the audit itself: nothing was produced to the input.
  expect(await untilNow(deps)).toEqual(high)
  const { records } = await expectClean()
  expect(records?.missing).toBe(0)
})

test('gaps come in portions, and each offset is looked at once', async () => {
  for (const [partition, { topic_epoch, next_offset }] of await progressOf(clickhouse)) {
    const whole = await gapsOf(clickhouse, { partition, topic_epoch }, 0n, next_offset)
    expect(whole.to).toBe(next_offset)
    const portions = { gaps: [] as unknown[], dead_letters: 0 }
    for (let from = 0n; from < next_offset; ) {
      const { gaps, dead_letters, to } = await gapsOf(clickhouse, { partition, topic_epoch }, from, next_offset, 1)
      portions.gaps.push(...gaps)
      portions.dead_letters += dead_letters
      from = to
    }
    expect(portions).toEqual({ gaps: whole.gaps, dead_letters: whole.dead_letters })
  }
})

test('marks of transactions lie at offsets without a record: nothing is missing there', async () => {
  const transactional = kafka.producer({
    transactionalId: randomUUID(),
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner: javaPartitioner,
  })
  await transactional.connect()
  const before = sumOf(await untilNow(deps))
  const transaction = await transactional.transaction()
  await transaction.send({ topic: TOPIC, messages: [messageOf(eventOf(eventJson({ dossier_id: dossier(1) })))] })
  await transaction.commit()
  await transactional.disconnect()
  // The broker writes the mark after its answer; until then the record is not there for readers of what is committed.
  await eventually(
    () => untilNow(deps),
    until => sumOf(until) === before + 2n,
  )
  await waitForIngest(deps, await untilNow(deps))
  const { records } = await expectClean()
  const [log] = await rowsOf<{ n: number }>(clickhouse, 'SELECT uniqExact(partition, offset) AS n FROM dossier_events')
  // The mark, besides what is in the log, dead, or elsewhere.
  expect(records?.offsets).toBe((log?.n ?? 0) + (records?.dead_letters ?? 0) + (records?.elsewhere ?? 0) + 1)
})

test('offsets that the audit is told to leave out are not read, and every report names them', async () => {
  const [event] = await rowsOf<{ event_id: string; partition: number; offset: number }>(
    clickhouse,
    `SELECT toString(event_id) AS event_id, partition, offset FROM dossier_events WHERE ${postingsOf(9)} AND event_type = 'SETTLED'`,
  )
  await command(`ALTER TABLE dossier_events DELETE WHERE event_id = '${event?.event_id}'`)
  const { partition = 0, offset = 0 } = event ?? {}
  const out = `${partition}:${offset}`
  // Nothing that it looked at is missing, so it may repair: the ledger agrees with the incomplete log then.
  expect((await repair(deps, await leavingOut(out))).left).toEqual([])
  expect((await lookAt()).records).toMatchObject({ missing: 1, left_out: 0 })
  const report = await leavingOut(out)
  expect(report).toMatchObject({
    clean: true,
    left_out: [{ partition, first: String(offset), last: String(offset) }],
    records: { missing: 0, left_out: 1 },
  })
  const [line] = await rowsOf(
    clickhouse,
    'SELECT clean, unverified_records FROM audits ORDER BY started_at DESC LIMIT 1',
  )
  expect(line).toEqual({ clean: false, unverified_records: 1 })
  const told = await cli('--leave-out', `${out},${partition}:900000-900001`)
  expect([told.code, told.err]).toEqual([0, ''])
  expect(told.out).toContain(`note ${out}, ${partition}:900000-900001 left out, as told; 1 of these offsets stand`)
  expect(told.out).toContain('The rates are what the events say, but for 1 offset left out.')
  expect(JSON.parse((await cli('--leave-out', out, '--json')).out)).toMatchObject({
    left_out: [{ partition, first: String(offset), last: String(offset) }],
    records: { left_out: 1 },
  })
  const refused = await cli('--leave-out', '3')
  expect([refused.code, refused.out]).toEqual([1, ''])
  expect(refused.err).toContain("'3' names no offsets. Allowed: partition:offset or partition:first-last")

  const missing: MissingRecord[] = []
  await lookAt({ onMissing: async records => void missing.push(...records) })
  await waitForIngest(deps, await reingest(kafka, missing))
  await expectClean()
})

test('records that ingest set aside are named', async () => {
  const letter = { reason: 'undecodable', message: '', field: '', key: '', dlq_partition: 99 }
  const lying = { ...letter, topic: TOPIC, partition: 5, offset: 123_456, failed_at: '2026-01-02 00:00:00.000' }
  await clickhouse.insert({
    table: 'dead_letters',
    format: 'JSONEachRow',
    values: [
      { ...lying, dlq_offset: 1 },
      { ...lying, dlq_offset: 2 },
      {
        ...lying,
        dlq_offset: 3,
        reason: 'misplaced',
        offset: 123_457,
        topic_epoch: 1,
        failed_at: '2026-01-01 00:00:00.000',
      },
    ],
  })
  try {
    const report = await expectClean()
    expect(report.parked).toEqual({
      total: 2,
      by_reason: { misplaced: 1, undecodable: 1 },
      named: [
        { reason: 'misplaced', topic_epoch: 1, partition: 5, offset: '123457' },
        { reason: 'undecodable', topic_epoch: 0, partition: 5, offset: '123456' },
      ],
    })
    const text = linesOf(report, 1).join('\n')
    expect(text).toContain('2 records were set aside by ingest and count nowhere')
    expect(text).toContain('partition 5 offset 123457 (topic epoch 1): misplaced')
  } finally {
    await command('ALTER TABLE dead_letters DELETE WHERE dlq_partition = 99')
  }
})

test('rows of an earlier life of a partition say nothing about its offsets', async () => {
  const [event] = await rowsOf<{ partition: number; offset: number }>(
    clickhouse,
    `SELECT partition, offset FROM dossier_events WHERE ${postingsOf(6)} AND event_type = 'RECEIVED'`,
  )
  const at = `partition = ${event?.partition} AND offset = ${event?.offset} AND topic = '${TOPIC}'`
  await command(`ALTER TABLE dossier_events UPDATE topic_epoch = 7 WHERE ${at}`)
  try {
    // Its event is in the log all the same, under coordinates of another life.
    const { records } = await expectClean()
    expect(records?.missing).toBe(0)
    await command(`ALTER TABLE dossier_events DELETE WHERE ${at} AND topic_epoch = 7`)
    expect((await lookAt()).records?.named).toMatchObject([{ topic_epoch: 0, offset: BigInt(event?.offset ?? -1) }])
  } finally {
    const missing: MissingRecord[] = []
    await lookAt({ onMissing: async records => void missing.push(...records) })
    await waitForIngest(deps, await reingest(kafka, missing))
    await repair(deps, await lookAt())
  }
  await expectClean()
})

test('a topic that ingest has settled further than it goes is unverified', async () => {
  const [partition] = (await progressOf(clickhouse)).keys()
  const report = { topic: TOPIC, topic_epoch: 3, partition, next_offset: 1_000_000 }
  await clickhouse.insert({ table: 'ingest_progress', format: 'JSONEachRow', values: [report] })
  try {
    await expect(lookAt()).rejects.toMatchObject({ code: 'TOPIC_UNREADABLE' })
    const told = await cli()
    expect([told.code, told.out]).toEqual([1, ''])
    expect(told.err).toMatch(/^unverified: .* ends at offset \d+, and ingest has settled it up to 1000000/)
  } finally {
    await command('ALTER TABLE ingest_progress DELETE WHERE topic_epoch = 3')
  }
  await expectClean()
})

test('the command exits 1 and names, repairs with --repair, and tells the same as JSON', async () => {
  await command(`ALTER TABLE dossier_postings DELETE WHERE ${postingsOf(8)}`)
  const found = await cli('--json')
  expect(found.code).toBe(1)
  expect(JSON.parse(found.out)).toMatchObject({
    clean: false,
    differing_dossiers: 1,
    differences: [{ dossier_id: dossier(8) }],
    units: [HERE],
  })
  const repaired = await cli('--repair')
  expect([repaired.code, repaired.err]).toEqual([0, ''])
  expect(repaired.out).toContain('1 dossiers were touched')
  expect((await cli()).code).toBe(0)
  expect((await cli('--no-topic')).code).toBe(1)
})

test('a repair event changes nothing that a dossier says: neither its source nor its life', async () => {
  const state = () => rowsOf(clickhouse, `SELECT * EXCEPT (events, ingested_at) FROM dossiers WHERE ${postingsOf(9)}`)
  const before = await state()
  await command(`ALTER TABLE dossier_postings DELETE WHERE ${postingsOf(9)}`)
  await repair(deps, await lookAt())
  expect(await state()).toEqual(before)
  await expectClean()
})

test('only what changed: dossiers with news since the last audit that found nothing', async () => {
  await expectClean()
  const clean = await lastClean(clickhouse)
  // A batch shows some time after its ingested_at: the audit goes back further than it is asked to, by ten minutes.
  const later = new Date(Date.now() + 11 * 60_000)
  expect((await lookAt({ since: later })).dossiers).toBe(0)
  await produce(eventJson({ dossier_id: dossier(10), event_type: 'CORRECTED', revision: 4, channel: 'COUNTER' }))
  await command(`ALTER TABLE dossier_postings DELETE WHERE ${postingsOf(10)}`)
  const report = await lookAt({ since: clean })
  expect(report).toMatchObject({ kind: 'changed', clean: false, differences: [{ dossier_id: dossier(10) }] })
  // What is not mended stays in view: the next one goes back as far.
  expect((await lastClean(clickhouse))?.getTime()).toBeLessThan(Date.parse(report.started_at))
  await repair(deps, report)
  await expectClean()
})

test('contradicting events are counted as the contract says, and quarantined', async () => {
  const id = 'H44.12.17-250805-1'
  await produce(
    eventJson({ dossier_id: id, received_at: '2025-08-05T09:00:00+07:00' }),
    eventJson({
      dossier_id: id,
      event_type: 'SETTLED',
      revision: 2,
      processing_unit: null,
      channel: null,
      received_at: null,
      settled_at: '2025-08-01T09:00:00+07:00',
      due_at: '2025-08-02T09:00:00+07:00',
    }),
  )
  const report = await expectClean()
  expect(report).toMatchObject({
    quarantined_dossiers: 1,
    quarantined_by_reason: { settled_before_received: 1, due_before_received: 1 },
    quarantined: [{ dossier_id: id, reasons: ['settled_before_received', 'due_before_received'] }],
  })
  expect(
    await rowsOf(
      clickhouse,
      `SELECT unit_code, received, settled, settled_early FROM rates(from='2025-08-01', to='2025-08-09', tier='commune')`,
    ),
  ).toEqual([{ unit_code: HERE, received: DOSSIERS + 1, settled: 1, settled_early: 1 }])
  await produce(
    eventJson({
      dossier_id: id,
      event_type: 'VOIDED',
      revision: 3,
      processing_unit: null,
      channel: null,
      received_at: null,
    }),
  )
  expect((await expectClean()).quarantined_dossiers).toBe(0)
})

test('two different events under one event_id are named', async () => {
  const [within, across] = [randomUUID(), randomUUID()]
  await produce(
    eventJson({
      event_id: within,
      dossier_id: dossier(11),
      event_type: 'PROCESSING',
      revision: 5,
      processing_unit: null,
      channel: null,
      received_at: null,
    }),
    eventJson({
      event_id: within,
      dossier_id: dossier(11),
      event_type: 'PROCESSING',
      revision: 6,
      processing_unit: null,
      channel: null,
      received_at: null,
    }),
    eventJson({
      event_id: across,
      dossier_id: dossier(11),
      event_type: 'PROCESSING',
      revision: 7,
      processing_unit: null,
      channel: null,
      received_at: null,
    }),
    eventJson({
      event_id: across,
      dossier_id: dossier(10),
      event_type: 'PROCESSING',
      revision: 7,
      processing_unit: null,
      channel: null,
      received_at: null,
    }),
  )
  const report = await lookAt()
  expect(report.conflicts).toEqual([
    { event_id: within, dossier_ids: [dossier(11)] },
    { event_id: across, dossier_ids: [dossier(10), dossier(11)] },
  ])
})

test('roll-ups: one half of the comparison reads the projection, the other one computes; a wrong sum is named', async () => {
  for (const rollup of ['received', 'settled', 'ended', 'overdue'] as const) {
    const plan = await rowsOf<{ explain: string }>(
      clickhouse,
      `EXPLAIN ${comparisonOf(rollup, '2025-01-01', '2025-12-31')}`,
    )
    const reads = plan.map(row => row.explain).filter(line => line.includes('ReadFrom'))
    expect(reads).toEqual([expect.stringContaining(`(${rollup})`), expect.stringContaining('dossier_postings')])
  }
  await command('CREATE TABLE wrong AS dossier_postings')
  await command('INSERT INTO wrong SELECT * FROM dossier_postings')
  await command(`INSERT INTO wrong SELECT * FROM dossier_postings WHERE ${postingsOf(1)} LIMIT 1`)
  const query = comparisonOf('received', '2025-08-01', '2025-08-31', { read: 'wrong', computed: 'dossier_postings' })
  expect(await rowsOf(clickhouse, query)).toMatchObject([{ unit_code: HERE, day: '2025-08-04' }])
  await command('DROP TABLE wrong')
})

test('slices: every dossier is in exactly one, whatever its number looks like', async () => {
  await command('CREATE DATABASE sliced')
  try {
    const sliced = createClickHouse(readConfig(z.object(commonShape), environment), 'default', { database: 'sliced' })
    for (const table of ['dossier_events', 'dossier_postings'])
      await command(
        `CREATE TABLE sliced.${table} (dossier_id String, slot UInt32 MATERIALIZED toUInt32OrZero(splitByChar('-', dossier_id)[2]), ${table === 'dossier_events' ? 'ingested_at' : 'posted_at'} DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY (slot, dossier_id)`,
      )
    await command(
      `INSERT INTO sliced.dossier_events SELECT multiIf(number % 3 = 0, toString(number), number % 3 = 1, concat('A-25080', toString(number % 7), '-', toString(number)), concat('x''y\\\\z-', toString(number))), now64(3) FROM numbers(3000)`,
    )
    await command(
      `INSERT INTO sliced.dossier_postings SELECT dossier_id, ingested_at FROM sliced.dossier_events WHERE cityHash64(dossier_id) % 3 = 0`,
    )
    const { slices } = await planSlices(sliced, undefined, 100)
    expect(slices.length).toBeGreaterThan(30)
    let dossiers = 0
    for (const slice of slices) {
      const [row] = await rowsOf<{ n: number }>(sliced, `SELECT count() AS n FROM dossier_events WHERE ${slice}`)
      expect(row?.n).toBeLessThan(400)
      dossiers += row?.n ?? 0
    }
    expect(dossiers).toBe(3000)
    await sliced.close()
  } finally {
    await command('DROP DATABASE sliced')
  }
})

test('on a schedule: result and age are metrics', async () => {
  const metrics = createMetrics('test')
  const never = '0 0 1 1 *'
  const schedule = createAuditSchedule({ ...deps, metrics, log, changed_cron: never, whole_cron: never })
  try {
    expect(await schedule.run('whole')).toMatchObject({ clean: true })
    expect(await schedule.run('changed')).toMatchObject({ kind: 'changed' })
    const text = await metrics.registry.metrics()
    expect(text).toMatch(/motcua_audit_differences\{kind="dossier",service="test"\} 0/)
    expect(text).toMatch(/motcua_audit_last_success_timestamp_seconds\{kind="whole",service="test"\} \d{10}/)
  } finally {
    await schedule.stop()
  }
})

test('what neither the log nor the broker has any more is unverified, never a pass', async () => {
  const [first] = await rowsOf<{ partition: number; offset: number; event_id: string }>(
    clickhouse,
    `SELECT partition, offset, toString(event_id) AS event_id FROM dossier_events WHERE ${postingsOf(1)} ORDER BY offset LIMIT 1`,
  )
  const [partition, offset] = [first?.partition ?? 0, first?.offset ?? 0]
  await command(`ALTER TABLE dossier_events DELETE WHERE event_id = '${first?.event_id}'`)
  const admin = kafka.admin()
  await admin.connect()
  // kafkajs deletes only from a topic whose metadata it has.
  await admin.fetchTopicOffsets(TOPIC)
  await admin.deleteTopicRecords({ topic: TOPIC, partitions: [{ partition, offset: String(offset + 1) }] })
  await admin.disconnect()
  const report = await lookAt()
  expect(report.records?.gone).toEqual(
    expect.arrayContaining([expect.objectContaining({ partition, last: String(offset) })]),
  )
  expect(report.clean).toBe(false)
  expect(linesOf(report, 10).join('\n')).toContain('the broker no longer has them')
})
