/**
 * Where every record of the topic has gone: into the log under its own coordinates, home as another record with the same bytes,
 * or into the dead letters with its bytes. Read from Kafka and ClickHouse; nothing of ingest is asked.
 */
import { inspect, isDeepStrictEqual } from 'node:util'
import type { ClickHouseClient } from '@clickhouse/client'
import type { Kafka } from 'kafkajs'
import { rowsOf } from '../common/clickhouse.ts'
import { openFetcher, type TopicRecord } from '../common/fetch.ts'
import { headerOf } from '../common/headers.ts'
import { TOPIC } from '../common/progress.ts'
import type { DossierEvent } from '../schemas/dossier-event/event.ts'
import { newestType } from '../schemas/registry.ts'

export type Ends = ReadonlyMap<number, { low: bigint; high: bigint }>

/** All records of a topic, from the given ends on. */
export async function recordsOf(kafka: Kafka, topic: string, from?: Ends): Promise<TopicRecord[]> {
  const fetcher = openFetcher(kafka)
  try {
    const found: TopicRecord[] = []
    for (const [partition, { low, high }] of await fetcher.ends(topic))
      for (let at = from?.get(partition)?.high ?? low; at < high; ) {
        const { records, next } = await fetcher.read(topic, partition, at, 8_388_608)
        found.push(...records)
        if (next === at) break
        at = next
      }
    return found
  } finally {
    await fetcher.close()
  }
}

export interface Account {
  records: number
  in_log: number
  dead: number
  rehomed: number
  reasons: Record<string, number>
  /** What should not be: one line each. */
  wrong: string[]
}

/** Some columns of every kind, as avsc decodes them and as the log has them. */
const LOG_COLUMNS = `toString(event_id) AS event_id, dossier_id, toString(revision) AS revision, event_type,
  toUnixTimestamp64Milli(occurred_at) AS occurred_at, source, processing_unit, channel, toUnixTimestamp64Milli(received_at) AS received_at,
  toString(supplement_pause_ms) AS supplement_pause_ms, supplement_requests, fee_due, cleared`
type LogRow = Record<string, unknown>

const type = newestType('dossier-event')
/** What a record of our own schema says; others are not looked at. */
function contentOf(value: Buffer): LogRow | undefined {
  if (value.readUInt32BE(1) !== 1) return undefined
  const event = type.fromBuffer(value.subarray(5)) as DossierEvent
  return {
    event_id: event.event_id.toLowerCase(),
    dossier_id: event.dossier_id,
    revision: String(event.revision),
    event_type: event.event_type,
    occurred_at: event.occurred_at,
    source: event.source,
    processing_unit: event.processing_unit ?? '',
    channel: event.channel ?? '',
    received_at: event.received_at ?? 0,
    supplement_pause_ms: String(event.supplement_pause_ms ?? 0),
    supplement_requests: event.supplement_requests ?? 0,
    fee_due: event.fee_due ?? false,
    cleared: event.cleared,
  }
}

const same = (a: Buffer | null, b: Buffer | null) => (a === null || b === null ? a === b : a.equals(b))
const text = (value: unknown) => (value == null ? '' : String(value))

/** Accounts for every record of the topic since `from`. */
export async function accountFor(kafka: Kafka, clickhouse: ClickHouseClient, from?: Ends): Promise<Account> {
  const records = await recordsOf(kafka, TOPIC, from)
  const letters = new Map<string, TopicRecord[]>()
  for (const letter of await recordsOf(kafka, `${TOPIC}.dlq`)) {
    const [partition, offset] = ['partition', 'offset'].map(name =>
      headerOf(letter.headers, `__connect.errors.${name}`),
    )
    const name = `${partition}/${offset}`
    letters.set(name, [...(letters.get(name) ?? []), letter])
  }
  const rows = await rowsOf<LogRow & { partition: number; offset: string }>(
    clickhouse,
    `SELECT partition, toString(offset) AS offset, ${LOG_COLUMNS} FROM dossier_events ORDER BY topic_epoch`,
  )
  const inLog = new Map(rows.map(({ partition, offset, ...row }) => [`${partition}/${offset}`, row]))
  const homes = new Set(
    records
      .filter(({ headers }) => headerOf(headers, 'motcua.rehomed_under') !== undefined)
      .map(({ value }) => value?.toString('latin1') ?? ''),
  )
  const account: Account = { records: records.length, in_log: 0, dead: 0, rehomed: 0, reasons: {}, wrong: [] }
  for (const record of records) {
    const name = `${record.partition}/${record.offset}`
    const own = letters.get(name) ?? []
    const [letter] = own
    if (own.length > 1) account.wrong.push(`${name} has ${own.length} dead letters`)
    if (letter !== undefined) {
      account.dead++
      const reason = text(headerOf(letter.headers, 'motcua.reason'))
      account.reasons[reason] = (account.reasons[reason] ?? 0) + 1
      if (!same(letter.key, record.key) || !same(letter.value, record.value))
        account.wrong.push(`${name}: the dead letter has other bytes`)
      if (inLog.has(name)) account.wrong.push(`${name} is in the log and a dead letter`)
    } else if (inLog.has(name)) {
      account.in_log++
      const told = contentOf(record.value as Buffer)
      if (told !== undefined && !isDeepStrictEqual(told, inLog.get(name)))
        account.wrong.push(`${name}: the log has ${inspect(inLog.get(name))} of ${inspect(told)}`)
    } else if (homes.has(record.value?.toString('latin1') ?? '')) account.rehomed++
    else account.wrong.push(`${name} is nowhere`)
  }
  return account
}
