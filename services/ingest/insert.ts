/**
 * Step 3: one INSERT per batch, which is one ClickHouse block, which is one commit of events; the ledger is balanced in it.
 *
 * An error is either transient (ClickHouse away, overloaded, too slow: read the records again later) or unknown. A batch that
 * was inserted although the answer got lost is inserted again; the ledger does not mind.
 */
import { type ClickHouseClient, ClickHouseError } from '@clickhouse/client'
import { cpu_s } from '../../common/busy.ts'
import { QUERY_S_MAX } from '../../common/clickhouse.ts'
import { insertComment, insertContainer } from '../../common/insert.ts'
import { type BatchFacts, containerOf, STORED_COLUMNS } from './container.ts'
import type { Rows } from './rows.ts'

/** The partition count has changed under a batch (see the view `balance`): read the count, classify again. */
const COUNT_CHANGED = /the partition count has changed/
export const isCountChanged = (error: unknown): boolean =>
  error instanceof ClickHouseError && COUNT_CHANGED.test(error.message)

/** Another member has claimed a partition of the batch: this one was believed dead. No record is the reason. */
const FENCED = /another writer has taken over/
export const isFenced = (error: unknown): boolean => error instanceof ClickHouseError && FENCED.test(error.message)

/** A larger block is not kept for the next batch. */
const SPARE_BYTES_MAX = 33_554_432

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
    const began_s = cpu_s()
    const { file, memory } = containerOf(rows, facts, spares.pop())
    onBusy(cpu_s() - began_s)
    await insertContainer(clickhouse, { table, columns: STORED_COLUMNS, container: file, log_comment, query_s_max })
    if (memory.length <= SPARE_BYTES_MAX) spares.push(memory)
  }
}
export type Insert = ReturnType<typeof createInsert>
