/** How far ingest has come in its topic, as the broker has it. It needs no ingest process, and changes nothing. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Admin, Kafka } from 'kafkajs'
import { withAdmin } from '../common/kafka.ts'

export const TOPIC = 'dossier-events'
export const GROUP = 'motcua-ingest'
const POLL_MS = 300

export interface Offsets {
  low: bigint
  high: bigint
  committed: bigint
}

/**
 * Where the topic begins and ends and how far ingest has committed, per partition. Committed first, then the ends: what was
 * re-homed before the one is in the other.
 */
export async function offsetsOf(
  admin: Pick<Admin, 'fetchOffsets' | 'fetchTopicOffsets'>,
): Promise<Map<number, Offsets>> {
  const [answer] = await admin.fetchOffsets({ groupId: GROUP, topics: [TOPIC] })
  const committed = new Map(answer?.partitions.map(one => [one.partition, BigInt(one.offset)]))
  const ends = await admin.fetchTopicOffsets(TOPIC)
  return new Map(
    ends.map(({ partition, low, high }) => {
      const at = committed.get(partition) ?? -1n
      return [partition, { low: BigInt(low), high: BigInt(high), committed: at < 0n ? 0n : at }]
    }),
  )
}

/** Per partition the offset that ingest must have committed, so that everything before it has been taken in. */
export type Until = ReadonlyMap<number, bigint>

/** All that is in the topic now. */
export const untilNow = async ({ kafka }: { kafka: Kafka }): Promise<Until> =>
  new Map(
    [...(await withAdmin(kafka, offsetsOf))]
      .filter(([, { low, high }]) => high !== low)
      .map(([partition, { high }]) => [partition, high]),
  )

export const reached = (offsets: ReadonlyMap<number, Offsets>, until: Until): boolean =>
  [...until].every(([partition, offset]) => (offsets.get(partition)?.committed ?? 0n) >= offset)

/** Whether ingest commits as far within the limit. */
export const caughtUp = ({ kafka }: { kafka: Kafka }, until: Until, limit_ms: number): Promise<boolean> =>
  withAdmin(kafka, async admin => {
    for (const end = performance.now() + limit_ms; ; await sleep(POLL_MS)) {
      if (reached(await offsetsOf(admin), until)) return true
      if (performance.now() > end) return false
    }
  })
