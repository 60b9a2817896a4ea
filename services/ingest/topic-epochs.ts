/**
 * Recognises a partition that is no longer the one it was: its topic was deleted and made again, or its end was cut off. Kafka
 * counts offsets from the beginning again then, and whatever goes by offsets would take new records for old ones.
 *
 * Of every partition the first record is noted (`topic_epochs`). Where the record at that offset is another one, or where the
 * end lies below what ingest has settled, the epoch grows: the partition is read from its beginning, and the epoch joins the
 * coordinates of its records in the log.
 */
import { createHash } from 'node:crypto'
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../../common/clickhouse.ts'
import type { Ends, Fetcher, TopicRecord } from '../../common/fetch.ts'
import type { Log } from '../../common/log.ts'

/** A partition that turned out to be a new one, and where it begins. */
export interface NewLife {
  partition: number
  epoch: number
  low: bigint
}

export interface TopicEpochs {
  /** The epoch of a partition; 0 where it was not looked at yet. */
  of(partition: number): number
  isKnown(partition: number): boolean
  /** Whether its first record is noted; not yet, where it had none when it was looked at. */
  hasFirst(partition: number): boolean
  /** Another member may have noted something meanwhile. */
  reread(): void
  /**
   * Looks at partitions. `settled`: per partition the offset behind the last settled record, as far as known. `onNewLife` is
   * awaited before a new epoch is noted, so that a crash in between finds it again.
   */
  check(
    partitions: readonly number[],
    settled: ReadonlyMap<number, bigint>,
    onNewLife: (life: NewLife) => Promise<void>,
  ): Promise<void>
}

interface Note {
  epoch: number
  first_offset: bigint
  first_hash: string
}

const EMPTY = -1n
const NONE: Note = { epoch: 0, first_offset: EMPTY, first_hash: '0' }

/** 64 bits of a record's time, key and value. */
function hashOf({ timestamp_ms, key, value }: TopicRecord): string {
  const hash = createHash('sha256').update(String(timestamp_ms))
  for (const part of [key, value]) hash.update(part === null ? '-' : `${part.length} `).update(part ?? '')
  return hash.digest().readBigUInt64BE(0).toString()
}

export function createTopicEpochs(deps: {
  clickhouse: ClickHouseClient
  fetcher: Pick<Fetcher, 'ends' | 'read'>
  topic: string
  log: Log
}): TopicEpochs {
  const { clickhouse, fetcher, topic, log } = deps
  const notes = new Map<number, Note>()
  /** Partitions whose notes are as they are in ClickHouse. */
  const read = new Set<number>()

  async function readNotes(partitions: readonly number[]): Promise<void> {
    const unread = partitions.filter(partition => !read.has(partition))
    if (unread.length === 0) return
    const rows = await rowsOf<{ partition: number; epoch: number; first_offset: string; first_hash: string }>(
      clickhouse,
      `SELECT partition, epoch, toString(first_offset) AS first_offset, toString(first_hash) AS first_hash
       FROM topic_epochs WHERE topic = {topic:String} AND partition IN {partitions:Array(Int32)}
       ORDER BY epoch DESC, noted_at DESC LIMIT 1 BY partition`,
      { topic, partitions: unread },
    )
    for (const { partition, epoch, first_offset, first_hash } of rows)
      notes.set(partition, { epoch, first_offset: BigInt(first_offset), first_hash })
    for (const partition of unread) {
      if (!notes.has(partition)) notes.set(partition, NONE)
      read.add(partition)
    }
  }

  async function note(partition: number, { epoch, first_offset, first_hash }: Note): Promise<void> {
    await clickhouse.command({
      query: `INSERT INTO topic_epochs (topic, partition, epoch, first_offset, first_hash)
        VALUES ({topic:String}, {partition:Int32}, {epoch:UInt32}, {first_offset:Int64}, {first_hash:UInt64})`,
      query_params: { topic, partition, epoch, first_offset: String(first_offset), first_hash },
      clickhouse_settings: { async_insert: 0, insert_deduplicate: 0 },
    })
    notes.set(partition, { epoch, first_offset, first_hash })
  }

  /** The first record from an offset on; marks of transactions are passed over. */
  async function recordAt(partition: number, from: bigint, high: bigint): Promise<TopicRecord | undefined> {
    for (let at = from; at < high; ) {
      const { records, next } = await fetcher.read(topic, partition, at, 1, 1)
      if (records[0] !== undefined) return records[0]
      if (next === at) return undefined
      at = next
    }
    return undefined
  }

  async function noteFirst(partition: number, epoch: number, { low, high }: Ends): Promise<void> {
    const first = await recordAt(partition, low, high)
    if (first !== undefined) await note(partition, { epoch, first_offset: first.offset, first_hash: hashOf(first) })
    else if (epoch !== notes.get(partition)?.epoch)
      await note(partition, { epoch, first_offset: EMPTY, first_hash: '0' })
  }

  async function isAnother(partition: number, known: Note, { low, high }: Ends, settled: bigint): Promise<boolean> {
    if (settled > high) return true
    if (known.first_offset === EMPTY || known.first_offset < low) return false
    const record = await recordAt(partition, known.first_offset, high)
    return record === undefined || record.offset !== known.first_offset || hashOf(record) !== known.first_hash
  }

  return {
    of: partition => notes.get(partition)?.epoch ?? 0,
    isKnown: partition => notes.has(partition),
    hasFirst: partition => (notes.get(partition)?.first_offset ?? EMPTY) !== EMPTY,
    reread: () => read.clear(),
    async check(partitions, settled, onNewLife) {
      await readNotes(partitions)
      const ends = await fetcher.ends(topic)
      for (const partition of partitions) {
        const end = ends.get(partition)
        const known = notes.get(partition) as Note
        // A topic that is gone may come back; until then nothing can be said.
        if (end === undefined) continue
        if (await isAnother(partition, known, end, settled.get(partition) ?? 0n)) {
          const epoch = known.epoch + 1
          log.warn(
            { topic, partition, topic_epoch: epoch, low: String(end.low), high: String(end.high) },
            'the partition was made again or cut off at its end; it is read from its beginning',
          )
          await onNewLife({ partition, epoch, low: end.low })
          await noteFirst(partition, epoch, end)
        } else if (known.first_offset === EMPTY || known.first_offset < end.low)
          await noteFirst(partition, known.epoch, end)
      }
    },
  }
}
