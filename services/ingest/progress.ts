/**
 * Writes how far this member has come, per partition that it owns, into `ingest_progress`: after its commits, at most once a
 * second, and also when there is nothing to do. Everyone who needs to know it reads it there (common/progress.ts).
 *
 * `complete_to` is a promise: no insert that runs or is to come has an earlier `ingested_at`. It holds because
 *  - it is never later than the time of an insert that runs, and a partition in doubt reports nothing;
 *  - a batch's `ingested_at` is never earlier than what was reported of its partitions, whatever the clock does; a new owner
 *    reads what was reported after it has claimed the partition and ended earlier inserts;
 *  - a member that lost a partition reports nothing of it: the row is written only for the partition's last claim.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { insertComment } from '../../common/insert.ts'
import type { Log } from '../../common/log.ts'
import { progressOf } from '../../common/progress.ts'
import type { Ownership } from './ownership.ts'
import type { TopicEpochs } from './topic-epochs.ts'

const EVERY_MS = 1_000
/** A claim is a row and a wait; a partition without records gets its own only when it stays without. */
const IDLE_CLAIM_MS = 2_000

interface Position {
  next_offset: bigint
  log_append_time_ms: number
  /** Reported, and from now on the earliest time of a batch. */
  complete_to_ms: number
  assigned_ms: number
  /** The partition's life that the offset belongs to, from its beginning on: before `topic_epochs` has it. */
  topic_epoch: number
}

export interface ProgressDeps {
  clickhouse: ClickHouseClient
  topic: string
  ownership: Pick<Ownership, 'isDoubtful' | 'ensure' | 'writerOf'>
  epochs: Pick<TopicEpochs, 'of' | 'isKnown'>
  countEpoch: () => bigint
  /** The ends of the partitions now, behind open transactions; where ingest has come so far, all that Kafka had before is settled. */
  appended: () => Promise<ReadonlyMap<number, bigint>>
  log: Log
  now: () => number
}

export interface Progress {
  /** These are ours now, and no others. */
  assigned(partitions: readonly number[]): void
  /** Reads what was reported of partitions by their earlier owners. Called at every claim. */
  claimed(partitions: readonly number[]): Promise<void>
  /** The time of a batch that begins now; until {@link end} the partitions report no later one. */
  begin(partitions: Iterable<number>): number
  end(partitions: Iterable<number>): void
  /** Everything before `next_offset` is settled and committed. */
  committed(partition: number, next_offset: bigint, log_append_time_ms: number): void
  /** The partition begins another life; what was reported of the one before says nothing of it. */
  restarted(partition: number, low: bigint, topic_epoch: number): void
  /** Per partition the offset behind what is settled, as far as known. */
  settled(): ReadonlyMap<number, bigint>
  start(): void
  stop(): Promise<void>
}

