/**
 * Step 3: one INSERT per batch, which is one ClickHouse block, which is one commit of events; the ledger is balanced in it.
 *
 * A failure is either passing (ClickHouse away, overloaded, too slow: read the records again later) or unknown (crash). A
 * batch that was inserted although the answer got lost is inserted again; the ledger does not mind.
 */
import { Readable } from 'node:stream'
import { type ClickHouseClient, ClickHouseError, type ClickHouseSettings } from '@clickhouse/client'
import { RegistryUnavailable } from '../../schemas/registry.ts'
import { QUERY_S_MAX } from '../common/clickhouse.ts'
import type { GoodRow } from './classify.ts'
import { type BatchFacts, containerOf, STORED_COLUMNS } from './container.ts'

export class InsertFailed extends Error {
  readonly code = 'INSERT_FAILED'
}

/** Above any batch, so that a batch is never cut into blocks. */
const BLOCK_ROWS = '1000000'

/**
 * All that the promise leans on, said with every insert and never inherited from a server's or user's profile.
 * The view says those that change what it computes again.
 */
export const INSERT_SETTINGS: ClickHouseSettings = {
  async_insert: 0,
  max_insert_block_size: BLOCK_ROWS,
  min_insert_block_size_rows: BLOCK_ROWS,
  min_insert_block_size_bytes: '1000000000',
  max_insert_threads: '1',
  input_format_parallel_parsing: 0,
  input_format_avro_null_as_default: 1,
  input_format_null_as_default: 1,
  materialized_views_ignore_errors: 0,
  parallel_view_processing: 0,
  max_execution_time: QUERY_S_MAX,
  // A limit that is reached must be an error, never a part of the answer.
  timeout_overflow_mode: 'throw',
  // Batches are told apart by their names; a server that drops "the same" block would drop its postings with it.
  insert_deduplicate: 0,
  limit: '0',
  offset: '0',
  join_use_nulls: 0,
  aggregate_functions_null_for_empty: 0,
  transform_null_in: 0,
}

/** ClickHouse's error codes that pass by themselves: time-outs, too much at once, no memory, network, read-only, shutting down. */
const PASSING = new Set([
  '159',
  '160',
  '164',
  '198',
  '201',
  '202',
  '203',
  '209',
  '210',
  '241',
  '242',
  '243',
  '252',
  '279',
  '319',
  '394',
  '425',
  '439',
  '473',
  '516',
  '733',
])
/** Comes under many codes, as the one or other system call met it. */
const DISK_FULL = /No space left on device|errno: 28\b/i
const NETWORK = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_SOCKET',
])

/** Whether a failed insert may succeed later without anybody changing anything. */
export function isPassing(error: unknown): boolean {
  if (error instanceof RegistryUnavailable) return true
  if (error instanceof ClickHouseError) return PASSING.has(error.code) || DISK_FULL.test(error.message)
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ('code' in at && NETWORK.has(String(at.code))) return true
    // @clickhouse/client has no class and no code for these two.
    if (at.message === 'Timeout error.' || at.message === 'socket hang up') return true
  }
  return false
}

const COMMENT = 'motcua-ingest'

/** By this an insert can be found in system.processes: the partitions it writes. */
export const insertComment = (topic: string, partitions: Iterable<number>): string =>
  [COMMENT, topic, [...partitions].join(',')].join(' ')

/** The reverse of {@link insertComment}; undefined where the text is another's. */
export function readInsertComment(text: string): { topic: string; partitions: number[] } | undefined {
  const [mark, topic, partitions] = text.split(' ')
  if (mark !== COMMENT || topic === undefined || partitions === undefined) return undefined
  return { topic, partitions: partitions.split(',').map(Number) }
}

/** Sends a container file into columns of a table, with the settings the promise leans on. */
export async function insertContainer(
  clickhouse: ClickHouseClient,
  into: { table: string; columns: readonly string[]; container: Buffer; log_comment: string; query_s_max?: number },
): Promise<void> {
  const { stream } = await clickhouse.exec({
    query: `INSERT INTO ${into.table} (${into.columns.join(', ')}) FORMAT Avro`,
    values: Readable.from([into.container], { objectMode: false }),
    clickhouse_settings: {
      ...INSERT_SETTINGS,
      max_execution_time: into.query_s_max ?? QUERY_S_MAX,
      log_comment: into.log_comment,
    },
  })
  // The answer has no body; reading it to its end gives the connection back.
  for await (const _ of stream) void _
}

/** `query_s_max`: when the server gives up; sooner than the client (config.ts). */
export function createInsert(clickhouse: ClickHouseClient, table: string, query_s_max = QUERY_S_MAX) {
  return async function insert(rows: readonly GoodRow[], facts: BatchFacts): Promise<void> {
    const log_comment = insertComment(facts.topic, new Set(rows.map(row => row.partition)))
    await insertContainer(clickhouse, {
      table,
      columns: STORED_COLUMNS,
      container: containerOf(rows, facts),
      log_comment,
      query_s_max,
    })
  }
}
export type Insert = ReturnType<typeof createInsert>
