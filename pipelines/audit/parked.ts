/** Records that ingest set aside although no producer's mistake is certain: somebody has to look at each. */
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../../common/clickhouse.ts'
import { TOPIC } from '../../common/progress.ts'

export interface Parked {
  total: number
  by_reason: Record<string, number>
  /** The first of them. */
  named: { reason: string; topic_epoch: number; partition: number; offset: string }[]
}

/** `undecodable`: ingest failed at them, or nothing can read them. `misplaced`: they cannot be brought home. */
export const PARKED_REASONS: ReadonlySet<string> = new Set(['undecodable', 'misplaced'])
const REASONS = `(${[...PARKED_REASONS].map(reason => `'${reason}'`).join(', ')})`

export async function parkedRecords(clickhouse: ClickHouseClient, limit: number): Promise<Parked> {
  const where = `topic = {topic:String} AND reason IN ${REASONS}`
  const [counts, named] = await Promise.all([
    rowsOf<{ reason: string; records: number }>(
      clickhouse,
      `SELECT reason, uniqExact(topic_epoch, partition, offset) AS records FROM dead_letters WHERE ${where} GROUP BY reason ORDER BY reason`,
      { topic: TOPIC },
    ),
    rowsOf<Parked['named'][0]>(
      clickhouse,
      `SELECT reason, topic_epoch, partition, toString(d.offset) AS offset FROM dead_letters AS d WHERE ${where}
       GROUP BY reason, topic_epoch, partition, d.offset ORDER BY min(failed_at), partition, d.offset LIMIT ${limit}`,
      { topic: TOPIC },
    ),
  ])
  return {
    total: counts.reduce((sum, { records }) => sum + records, 0),
    by_reason: Object.fromEntries(counts.map(({ reason, records }) => [reason, records])),
    named,
  }
}
