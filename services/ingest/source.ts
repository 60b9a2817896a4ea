/**
 * Where records come from: a consumer group member, behind a small port so that another client can take kafkajs's place.
 *
 * The promise: `handle` gets every record of an assigned partition in order, one call per partition at a time, and its
 * offsets are committed only after it said so. It is called for all fetched partitions at once. While a call runs the member
 * keeps its place in the group; a rebalance waits for running calls, so that nobody else starts before they are done.
 */
import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs'
import type { Log } from '../../common/log.ts'
import { type KafkaRecord, type RecordBatch, Records } from '../../common/records.ts'
import { failPoint } from './fail-point.ts'

/** Records of one partition, in order. */
export interface Chunk {
  topic: string
  partition: number
  records: Records
  /** Records of the partition behind this chunk. */
  lag: number
}

/** What became of a chunk. */
export interface ChunkOutcome {
  /** So many of its leading records are settled: they are committed, the others read again. */
  settled: number
  /** Before they are read again. */
  pause_ms?: number
  /** Read on from there instead, without a commit: the partition is not the one it was. */
  seek?: bigint
}

export interface SourceOptions {
  topic: string
  group: string
  partitions: number
  /** Records handed over in one call at most. */
  chunk_rows_max: number
  fetch_wait_ms_max: number
  fetch_bytes_max: number
  /** A killed member keeps its partitions this long. */
  session_ms: number
  /** A rebalance waits so long for running calls; longer than any request to ClickHouse (config.ts). */
  rebalance_ms: number
  heartbeat_ms: number
  handle: (chunk: Chunk) => Promise<ChunkOutcome>
  /** Everything before the offset is committed. */
  onCommitted?: (partition: number, next_offset: bigint, last_time_ms: number) => void
  /** Metadata to commit with an offset. */
  metadataOf?: (partition: number, next_offset: bigint) => string | undefined
  /** The member read nothing because there was nothing. */
  onIdle: () => void
  onPaused: (partitions: number) => void
  onAssigned: (partitions: number[]) => void
  /** Something unknown: nothing was committed, nothing more is read. */
  crash: (error: unknown) => void
  log: Log
}

export interface Source {
  start(): Promise<void>
  /** Commits an offset of an assigned partition. */
  commit(partition: number, offset: bigint, metadata?: string): Promise<void>
  /** Whether a chunk of the partition is in hand. */
  busy(partition: number): boolean
  /** The next fetch of the partition begins there. */
  seek(partition: number, offset: bigint): void
  /** Lets running calls finish, commits, leaves the group. */
  stop(): Promise<void>
}

const METADATA_AGE_MS_MAX = 10_000
/** Of one partition's part of a fetch; others wait for their next. */
const FETCH_MS_MAX = 5_000

