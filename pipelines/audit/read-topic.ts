/**
 * Reads chosen offsets of a topic again, without a consumer group and without a trace. Offsets at which there is no record
 * (marks of transactions) are passed over. However large the records are, only some MiB are handed over at a time.
 *
 * Throws {@link TopicUnreadable} when the broker gives nothing for a while, or no longer has what is asked for: unread is not
 * the same as empty.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kafka } from 'kafkajs'
import { type Fetched, type Fetcher, openFetcher, type TopicRecord } from '../../common/fetch.ts'
import { batchesOf } from '../../common/send.ts'

/** Offsets from first to last, both included. */
export interface Range {
  first: bigint
  last: bigint
}

export class TopicUnreadable extends Error {
  readonly code: 'TOPIC_UNREADABLE' | 'SCHEMA_UNAVAILABLE'
  constructor(code: TopicUnreadable['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'TopicUnreadable'
    this.code = code
  }
}

const RECORDS_AT_ONCE = 1_000
const BYTES_AT_ONCE = 4_194_304
const SILENCE_MS_MAX = 30_000
const PAUSE_MS = 500

export interface ReadLimits {
  silence_ms_max?: number
}

/** Calls `onRecords` with every record in the ranges, in order within a partition. Ranges are ascending and apart. */
export async function readRanges(
  kafka: Kafka,
  topic: string,
  ranges: ReadonlyMap<number, readonly Range[]>,
  onRecords: (records: TopicRecord[]) => Promise<void>,
  limits: ReadLimits = {},
): Promise<void> {
  if ([...ranges.values()].every(list => list.length === 0)) return
  const fetcher = openFetcher(kafka)
  try {
    for (const [partition, list] of ranges) await readPartition({ fetcher, topic, partition, limits }, list, onRecords)
  } finally {
    await fetcher.close()
  }
}

interface Place {
  fetcher: Pick<Fetcher, 'read'>
  topic: string
  partition: number
  limits: ReadLimits
}

/** One partition of {@link readRanges}; exported for its test. */
export async function readPartition(
  place: Place,
  ranges: readonly Range[],
  onRecords: (records: TopicRecord[]) => Promise<void>,
): Promise<void> {
  let at = 0n
  for (let open = 0; open < ranges.length; ) {
    const { first } = ranges[open] as Range
    if (at < first) at = first
    const { records, next } = await readOn(place, at)
    const wanted = records.filter(({ offset }) => within(offset, ranges))
    for (const some of batchesOf(wanted, BYTES_AT_ONCE, RECORDS_AT_ONCE)) await onRecords(some)
    at = next
    while (open < ranges.length && (ranges[open] as Range).last < at) open++
  }
}

/** Reads until there is something, or something to pass over. */
async function readOn({ fetcher, topic, partition, limits }: Place, from: bigint): Promise<Fetched> {
  const { silence_ms_max = SILENCE_MS_MAX } = limits
  const what = `${topic} partition ${partition} from offset ${from}`
  let failure: unknown
  for (const end = performance.now() + silence_ms_max; ; ) {
    try {
      const fetched = await fetcher.read(topic, partition, from)
      if (fetched.next > from) return fetched
    } catch (error) {
      if ((error as { type?: string }).type === 'OFFSET_OUT_OF_RANGE')
        throw new TopicUnreadable('TOPIC_UNREADABLE', `the broker no longer has ${what}; look again`, { cause: error })
      failure = error
    }
    if (performance.now() > end)
      throw new TopicUnreadable(
        'TOPIC_UNREADABLE',
        `the broker gave nothing of ${what} for ${silence_ms_max / 1000} s${failure === undefined ? '' : `: ${(failure as Error).message}`}`,
        { cause: failure },
      )
    await sleep(Math.min(PAUSE_MS, silence_ms_max / 10))
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
