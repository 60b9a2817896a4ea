/** The partition count that a dossier's partition is computed from (ingest/partition-count.ts writes it). */
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from './clickhouse.ts'

export interface CountInForce {
  /** Its lower 16 bits are the count, so that one epoch cannot mean two counts. */
  epoch: bigint
  partitions: number
}

/** The count in force; 0 where no ingest has ever run. */
export async function countInForce(clickhouse: ClickHouseClient, topic: string): Promise<CountInForce> {
  const [row] = await rowsOf<{ epoch: string }>(
    clickhouse,
    'SELECT toString(max(epoch)) AS epoch FROM partition_counts WHERE topic = {topic:String}',
    { topic },
  )
  const epoch = BigInt(row?.epoch ?? 0)
  return { epoch, partitions: Number(epoch & 0xffffn) }
}
