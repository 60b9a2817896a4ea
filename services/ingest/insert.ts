/**
 * Step 3: one INSERT per batch, which is one ClickHouse block, which is one commit of events; the ledger is balanced in it.
 *
 * An error is either transient (ClickHouse away, overloaded, too slow: read the records again later) or unknown. A batch that
 * was inserted although the answer got lost is inserted again; the ledger does not mind.
 */
import { Readable } from 'node:stream'
import { type ClickHouseClient, ClickHouseError, type ClickHouseSettings } from '@clickhouse/client'
import { RegistryUnavailable } from '../../schemas/registry.ts'
import { QUERY_S_MAX } from '../common/clickhouse.ts'
import { UnacknowledgedError } from '../common/send.ts'
import { type BatchFacts, containerOf, STORED_COLUMNS } from './container.ts'
import type { Rows } from './rows.ts'

/** Above any batch, so that a batch is never cut into blocks. */
const BLOCK_ROWS = '1000000'

/**
 * Settings that exactness depends on; sent with every insert so that no profile can override them.
 * The view repeats those that change what it computes.
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

/** ClickHouse's transient error codes: time-outs, too much at once, no memory, network, read-only, shutting down. */
const TRANSIENT_CODES = new Set([
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
export function isTransient(error: unknown): boolean {
  if (error instanceof RegistryUnavailable || error instanceof UnacknowledgedError) return true
  if (error instanceof ClickHouseError) return TRANSIENT_CODES.has(error.code) || DISK_FULL.test(error.message)
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ('code' in at && NETWORK.has(String(at.code))) return true
    // @clickhouse/client has no class and no code for these two.
    if (at.message === 'Timeout error.' || at.message === 'socket hang up') return true
  }
  return false
}

/** The partition count has changed under a batch (see the view `balance`): read the count, classify again. */
const COUNT_CHANGED = /the partition count has changed/
export const isCountChanged = (error: unknown): boolean =>
  error instanceof ClickHouseError && COUNT_CHANGED.test(error.message)

/** Another member has claimed a partition of the batch: this one was believed dead. No record is the reason. */
const FENCED = /another writer has taken over/
export const isFenced = (error: unknown): boolean => error instanceof ClickHouseError && FENCED.test(error.message)

const COMMENT = 'motcua-ingest'

/** What an insert writes: by this it can be found in system.processes. */
export interface InsertName {
  topic: string
  partitions: number[]
  count_epoch: bigint
}

export const insertComment = (topic: string, partitions: Iterable<number>, count_epoch = 0n): string =>
  [COMMENT, topic, [...partitions].join(','), count_epoch].join(' ')

/** The reverse of {@link insertComment}; undefined where the text is another's. */
export function readInsertComment(text: string): InsertName | undefined {
  const [mark, topic, partitions, count_epoch] = text.split(' ')
  if (mark !== COMMENT || topic === undefined || partitions === undefined) return undefined
  return { topic, partitions: partitions.split(',').map(Number), count_epoch: BigInt(count_epoch ?? 0) }
}

/** A larger block is not kept for the next batch. */
const SPARE_BYTES_MAX = 33_554_432

/** Sends a container file into columns of a table, with the settings that exactness depends on. */
export async function insertContainer(
  clickhouse: ClickHouseClient,
  into: {
    table: string
    columns: readonly string[]
    container: readonly Buffer[]
    log_comment: string
    query_s_max?: number
  },
): Promise<void> {
  const { stream } = await clickhouse.exec({
    query: `INSERT INTO ${into.table} (${into.columns.join(', ')}) FORMAT Avro`,
    values: Readable.from(into.container, { objectMode: false }),
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
export function createInsert(
  clickhouse: ClickHouseClient,
  table: string,
  query_s_max = QUERY_S_MAX,
  onBusy: (seconds: number) => void = () => undefined,
) {
  /** Blocks of inserts that were acknowledged. After a failure a request may still be on its way: its block is left to it. */
  const spares: Buffer[] = []
  return async function insert(rows: Rows, facts: BatchFacts): Promise<void> {
    const log_comment = insertComment(facts.topic, rows.partitions(), facts.count_epoch)
    const began_ms = performance.now()
    const { file, memory } = containerOf(rows, facts, spares.pop())
    onBusy((performance.now() - began_ms) / 1_000)
    await insertContainer(clickhouse, { table, columns: STORED_COLUMNS, container: file, log_comment, query_s_max })
    if (memory.length <= SPARE_BYTES_MAX) spares.push(memory)
  }
}
export type Insert = ReturnType<typeof createInsert>