export function createProgress(deps: ProgressDeps): Progress {
  const { clickhouse, topic, ownership, log, now } = deps
  const positions = new Map<number, Position>()
  const running = new Map<number, number>()
  let last_written_ms = Number.NEGATIVE_INFINITY
  let changed = false
  let failed = false
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> = Promise.resolve()

  function positionOf(partition: number): Position {
    const known = positions.get(partition)
    if (known !== undefined) return known
    const fresh = { next_offset: 0n, log_append_time_ms: 0, complete_to_ms: 0, assigned_ms: now(), topic_epoch: 0 }
    positions.set(partition, fresh)
    return fresh
  }

  async function claimed(partitions: readonly number[]): Promise<void> {
    const reported = await progressOf(clickhouse, topic)
    for (const partition of partitions) {
      const position = positionOf(partition)
      const row = reported.get(partition)
      if (row === undefined) continue
      position.complete_to_ms = Math.max(position.complete_to_ms, row.complete_to_ms)
      if (row.topic_epoch !== Math.max(position.topic_epoch, deps.epochs.of(partition))) continue
      if (row.next_offset > position.next_offset) position.next_offset = row.next_offset
      position.log_append_time_ms = Math.max(position.log_append_time_ms, row.log_append_time_ms)
    }
  }

  /** Where all is read, all that Kafka had when it was asked is settled. */
  async function lookAtEnds(): Promise<void> {
    const asked_ms = now()
    const ends = await deps.appended()
    for (const [partition, position] of positions) {
      const end = ends.get(partition)
      if (end !== undefined && !running.has(partition) && position.next_offset >= end)
        position.log_append_time_ms = Math.max(position.log_append_time_ms, asked_ms)
    }
  }

  async function write(): Promise<void> {
    const idle = [...positions]
      .filter(
        ([partition, { assigned_ms }]) =>
          ownership.isDoubtful(partition) && !running.has(partition) && now() - assigned_ms > IDLE_CLAIM_MS,
      )
      .map(([partition]) => partition)
    await ownership.ensure(idle)
    if (!changed) await lookAtEnds()
    changed = false
    const rows: (string | number)[][] = []
    for (const [partition, position] of positions) {
      if (ownership.isDoubtful(partition) || !deps.epochs.isKnown(partition)) continue
      if (position.topic_epoch > deps.epochs.of(partition)) continue
      position.complete_to_ms = Math.max(position.complete_to_ms, running.get(partition) ?? now())
      rows.push([
        partition,
        deps.epochs.of(partition),
        String(position.next_offset),
        Math.round(position.log_append_time_ms),
        position.complete_to_ms,
        ownership.writerOf(partition),
      ])
    }
    if (rows.length === 0) return
    await clickhouse.command({
      query: `INSERT INTO ingest_progress (topic, topic_epoch, partition, next_offset, log_append_time, complete_to)
        SELECT {topic:String}, row.2, row.1, row.3, fromUnixTimestamp64Milli(row.4, 'UTC'), fromUnixTimestamp64Milli(row.5, 'UTC')
        FROM (SELECT arrayJoin(arrayMap(r -> (toInt32(r.1), toUInt32(r.2), toInt64(r.3), toInt64(r.4), toInt64(r.5), r.6), ${literalOf(rows)})) AS row)
        WHERE (row.1, row.6) IN (SELECT partition, argMax(writer, (epoch, writer)) FROM partition_owners WHERE topic = {topic:String} GROUP BY partition)`,
      query_params: { topic },
      clickhouse_settings: {
        async_insert: 0,
        insert_deduplicate: 0,
        transform_null_in: 0,
        // A new owner of a partition ends it, or waits for it, like any insert of the earlier one.
        log_comment: insertComment(
          topic,
          rows.map(([partition]) => partition as number),
          deps.countEpoch(),
        ),
      },
    })
  }

  /** Best effort: what is not written now is written in a second; figures only look older than they are. */
  async function tick(): Promise<void> {
    if (positions.size === 0 || now() - last_written_ms < EVERY_MS / 2) return
    last_written_ms = now()
    try {
      await write()
      failed = false
    } catch (error) {
      if (!failed) log.warn({ err: error }, 'progress could not be written; it is tried again every second')
      failed = true
    }
  }

  return {
    assigned(partitions) {
      for (const partition of positions.keys()) if (!partitions.includes(partition)) positions.delete(partition)
      for (const partition of partitions) positionOf(partition).assigned_ms = now()
    },
    claimed,
    begin(partitions) {
      const list = [...partitions]
      // Later than what was reported, so that figures up to there stay final.
      const at_ms = Math.max(now(), ...list.map(partition => positionOf(partition).complete_to_ms + 1))
      for (const partition of list) running.set(partition, at_ms)
      return at_ms
    },
    end(partitions) {
      for (const partition of partitions) running.delete(partition)
    },
    committed(partition, next_offset, log_append_time_ms) {
      const position = positions.get(partition)
      if (position === undefined) return
      position.next_offset = next_offset
      position.log_append_time_ms = Math.max(position.log_append_time_ms, log_append_time_ms)
      changed = true
    },
    restarted(partition, low, topic_epoch) {
      Object.assign(positionOf(partition), { next_offset: low, log_append_time_ms: 0, topic_epoch })
      changed = true
    },
    settled: () => new Map([...positions].map(([partition, { next_offset }]) => [partition, next_offset])),
    start() {
      timer = setInterval(() => {
        writing = writing.then(tick)
      }, EVERY_MS)
      timer.unref()
    },
    async stop() {
      clearInterval(timer)
      await writing
      last_written_ms = Number.NEGATIVE_INFINITY
      await tick()
    },
  }
}

/** Numbers and own tokens only; a parameter of tuples would be quoted twice. */
const literalOf = (rows: (string | number)[][]): string =>
  `[${rows.map(row => `(${row.map(value => (typeof value === 'number' || /^-?\d+$/.test(value) ? value : `'${value.replaceAll(/['\\]/g, '')}'`)).join(', ')})`).join(', ')}]`
