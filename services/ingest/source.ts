/**
 * Where records come from: a consumer group member, behind a small port so that another client can take kafkajs's place.
 *
 * The promise: `handle` gets every record of an assigned partition in order, one call per partition at a time, and its
 * offsets are committed only after it said so. It is called for all fetched partitions at once. While a call runs the member
 * keeps its place in the group; a rebalance waits for running calls, so that nobody else starts before they are done.
 */
import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs'
import type { Log } from '../common/log.ts'
import { failPoint } from './fail-point.ts'

/** A Kafka record as read; nothing is decoded yet. */
export interface SourceRecord {
  offset: bigint
  key: Buffer | null
  value: Buffer | null
  /** Kafka's time of the record (LogAppendTime), milliseconds since 1970 UTC. */
  timestamp_ms: number
  headers: Record<string, Buffer | string | (Buffer | string)[] | undefined>
}

/** Records of one partition, in order. */
export interface Chunk {
  topic: string
  partition: number
  records: SourceRecord[]
  /** Records of the partition behind this chunk. */
  lag: number
}

/** What became of a chunk: done and to be committed, or to be read again after a pause. */
export type Outcome = { done: true } | { done: false; pause_ms: number }

export interface SourceOptions {
  topic: string
  group: string
  partitions: number
  /** Records handed over in one call at most. */
  chunk_rows_max: number
  fetch_wait_ms_max: number
  fetch_bytes_max: number
  /** Longer than any request to ClickHouse (config.ts); a killed member keeps its partitions this long. */
  session_ms: number
  heartbeat_ms: number
  handle: (chunk: Chunk) => Promise<Outcome>
  /** The member read nothing because there was nothing. */
  onIdle: () => void
  onPaused: (partitions: number) => void
  onAssigned: (partitions: number[]) => void
  /** Something unknown: nothing was committed, the process must end. */
  crash: (error: unknown) => void
  log: Log
}

export interface Source {
  start(): Promise<void>
  /** Lets running calls finish, commits, leaves the group. */
  stop(): Promise<void>
}

export function createKafkaSource(kafka: Kafka, options: SourceOptions): Source {
  const { topic, log } = options
  const consumer: Consumer = kafka.consumer({
    groupId: options.group,
    sessionTimeout: options.session_ms,
    rebalanceTimeout: options.session_ms,
    heartbeatInterval: options.heartbeat_ms,
    allowAutoTopicCreation: false,
    // The broker gathers, so that no timer of ours has to: it answers when there is plenty, or when the wait is over.
    minBytes: Math.floor(options.fetch_bytes_max / 4),
    maxWaitTimeInMs: options.fetch_wait_ms_max,
    maxBytes: options.fetch_bytes_max,
    maxBytesPerPartition: Math.max(1_048_576, Math.floor((2 * options.fetch_bytes_max) / options.partitions)),
    retry: { retries: 20, initialRetryTime: 300, maxRetryTime: 10_000, restartOnFailure: async () => true },
  })
  const paused = new Set<number>()
  const wakeUps = new Set<NodeJS.Timeout>()
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

  /** One fetched batch of one partition: hand it over in chunks, commit each, stop at the first that has to wait. */
  async function eachBatch({ batch, resolveOffset, heartbeat, isRunning, isStale }: EachBatchPayload): Promise<void> {
    // A heartbeat that fails says "rebalance": what runs is finished first, then kafkajs sees it again and rejoins.
    const beat = setInterval(() => void heartbeat().catch(() => undefined), options.heartbeat_ms)
    try {
      for (let at = 0; at < batch.messages.length && isRunning() && !isStale(); at += options.chunk_rows_max) {
        const messages = batch.messages.slice(at, at + options.chunk_rows_max)
        const last = messages[messages.length - 1]
        if (last === undefined) return
        const chunk: Chunk = {
          topic,
          partition: batch.partition,
          lag: Math.max(0, Number(BigInt(batch.highWatermark) - BigInt(last.offset)) - 1),
          records: messages.map(({ offset, key, value, timestamp, headers }) => ({
            offset: BigInt(offset),
            key,
            value,
            timestamp_ms: Number(timestamp),
            headers: headers ?? {},
          })),
        }
        const outcome = await options.handle(chunk)
        if (!outcome.done) {
          pause(batch.partition, outcome.pause_ms)
          return
        }
        resolveOffset(last.offset)
        const next =
          at + messages.length < batch.messages.length ? BigInt(last.offset) + 1n : BigInt(batch.lastOffset()) + 1n
        await consumer.commitOffsets([{ topic, partition: batch.partition, offset: String(next) }])
        await failPoint('committed')
      }
    } finally {
      clearInterval(beat)
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
        const offset = String(BigInt(lastOffset) + 1n)
        consumer
          .commitOffsets([{ topic, partition, offset }])
          .catch(error => log.warn({ err: error, partition, offset }, 'the end of a transaction is committed later'))
      })
      await consumer.connect()
      await consumer.subscribe({ topic, fromBeginning: true })
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: options.partitions,
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
    async stop() {
      stopping = true
      for (const wakeUp of wakeUps) clearTimeout(wakeUp)
      await consumer.disconnect()
    },
  }
}

/** kafkajs knows what to do about its own errors: rejoin, reconnect, retry. */
const isKafkaError = (error: unknown): boolean => error instanceof Error && error.name.startsWith('KafkaJS')
