/**
 * The partition count that a dossier's partition is computed from: the one in force in ClickHouse (`partition_counts`), which
 * follows the broker's.
 *
 * Two members that count differently would write one dossier from two partitions at once. So every batch names the epoch it
 * was classified under, and the ledger refuses a batch of another epoch than the one in force. Who sees another count at the
 * broker writes the next epoch; who adopts an epoch first ends and waits out what still runs under earlier ones.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { type CountInForce, countInForce } from '../../common/count-in-force.ts'
import type { Log } from '../../common/log.ts'
import type { Ownership } from './ownership.ts'

export interface PartitionCount {
  current(): CountInForce
  /** Looks at the broker and at ClickHouse; when it resolves, {@link current} may be written under. Throws what they throw. */
  refresh(): Promise<void>
  /** Whether that count is in force in ClickHouse; where it is not, {@link current} is refreshed. Throws likewise. */
  holds(under: CountInForce): Promise<boolean>
}

export interface PartitionCountDeps {
  clickhouse: ClickHouseClient
  topic: string
  /** Who writes the epoch. */
  process: string
  /** Asks the broker. */
  countAtBroker: () => Promise<number>
  ownership: Pick<Ownership, 'endInsertsBefore'>
  log: Log
  now: () => number
}

/** A broker that is behind tells the old, smaller count for a while. A topic made again with fewer partitions goes on telling it. */
const SMALLER_MS_MIN = 8_000

export function createPartitionCount(deps: PartitionCountDeps): PartitionCount {
  const { clickhouse, topic, log, now } = deps
  let current: CountInForce | undefined
  let smaller_since_ms: number | undefined
  let turn: Promise<unknown> = Promise.resolve()

  const write = (partitions: number) =>
    clickhouse.command({
      query: `INSERT INTO partition_counts (topic, epoch, written_by)
        SELECT {topic:String}, (intDiv(last, 65536) + 1) * 65536 + {partitions:UInt64}, {process:String}
        FROM (SELECT max(epoch) AS last FROM partition_counts WHERE topic = {topic:String})
        WHERE bitAnd(last, 65535) != {partitions:UInt64}`,
      query_params: { topic, partitions, process: deps.process },
      clickhouse_settings: { async_insert: 0, insert_deduplicate: 0, aggregate_functions_null_for_empty: 0 },
    })

  async function look(): Promise<void> {
    const seen = await deps.countAtBroker()
    let wanted = await countInForce(clickhouse, topic)
    smaller_since_ms = seen < wanted.partitions ? (smaller_since_ms ?? now()) : undefined
    if (seen > wanted.partitions || now() - (smaller_since_ms ?? now()) >= SMALLER_MS_MIN) {
      await write(seen)
      wanted = await countInForce(clickhouse, topic)
      smaller_since_ms = undefined
    }
    if (wanted.epoch === current?.epoch) return
    await deps.ownership.endInsertsBefore(wanted.epoch)
    log.info({ topic, partitions: wanted.partitions, before: current?.partitions }, 'partition count in force')
    current = wanted
  }

  function refresh(): Promise<void> {
    const mine = turn.then(look)
    turn = mine.catch(() => undefined)
    return mine
  }

  return {
    current() {
      if (current === undefined) throw new Error(`the partition count of ${topic} was never read`)
      return current
    },
    refresh,
    async holds(under) {
      if ((await countInForce(clickhouse, topic)).epoch === under.epoch) return true
      await refresh()
      return false
    },
  }
}
