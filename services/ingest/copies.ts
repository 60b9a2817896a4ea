/**
 * Small streams that are copied from Kafka into ClickHouse for people to read: dead letters and alerts. The topics stay the
 * truth. A copy may be written twice; the tables drop the second one. Nothing that goes wrong here touches ingest: a record of
 * which no row can be made, or whose row ClickHouse refuses, is left out and counted.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { headerOf } from '../../common/headers.ts'
import type { Log } from '../../common/log.ts'
import type { Metrics } from '../../common/metrics.ts'
import type { KafkaRecord } from '../../common/records.ts'
import { isTransient } from '../../common/transient.ts'
import type { SchemaRegistry } from '../../schemas/registry.ts'
import { readBody, unframe } from '../../schemas/wire.ts'
import type { Chunk, ChunkOutcome } from './source.ts'

const PAUSE_MS = 2_000

type Row = Record<string, unknown>
export interface Copy {
  topic: string
  table: string
  /** The row of a record, or undefined where there is none to make. */
  rowOf: (record: KafkaRecord, partition: number) => Promise<Row | undefined>
}

export interface CopyDeps {
  clickhouse: ClickHouseClient
  copy: Copy
  metrics: Metrics
  log: Log
}

/** Handles a chunk of a copied stream. Never throws. */
export function createCopyHandler({ clickhouse, copy, metrics, log }: CopyDeps) {
  const insert = (values: readonly Row[]) =>
    clickhouse.insert({
      table: copy.table,
      values,
      format: 'JSONEachRow',
      clickhouse_settings: { async_insert: 0, date_time_input_format: 'best_effort' },
    })

  function leftOut(error: unknown, row: Row | undefined) {
    metrics.copies_left_out.inc({ table: copy.table })
    log.warn({ err: error, table: copy.table, offset: row?.dlq_offset }, 'a record cannot be copied; it is left out')
  }

  /** Inserts what ClickHouse takes, in halves where it refuses. Throws transient errors only. */
  async function insertAll(rows: readonly Row[]): Promise<void> {
    if (rows.length === 0) return
    try {
      await insert(rows)
    } catch (error) {
      if (isTransient(error)) throw error
      if (rows.length === 1) return leftOut(error, rows[0])
      const half = Math.ceil(rows.length / 2)
      await insertAll(rows.slice(0, half))
      await insertAll(rows.slice(half))
    }
  }

  function later(error: unknown): ChunkOutcome {
    log.warn({ err: error, table: copy.table }, 'copies cannot be made or written now; they are read again')
    return { settled: 0, pause_ms: PAUSE_MS }
  }

  return async ({ partition, records }: Chunk): Promise<ChunkOutcome> => {
    const rows: Row[] = []
    for (const record of records)
      try {
        const row = await copy.rowOf(record, partition)
        if (row !== undefined) rows.push(row)
      } catch (error) {
        if (isTransient(error)) return later(error)
        leftOut(error, undefined)
      }
    try {
      await insertAll(rows)
      return { settled: records.length }
    } catch (error) {
      return later(error)
    }
  }
}

/** Characters and bytes of a text that people are shown; a producer may write any number. */
const SHOWN_MAX = 1_024
const INT = /^-?\d{1,9}$/
const LONG = /^-?\d{1,18}$/
/** What fits a DateTime64. */
const TIME_MAX_MS = Date.UTC(2262, 0, 1)

export const deadLetterCopy = (topic: string): Copy => ({
  topic,
  table: 'dead_letters',
  // Anyone may write into the topic: what is no number or time of ours becomes the value that says "not known".
  async rowOf({ key, value, headers, timestamp_ms, offset }, partition) {
    const header = (name: string) => headerOf(headers, name)?.slice(0, SHOWN_MAX) ?? ''
    const whole = (name: string, pattern: RegExp, otherwise: string) =>
      pattern.test(header(name)) ? header(name) : otherwise
    const first_ms = Date.parse(header('motcua.first_failed_at'))
    const first_failed_at = first_ms > 0 && first_ms < TIME_MAX_MS ? first_ms : timestamp_ms
    const schema_id = whole('motcua.schema_id', /^\d{1,10}$/, '')
    return {
      topic: header('__connect.errors.topic'),
      topic_epoch: Number(whole('motcua.topic_epoch', /^\d{1,9}$/, '0')),
      partition: Number(whole('__connect.errors.partition', INT, '-1')),
      offset: whole('__connect.errors.offset', LONG, '-1'),
      reason: header('motcua.reason'),
      field: header('motcua.field'),
      message: header('__connect.errors.exception.message'),
      schema_id: schema_id === '' || Number(schema_id) >= 2 ** 32 ? null : Number(schema_id),
      key: key?.toString('utf8', 0, SHOWN_MAX) ?? '',
      value_bytes: value?.length ?? 0,
      attempt: Number(whole('motcua.attempt', /^\d{1,4}$/, '1')),
      first_failed_at: new Date(first_failed_at).toISOString(),
      failed_at: new Date(timestamp_ms).toISOString(),
      dlq_partition: partition,
      dlq_offset: String(offset),
    }
  },
})

/** Ours are some hundred bytes. */
const ALERT_BYTES_MAX = 65_536
const ALERT_TIMES = ['window_from', 'window_to', 'watermark', 'changed_at']

export const alertCopy = (topic: string, registry: SchemaRegistry): Copy => ({
  topic,
  table: 'dossier_alerts',
  async rowOf({ value }) {
    const framed = value !== null && value.length <= ALERT_BYTES_MAX ? unframe(value) : undefined
    const type = typeof framed === 'object' ? await registry.byId(framed.schema_id) : undefined
    const alert =
      typeof framed === 'object' && type !== undefined
        ? (readBody(type, framed.body) as Record<string, unknown> | undefined)
        : undefined
    if (alert === undefined) return undefined
    return {
      ...alert,
      sector_code: alert.sector_code ?? '',
      ...Object.fromEntries(ALERT_TIMES.map(name => [name, new Date(alert[name] as number).toISOString()])),
    }
  },
})
