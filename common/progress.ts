/**
 * How far ingest has come, as `ingest_progress` has it: the one place from which audits, rebuilds, alerts, samples and pages
 * know it. It needs no ingest process, and changes nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClickHouseClient } from '@clickhouse/client'
import type { Kafka } from 'kafkajs'
import { rowsOf } from './clickhouse.ts'
import { type Ends, openFetcher } from './fetch.ts'

export const TOPIC = 'dossier-events'
export const GROUP = 'motcua-ingest'
const POLL_MS = 200

export interface PartitionProgress {
  /** Which life of the partition; see `topic_epochs`. */
  topic_epoch: number
  /** Everything before it is settled. */
  next_offset: bigint
  /** Kafka's time up to which everything is settled, and the time before which no insert will come; milliseconds. */
  log_append_time_ms: number
  complete_to_ms: number
}

/** Per partition, of its present life. */
export async function progressOf(clickhouse: ClickHouseClient, topic = TOPIC): Promise<Map<number, PartitionProgress>> {
  const rows = await rowsOf<{ partition: number; epoch: number; next: string; appended: number; complete: number }>(
    clickhouse,
    `SELECT partition, topic_epoch AS epoch, toString(max(next_offset)) AS next,
       toUnixTimestamp64Milli(max(log_append_time)) AS appended, toUnixTimestamp64Milli(max(complete_to)) AS complete
     FROM ingest_progress WHERE topic = {topic:String}
     GROUP BY partition, topic_epoch ORDER BY topic_epoch DESC LIMIT 1 BY partition`,
    { topic },
  )
  return new Map(
    rows.map(({ partition, epoch, next, appended, complete }) => [
      partition,
      {
        topic_epoch: epoch,
        next_offset: BigInt(next),
        log_append_time_ms: appended,
        complete_to_ms: complete,
      },
    ]),
  )
}

/** The moment before which no insert will come, milliseconds; 0 where no ingest has ever run. */
export async function completeTo(clickhouse: ClickHouseClient, topic = TOPIC): Promise<number> {
  const [row] = await rowsOf<{ at: number }>(
    clickhouse,
    'SELECT toUnixTimestamp64Milli(complete_to) AS at FROM ingest_watermark WHERE topic = {topic:String}',
    { topic },
  )
  return row?.at ?? 0
}

/** Both ends of every partition of the topic now. */
export async function topicEnds(kafka: Kafka, topic = TOPIC): Promise<Map<number, Ends>> {
  const fetcher = openFetcher(kafka)
  try {
    return await fetcher.ends(topic)
  } finally {
    await fetcher.close()
  }
}

/** Per partition the offset to which ingest must have come, so that everything before it is settled. */
export type Until = ReadonlyMap<number, bigint>

/** All that is in the topic now. */
export const untilNow = async ({ kafka }: { kafka: Kafka }, topic = TOPIC): Promise<Until> =>
  new Map(
    [...(await topicEnds(kafka, topic))]
      .filter(([, { low, high }]) => high !== low)
      .map(([partition, { high }]) => [partition, high]),
  )

export const reached = (progress: ReadonlyMap<number, PartitionProgress>, until: Until): boolean =>
  [...until].every(([partition, offset]) => (progress.get(partition)?.next_offset ?? 0n) >= offset)

/** Whether ingest comes as far within the limit. */
export async function caughtUp(
  { clickhouse }: { clickhouse: ClickHouseClient },
  until: Until,
  limit_ms: number,
): Promise<boolean> {
  for (const end = performance.now() + limit_ms; ; await sleep(POLL_MS)) {
    if (reached(await progressOf(clickhouse), until)) return true
    if (performance.now() > end) return false
  }
}
