/** How a batch is written into ClickHouse, and by what it is known while it runs. */
import { Readable } from 'node:stream'
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client'
import { QUERY_S_MAX } from './clickhouse.ts'

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
