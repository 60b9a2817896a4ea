/**
 * What must hold once everything is committed: every rate as the oracle has it (with the projections and without), the audit
 * clean, every
 * accepted event in the log and nothing else, the ledger in balance, and each refused record among the dead letters with its
 * reason and its bytes, and nothing good among them.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { rowsOf } from '../../common/clickhouse.ts'
import { headerOf } from '../../common/headers.ts'
import { GROUP, TOPIC } from '../../common/progress.ts'
import { type KafkaRecord, type RecordBatch, Records } from '../../common/records.ts'
import { audit } from '../../pipelines/audit/audit.ts'
import { directoryRegistry } from '../../schemas/registry.ts'
import { countedFacts, type RateRow, ratesOf, type Tier } from '../oracle/oracle.ts'
import type { Stack } from './stack.ts'
import { nameOf, type Workload } from './workload.ts'

const DLQ = 'dossier-events.dlq'

/** Ends of the partitions of both topics. */
export type Ends = Record<typeof TOPIC | typeof DLQ, Map<number, bigint>>

async function endsOf(stack: Stack, topic: string): Promise<Map<number, bigint>> {
  const offsets = await stack.admin.fetchTopicOffsets(topic)
  return new Map(offsets.map(({ partition, high }) => [partition, BigInt(high)]))
}
export const topicEnds = async (stack: Stack): Promise<Ends> => ({
  [TOPIC]: await endsOf(stack, TOPIC),
  [DLQ]: await endsOf(stack, DLQ),
})

/** Records that ingest has not committed: asked of Kafka, because commits are what is to be proved. */
export async function uncommitted(stack: Stack): Promise<number> {
  const [answer] = await stack.admin.fetchOffsets({ groupId: GROUP, topics: [TOPIC] })
  const committed = new Map(answer?.partitions.map(one => [one.partition, BigInt(one.offset)]))
  let behind = 0n
  for (const [partition, end] of await endsOf(stack, TOPIC)) {
    const at = committed.get(partition) ?? 0n
    behind += end - (at < 0n ? 0n : at)
  }
  return Number(behind)
}

export async function allCommitted(stack: Stack, limit_ms: number): Promise<string | undefined> {
  const end = Date.now() + limit_ms
  for (;;) {
    const behind = await uncommitted(stack)
    if (behind === 0) return undefined
    if (Date.now() > end) return `${behind} records are not committed ${limit_ms / 1000} s after the last was sent`
    await sleep(100)
  }
}

export interface Verdict {
  /** What is wrong, one sentence a thing; empty: all is exact. */
  differences: string[]
  rates_different: number
  events_lost: number
  /** Rows of the log beyond one per event: what was delivered or inserted again. */
  duplicates: number
  dead_letters: number
  /** Records that ingest produced again where they belong. */
  rehomed: number
}

export async function verify(stack: Stack, workload: Workload, begin: Ends, sent: number): Promise<Verdict> {
  const rates = [...(await rateDifferences(stack, workload, 1)), ...(await rateDifferences(stack, workload, 0))]
  const log = await logDifferences(stack, workload)
  const balance = await balanceDifferences(stack, workload)
  const audited = await auditDifferences(stack)
  const letters = await deadLetterDifferences(stack, workload, begin)
  return {
    differences: [...rates, ...log.differences, ...balance, ...audited, ...letters.differences],
    rates_different: rates.length,
    events_lost: log.lost,
    duplicates: log.duplicates,
    dead_letters: letters.count,
    rehomed: letters.records - sent,
  }
}

const COUNTS = ['received', 'received_online', 'settled', 'settled_early', 'settled_on_time', 'settled_late'] as const

async function rateDifferences(stack: Stack, workload: Workload, projections: 0 | 1): Promise<string[]> {
  const expected = ratesOf(workload.accepted)
  const differences: string[] = []
  const keyOf = (row: RateRow) => `${row.month} ${row.unit_code} (${row.unit_valid_from})`
  const textOf = (row: RateRow | undefined) => (row === undefined ? 'no row' : COUNTS.map(name => row[name]).join('/'))
  for (const tier of ['commune', 'district', 'province'] satisfies Tier[]) {
    const rows = await rowsOf<RateRow>(
      stack.clickhouse,
      `SELECT toString(month) AS month, unit_code, toString(unit_valid_from) AS unit_valid_from, ${COUNTS.join(', ')}
       FROM rates_by_${tier} SETTINGS optimize_use_projections = ${projections}`,
    )
    const got = new Map(rows.map(row => [keyOf(row), row]))
    const wanted = new Map(expected[tier].map(row => [keyOf(row), row]))
    for (const key of new Set([...got.keys(), ...wanted.keys()])) {
      const [is, shall] = [textOf(got.get(key)), textOf(wanted.get(key))]
      if (is !== shall)
        differences.push(
          `${tier} ${key}: ${is} instead of ${shall}${projections === 0 ? ' (without projections)' : ''}`,
        )
    }
  }
  return differences
}

