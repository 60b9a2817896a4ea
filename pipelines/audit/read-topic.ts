/**
 * Reads chosen offsets of a topic again, without a trace: a consumer group of its own that commits nothing and is deleted
 * afterwards. Offsets at which there is no record (marks of transactions) are passed over. Throws {@link TopicUnreadable}
 * when the broker gives nothing for a while: unread is not the same as empty.
 */
import { randomUUID } from 'node:crypto'
import type { Kafka } from 'kafkajs'

/** Offsets from first to last, both included. */
export interface Range {
  first: bigint
  last: bigint
}

export interface TopicRecord {
  partition: number
  offset: bigint
  key: Buffer | null
  value: Buffer | null
  timestamp_ms: number
  headers: Record<string, Buffer | string | (Buffer | string)[] | undefined>
}

export class TopicUnreadable extends Error {
  readonly code = 'TOPIC_UNREADABLE'
}

const RECORDS_AT_ONCE = 1_000
/** A gap between two ranges that is worth a seek instead of reading through it. */
const SEEK_OFFSETS_MIN = 20_000n
const SILENCE_MS_MAX = 60_000

/** Calls `onRecords` with every record in the ranges, in order within a partition. Ranges are ascending and apart. */
export async function readRanges(
  kafka: Kafka,
  topic: string,
  ranges: ReadonlyMap<number, readonly Range[]>,
  onRecords: (records: TopicRecord[]) => Promise<void>,
): Promise<void> {
  const waiting = new Map(
    [...ranges].filter(([, list]) => list.length > 0).map(([partition, list]) => [partition, [...list]]),
  )
  if (waiting.size === 0) return
  const groupId = `motcua-audit-${randomUUID()}`
  const consumer = kafka.consumer({
    groupId,
    allowAutoTopicCreation: false,
    sessionTimeout: 60_000,
    maxWaitTimeInMs: 200,
  })
  const { promise: finished, resolve, reject } = Promise.withResolvers<void>()
  const silence = () =>
    setTimeout(
      () =>
        reject(
          new TopicUnreadable(
            `${topic} gave no record for ${SILENCE_MS_MAX / 1000} s; still to be read: ${describe(waiting)}`,
          ),
        ),
      SILENCE_MS_MAX,
    )
  let watch = silence()

  /** Everything up to this offset has been seen. */
  function passed(partition: number, offset: bigint) {
    clearTimeout(watch)
    watch = silence()
    const list = waiting.get(partition)
    if (list === undefined) return
    while (list[0] !== undefined && list[0].last <= offset) list.shift()
    const next = list[0]
    if (next !== undefined) {
      if (next.first > offset + SEEK_OFFSETS_MIN) consumer.seek({ topic, partition, offset: String(next.first) })
      return
    }
    waiting.delete(partition)
    consumer.pause([{ topic, partitions: [partition] }])
    if (waiting.size === 0) resolve()
  }

  try {
    // A batch that held nothing but marks of transactions is not handed over, only told of.
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
      if (payload.topic === topic) passed(payload.partition, BigInt(payload.lastOffset))
    })
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (!payload.restart) reject(payload.error)
    })
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch, heartbeat }) => {
        try {
          const list = waiting.get(batch.partition) ?? []
          const wanted = batch.messages.filter(({ offset }) => within(BigInt(offset), list))
          for (let at = 0; at < wanted.length; at += RECORDS_AT_ONCE) {
            await onRecords(
              wanted.slice(at, at + RECORDS_AT_ONCE).map(({ offset, key, value, timestamp, headers }) => ({
                partition: batch.partition,
                offset: BigInt(offset),
                key,
                value,
                timestamp_ms: Number(timestamp),
                headers: headers ?? {},
              })),
            )
            await heartbeat()
          }
        } catch (error) {
          reject(error)
        }
      },
    })
    for (const [partition, [first]] of waiting)
      if (first !== undefined) consumer.seek({ topic, partition, offset: String(first.first) })
    await finished
  } finally {
    clearTimeout(watch)
    await consumer.disconnect()
    await forget(kafka, groupId)
  }
}

/** Whether an offset lies in one of the ascending ranges. */
function within(offset: bigint, ranges: readonly Range[]): boolean {
  let [low, high] = [0, ranges.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((ranges[middle] as Range).last < offset) low = middle + 1
    else high = middle
  }
  const range = ranges[low]
  return range !== undefined && range.first <= offset
}

const describe = (waiting: ReadonlyMap<number, readonly Range[]>) =>
  [...waiting].map(([partition, list]) => `partition ${partition} from offset ${list[0]?.first}`).join(', ')

/** A group left behind disappears by itself after some days; it is only tidier without. */
async function forget(kafka: Kafka, groupId: string): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  await admin.deleteGroups([groupId]).catch(() => undefined)
  await admin.disconnect()
}