export function createKafkaSource(kafka: Kafka, options: SourceOptions): Source {
  const { topic, log } = options
  const consumer: Consumer = kafka.consumer({
    groupId: options.group,
    sessionTimeout: options.session_ms,
    rebalanceTimeout: options.rebalance_ms,
    heartbeatInterval: options.heartbeat_ms,
    allowAutoTopicCreation: false,
    // The broker gathers, so that no timer of ours has to: it answers when there is plenty, or when the wait is over.
    minBytes: Math.floor(options.fetch_bytes_max / 4),
    maxWaitTimeInMs: options.fetch_wait_ms_max,
    maxBytes: options.fetch_bytes_max,
    maxBytesPerPartition: Math.max(1_048_576, Math.floor(options.fetch_bytes_max / 2)),
    // So soon new partitions and leaders are seen.
    metadataMaxAge: METADATA_AGE_MS_MAX,
    retry: { retries: 20, initialRetryTime: 300, maxRetryTime: 10_000, restartOnFailure: async () => true },
  })
  const paused = new Set<number>()
  const wakeUps = new Set<NodeJS.Timeout>()
  const inHand = new Set<number>()
  let stopping = false

  function pause(partition: number, ms: number) {
    consumer.pause([{ topic, partitions: [partition] }])
    paused.add(partition)
    options.onPaused(paused.size)
    const wakeUp = setTimeout(() => {
      wakeUps.delete(wakeUp)
      paused.delete(partition)
      options.onPaused(paused.size)
      if (!stopping) consumer.resume([{ topic, partitions: [partition] }])
    }, ms)
    wakeUps.add(wakeUp)
  }

  const commit = async (partition: number, offset: bigint, metadata?: string) => {
    try {
      await consumer.commitOffsets([{ topic, partition, offset: String(offset), metadata: metadata ?? null }])
    } catch (error) {
      throw memberError(error)
    }
  }

  /** One fetched batch of one partition: hand it over in chunks, commit each, stop at the first that has to wait. */
  async function eachBatch({ batch, resolveOffset, heartbeat, isRunning, isStale }: EachBatchPayload): Promise<void> {
    // A heartbeat that fails says "rebalance": what runs is finished first, then kafkajs sees it again and rejoins.
    const beat = setInterval(() => void heartbeat().catch(() => undefined), options.heartbeat_ms)
    inHand.add(batch.partition)
    async function settledTo(next: bigint, last_ms: number) {
      resolveOffset(String(next - 1n))
      await commit(batch.partition, next, options.metadataOf?.(batch.partition, next))
      options.onCommitted?.(batch.partition, next, last_ms)
    }
    try {
      // kafkajs takes a batch for a message (common/kafka-records.ts). A time that a producer set is no time to judge by.
      const batches = batch.messages as unknown[] as RecordBatch[]
      const { fetchedOffset } = batch as { fetchedOffset?: string }
      const all = Records.of(batches, Number(fetchedOffset ?? 0), Date.now())
      const end = BigInt(batch.lastOffset()) + 1n
      const began_ms = performance.now()
      for (let at = 0; at < all.length && isRunning() && !isStale(); at += options.chunk_rows_max) {
        // The next fetch waits for this one: what is left of a batch of millions comes again with it.
        if (performance.now() - began_ms > FETCH_MS_MAX) return
        const records = all.slice(at, Math.min(all.length, at + options.chunk_rows_max))
        const reached = records.offsetAt(records.length - 1)
        const lag = Math.max(0, Number(batch.highWatermark) - reached - 1)
        const outcome = await options.handle({ topic, partition: batch.partition, lag, records })
        const { settled, pause_ms, seek } = outcome
        if (seek !== undefined) {
          consumer.seek({ topic, partition: batch.partition, offset: String(seek) })
          return
        }
        if (settled > 0) {
          const last = records.at(settled - 1) as KafkaRecord
          await settledTo(at + settled === all.length ? end : last.offset + 1n, last.timestamp_ms)
        }
        if (pause_ms !== undefined) pause(batch.partition, pause_ms)
        if (settled < records.length) return
        await failPoint('committed')
      }
      // Nothing is left of a batch but its end, where others were taken out of it.
      if (all.length === 0 && !isStale()) await settledTo(end, 0)
    } finally {
      clearInterval(beat)
      inHand.delete(batch.partition)
    }
  }

  return {
    async start() {
      consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
        const partitions = payload.memberAssignment[topic] ?? []
        log.info({ topic, partitions }, 'assigned')
        options.onAssigned(partitions)
      })
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        if (!payload.restart) options.crash(payload.error)
      })
      consumer.on(consumer.events.FETCH, () => {
        if (paused.size === 0) options.onIdle()
      })
      // Nothing but control records and aborted transactions: kafkajs moves on without a call, and the commit must follow it.
      consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload: { partition, batchSize, lastOffset } }) => {
        if (batchSize > 0) return
        const next = BigInt(lastOffset) + 1n
        commit(partition, next).then(
          () => options.onCommitted?.(partition, next, 0),
          error =>
            log.warn({ err: error, partition, offset: String(next) }, 'the end of a transaction is committed later'),
        )
      })
      await consumer.connect()
      await consumer.subscribe({ topic, fromBeginning: true })
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        // More than there are now: their number may grow.
        partitionsConsumedConcurrently: Math.max(64, options.partitions),
        eachBatch: async payload => {
          try {
            await eachBatch(payload)
          } catch (error) {
            if (isKafkaError(error)) throw error
            options.crash(error)
            // Never resolves: the process is ending, and nothing more of this partition may be read or committed.
            await new Promise(() => undefined)
          }
        },
      })
    },
    commit,
    busy: partition => inHand.has(partition),
    seek: (partition, offset) => consumer.seek({ topic, partition, offset: String(offset) }),
    async stop() {
      stopping = true
      for (const wakeUp of wakeUps) clearTimeout(wakeUp)
      await consumer.disconnect()
    },
  }
}

/** The group went on without this member. */
const MEMBER_ERRORS: ReadonlySet<unknown> = new Set([
  'UNKNOWN_MEMBER_ID',
  'ILLEGAL_GENERATION',
  'REBALANCE_IN_PROGRESS',
  'NOT_COORDINATOR_FOR_GROUP',
])

/** kafkajs wraps what a commit meets, and then does not know its own error, after which a member simply joins again. */
export function memberError(error: unknown): unknown {
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof Error && 'type' in cause && MEMBER_ERRORS.has(cause.type) ? cause : error
}

/** kafkajs knows what to do about its own errors: rejoin, reconnect, retry. */
export const isKafkaError = (error: unknown): boolean => error instanceof Error && error.name.startsWith('KafkaJS')