async function logDifferences(stack: Stack, workload: Workload) {
  const rows = await rowsOf<{ id: string; n: number }>(
    stack.clickhouse,
    'SELECT toString(event_id) AS id, count() AS n FROM dossier_events GROUP BY event_id',
  )
  const got = new Map(rows.map(({ id, n }) => [id, n]))
  const wanted = new Set(workload.accepted.map(event => event.event_id))
  const lost = [...wanted].filter(id => !got.has(id))
  const strange = [...got.keys()].filter(id => !wanted.has(id))
  return {
    lost: lost.length,
    duplicates: rows.reduce((sum, { n }) => sum + n - 1, 0),
    differences: [
      ...lost.map(id => `event ${id} is lost`),
      ...strange.map(id => `event ${id} is in the log although nobody sent it or it must be refused`),
    ],
  }
}

/** Per dossier and facts Σ sign is 0 or 1, and exactly one 1 for a dossier that counts. */
async function balanceDifferences(stack: Stack, workload: Workload): Promise<string[]> {
  const rows = await rowsOf<{ dossier_id: string; standing: number; wrong: number }>(
    stack.clickhouse,
    `SELECT dossier_id, sum(s) AS standing, countIf(s NOT IN (0, 1)) AS wrong
     FROM (SELECT dossier_id, facts, sum(sign) AS s FROM dossier_postings GROUP BY dossier_id, facts) GROUP BY dossier_id`,
  )
  const counted = countedFacts(workload.accepted)
  const got = new Map(rows.map(row => [row.dossier_id, row]))
  const differences: string[] = []
  for (const id of new Set([...counted.keys(), ...got.keys()])) {
    const { standing = 0, wrong = 0 } = got.get(id) ?? {}
    if (wrong > 0 || standing !== (counted.has(id) ? 1 : 0))
      differences.push(
        `dossier ${id}: Σ sign ${standing}, ${wrong} facts out of balance; it counts ${counted.has(id) ? 1 : 0} times`,
      )
  }
  return differences
}

/** What `npm run audit` would say of log, ledger and roll-ups. The topic holds other cells' records too: it is left to the above. */
async function auditDifferences(stack: Stack): Promise<string[]> {
  const report = await audit(
    { clickhouse: stack.clickhouse, kafka: stack.kafka, registry: directoryRegistry() },
    { topic: false },
  )
  return [
    ...report.differences.map(({ dossier_id, kind }) => `the audit finds dossier ${dossier_id}: ${kind}`),
    ...report.sums.map(
      ({ rollup, unit_code, day }) => `the audit finds the roll-up ${rollup} of ${unit_code} on ${day}`,
    ),
  ]
}

type Read = KafkaRecord & { partition: number }

async function deadLetterDifferences(stack: Stack, workload: Workload, begin: Ends) {
  const [records, letters] = [await readFrom(stack, TOPIC, begin[TOPIC]), await readFrom(stack, DLQ, begin[DLQ])]
  const due = new Map<string, { record: Read; reason: string }>()
  for (const record of records) {
    const reason = workload.refused.get(nameOf(record.key, record.value))
    if (reason !== undefined) due.set(`${record.partition}:${record.offset}`, { record, reason })
  }
  const differences: string[] = []
  const found = new Set<string>()
  for (const letter of letters) {
    const header = (name: string) => headerOf(letter.headers, name) ?? ''
    const at = `${header('__connect.errors.partition')}:${header('__connect.errors.offset')}`
    const expected = due.get(at)
    found.add(at)
    if (expected === undefined) differences.push(`the record at ${at} is a dead letter although it is good`)
    else if (header('motcua.reason') !== expected.reason)
      differences.push(`the dead letter of ${at} says ${header('motcua.reason')} instead of ${expected.reason}`)
    else if (nameOf(letter.key, letter.value) !== nameOf(expected.record.key, expected.record.value))
      differences.push(`the dead letter of ${at} has other bytes than the record`)
  }
  for (const [at, { reason }] of due)
    if (!found.has(at)) differences.push(`the refused record at ${at} (${reason}) is not among the dead letters`)
  return { differences, count: letters.length, records: records.length }
}

/** All records of a topic from these offsets to its present ends. */
async function readFrom(stack: Stack, topic: string, begin: Map<number, bigint>): Promise<Read[]> {
  const ends = await endsOf(stack, topic)
  const open = new Set([...ends].filter(([partition, end]) => end > (begin.get(partition) ?? 0n)).map(([id]) => id))
  const records: Read[] = []
  if (open.size === 0) return records
  const groupId = `chaos-reader-${topic}-${Date.now()}`
  const consumer = stack.kafka.consumer({ groupId, maxWaitTimeInMs: 50 })
  await consumer.connect()
  try {
    await consumer.subscribe({ topic, fromBeginning: true })
    const done = Promise.withResolvers<void>()
    const timer = setTimeout(() => done.reject(new Error(`${topic} could not be read back within 30 s`)), 30_000)
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        const batches = batch.messages as unknown[] as RecordBatch[]
        for (const record of Records.of(batches, Number(begin.get(batch.partition) ?? 0n)))
          records.push({ ...record, partition: batch.partition })
        if (BigInt(batch.lastOffset()) + 1n >= (ends.get(batch.partition) ?? 0n)) open.delete(batch.partition)
        if (open.size === 0) done.resolve()
      },
    })
    for (const partition of open) consumer.seek({ topic, partition, offset: String(begin.get(partition) ?? 0n) })
    await done.promise
    clearTimeout(timer)
  } finally {
    await consumer.disconnect()
  }
  return records
}
