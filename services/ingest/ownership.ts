/**
 * Who may write a partition's dossiers: whoever claimed it last. Two writers of one dossier at the same time would both read
 * the same ledger and both post.
 *
 * A partition is in doubt when it was just assigned, and after an insert whose fate is unknown (a time-out, a lost answer).
 * Kafka gives a partition to one member at a time, but it cannot reach into ClickHouse: a member that slept through its own
 * removal may still write, and so may a request of our own that everybody but the network has given up. So before the next
 * insert of a partition in doubt we (1) write a claim under a fresh token, from which moment the ledger refuses every insert
 * that begins under an older one, and (2) end and wait out the inserts that began before.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../../common/clickhouse.ts'
import { type InsertName, readInsertComment } from '../../common/insert.ts'
import type { Log } from '../../common/log.ts'

const POLL_MS = 100
/** An insert that was killed and is still there after this long is no transient error. Longer than any insert may take. */
const WAIT_MS_MAX = 30_000

export interface OwnershipDeps {
  clickhouse: ClickHouseClient
  topic: string
  /** Unique among all processes there ever were. */
  process: string
  log: Log
  now?: () => number
  /** Called with partitions that were just claimed and whose earlier inserts have ended, before anything of them is written. */
  onClaimed?: (partitions: number[]) => Promise<void>
}

export interface Ownership {
  /** These partitions must be claimed before their next insert. */
  doubt(partitions: Iterable<number>): void
  /** Claims those of these partitions that are in doubt. Throws what ClickHouse throws; they stay in doubt then. */
  ensure(partitions: Iterable<number>): Promise<void>
  /** Ends and waits out the inserts of any partition that were classified under an earlier partition count. */
  endInsertsBefore(count_epoch: bigint): Promise<void>
  isDoubtful(partition: number): boolean
  /** The token under which a partition's rows are written. */
  writerOf(partition: number): string
}

export function createOwnership(deps: OwnershipDeps): Ownership {
  const { clickhouse, topic, process, log, now = Date.now, onClaimed = async () => undefined } = deps
  const writers = new Map<number, string>()
  const doubtful = new Set<number>()
  let claims = 0
  /** One claim after the other: of two at once the later token would hold, and the earlier one be remembered. */
  let claiming: Promise<unknown> = Promise.resolve()

  async function writeClaim(partitions: number[], writer: string): Promise<void> {
    await clickhouse.command({
      query: `INSERT INTO partition_owners (topic, partition, epoch, writer)
        SELECT {topic:String}, arrayJoin({partitions:Array(Int32)}), (SELECT max(epoch) + 1 FROM partition_owners), {writer:String}`,
      query_params: { topic, partitions, writer },
      clickhouse_settings: { async_insert: 0, insert_deduplicate: 0 },
    })
  }

  async function insertsUnderWay(which: (insert: InsertName) => boolean): Promise<string[]> {
    const running = await rowsOf<{ comment: string }>(
      clickhouse,
      "SELECT DISTINCT Settings['log_comment'] AS comment FROM system.processes WHERE Settings['log_comment'] LIKE 'motcua-ingest %'",
    )
    return running
      .map(({ comment }) => comment)
      .filter(comment => {
        const insert = readInsertComment(comment)
        return insert?.topic === topic && which(insert)
      })
  }

  async function endInserts(which: (insert: InsertName) => boolean): Promise<void> {
    const end_ms = now() + WAIT_MS_MAX
    for (let running = await insertsUnderWay(which); running.length > 0; running = await insertsUnderWay(which)) {
      if (now() > end_ms) throw new Error(`inserts of an earlier owner do not end: ${running.join('; ')}`)
      log.warn({ inserts: running }, 'earlier inserts of these partitions are still under way; they are ended')
      // SYNC never returns on the local engine; asked again each round, because a query may not yet have been cancellable.
      for (const comment of running)
        await clickhouse.command({
          query: "KILL QUERY WHERE Settings['log_comment'] = {comment:String} ASYNC",
          query_params: { comment },
        })
      await sleep(POLL_MS)
    }
  }

  async function claim(partitions: Iterable<number>): Promise<void> {
    const claimed = [...new Set(partitions)].filter(partition => doubtful.has(partition))
    if (claimed.length === 0) return
    const writer = `${process}-${++claims}`
    await writeClaim(claimed, writer)
    await endInserts(insert => insert.partitions.some(partition => claimed.includes(partition)))
    await onClaimed(claimed)
    for (const partition of claimed) {
      writers.set(partition, writer)
      doubtful.delete(partition)
    }
  }

  return {
    doubt(partitions) {
      for (const partition of partitions) doubtful.add(partition)
    },
    isDoubtful: partition => doubtful.has(partition),
    endInsertsBefore: count_epoch => endInserts(insert => insert.count_epoch < count_epoch),
    ensure(partitions) {
      const mine = claiming.then(() => claim(partitions))
      claiming = mine.catch(() => undefined)
      return mine
    },
    writerOf(partition) {
      const writer = writers.get(partition)
      if (writer === undefined) throw new Error(`partition ${partition} was never claimed`)
      return writer
    },
  }
}
