/**
 * Small streams that are copied from Kafka into ClickHouse for people to read: dead letters and alerts. The topics stay the
 * truth. A copy may be written twice; the tables drop the second one.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import type { SchemaRegistry } from '../../schemas/registry.ts'
import { readBody, unframe } from '../../schemas/wire.ts'
import type { Log } from '../common/log.ts'
import { isPassing } from './insert.ts'
import type { Chunk, Outcome, SourceRecord } from './source.ts'

const PAUSE_MS = 2_000

export interface Copy {
  topic: string
  table: string
  /** The row of a record, or undefined where there is none to make. */
  rowOf: (record: SourceRecord, partition: number) => Promise<Record<string, unknown> | undefined>
}

/** Handles a chunk of a copied stream. */
export const createCopyHandler =
  (clickhouse: ClickHouseClient, copy: Copy, log: Log) =>
  async ({ partition, records }: Chunk): Promise<Outcome> => {
    const rows = (await Promise.all(records.map(record => copy.rowOf(record, partition)))).filter(
      row => row !== undefined,
    )
    try {
      if (rows.length > 0)
        await clickhouse.insert({
          table: copy.table,
          values: rows,
          format: 'JSONEachRow',
          clickhouse_settings: { async_insert: 0, date_time_input_format: 'best_effort' },
        })
      return { done: true }
    } catch (error) {
      if (!isPassing(error)) throw error
      log.warn({ err: error, table: copy.table }, 'ClickHouse does not take the copies; they are read again')
      return { done: false, pause_ms: PAUSE_MS }
    }
  }

export const deadLetterCopy = (topic: string): Copy => ({
  topic,
  table: 'dead_letters',
  async rowOf({ key, value, headers, timestamp_ms, offset }, partition) {
    const header = (name: string) => headers[name]?.toString() ?? ''
    return {
      topic: header('__connect.errors.topic'),
      partition: Number(header('__connect.errors.partition')),
      offset: header('__connect.errors.offset') || '-1',
      reason: header('motcua.reason'),
      field: header('motcua.field'),
      message: header('__connect.errors.exception.message'),
      schema_id: header('motcua.schema_id') === '' ? null : Number(header('motcua.schema_id')),
      key: key?.toString('utf8') ?? '',
      value_bytes: value?.length ?? 0,
      attempt: Number(header('motcua.attempt') || 1),
      first_failed_at: header('motcua.first_failed_at') || new Date(timestamp_ms).toISOString(),
      failed_at: new Date(timestamp_ms).toISOString(),
      dlq_partition: partition,
      dlq_offset: String(offset),
    }
  },
})

const ALERT_TIMES = ['window_from', 'window_to', 'watermark', 'changed_at']

export const alertCopy = (topic: string, registry: SchemaRegistry): Copy => ({
  topic,
  table: 'dossier_alerts',
  async rowOf({ value }) {
    const framed = unframe(value)
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
