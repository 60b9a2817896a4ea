/**
 * Who may write a partition's dossiers: the process that claimed it last. Two writers of one dossier at the same time would
 * both read the same ledger and both post.
 *
 * Kafka gives a partition to one member at a time, but it cannot reach into ClickHouse: a member that was stopped for a while
 * (or an insert still on its way) may write after its partition has gone to another. So a new owner (1) writes a claim with a
 * higher epoch, from which moment the ledger refuses every insert that begins under an older one, and (2) ends and waits out
 * the inserts that began before. Only then it inserts.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../common/clickhouse.ts'
import type { Log } from '../common/log.ts'
import { isPassing, readInsertComment } from './insert.ts'

const RETRY_MS = 1_000
const POLL_MS = 100
/** A killed insert that is still there after this long is no passing trouble. */
const WAIT_MS_MAX = 30_000

export interface OwnershipDeps {
  clickhouse: ClickHouseClient
  topic: string
  writer: string
  log: Log
  now?: () => number
}

export function createOwnership({ clickhouse, topic, writer, log, now = Date.now }: OwnershipDeps) {
  async function writeClaim(partitions: readonly number[]): Promise<void> {
    await clickhouse.command({
      query: `INSERT INTO partition_owners (topic, partition, epoch, writer)
        SELECT {topic:String}, arrayJoin({partitions:Array(Int32)}), (SELECT max(epoch) + 1 FROM partition_owners), {writer:String}`,
      query_params: { topic, partitions: [...partitions], writer },
      clickhouse_settings: { async_insert: 0, insert_deduplicate: 0 },
    })
  }

  /** Inserts of these partitions that another process has under way. */
  async function othersInserts(partitions: readonly number[]): Promise<{ query_id: string; comment: string }[]> {
    const running = await rowsOf<{ query_id: string; comment: string }>(
      clickhouse,
      "SELECT query_id, Settings['log_comment'] AS comment FROM system.processes WHERE Settings['log_comment'] LIKE 'motcua-ingest %'",
    )
    return running.filter(({ comment }) => {
      const insert = readInsertComment(comment)
      return (
        insert?.topic === topic &&
        insert.writer !== writer &&
        insert.partitions.some(partition => partitions.includes(partition))
      )
    })
  }

  async function endOthersInserts(partitions: readonly number[]): Promise<void> {
    const end_ms = now() + WAIT_MS_MAX
    for (let others = await othersInserts(partitions); others.length > 0; others = await othersInserts(partitions)) {
      if (now() > end_ms)
        throw new Error(`inserts of an earlier owner do not end: ${others.map(other => other.query_id).join(', ')}`)
      log.warn(
        { inserts: others.map(other => other.comment) },
        'an earlier owner of a partition is still inserting; its inserts are ended',
      )
      // SYNC never returns on the local engine; asked again each round, because a query may not yet have been cancellable.
      for (const { query_id } of others)
        await clickhouse.command({
          query: 'KILL QUERY WHERE query_id = {query_id:String} ASYNC',
          query_params: { query_id },
        })
      await sleep(POLL_MS)
    }
  }

  let latest = 0
  return {
    /** Resolves when these partitions may be written; a later call puts an end to the trying of an earlier one. */
    async claim(partitions: readonly number[]): Promise<void> {
      const turn = ++latest
      while (partitions.length > 0 && turn === latest) {
        try {
          await writeClaim(partitions)
          await endOthersInserts(partitions)
          return
        } catch (error) {
          if (!isPassing(error)) throw error
          log.warn({ err: error }, 'ClickHouse does not take the claim of the partitions; trying again')
          await sleep(RETRY_MS)
        }
      }
    },
    stop() {
      latest++
    },
  }
}
