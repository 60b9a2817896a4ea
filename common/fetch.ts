/**
 * Reads records of a topic at chosen offsets, without a consumer group and without a trace on the broker.
 *
 * kafkajs offers this to its own consumer only; the cluster behind its clients can do it, and `kafkajs` 2.2.4 is pinned. This
 * file is the one place that reaches for it. Errors are kafkajs's own.
 */
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs, { type Kafka } from 'kafkajs'
import { type KafkaRecord, type RecordBatch, Records } from './records.ts'

export type TopicRecord = KafkaRecord & { partition: number }

export interface Ends {
  /** The first offset that is there, and the one behind the last. */
  low: bigint
  high: bigint
}

export interface Fetched {
  /** In order; empty where only marks of transactions were read. */
  records: TopicRecord[]
  /** Where to read on. */
  next: bigint
}

export interface Fetcher {
  /** Both ends of every partition. `high` is where the first open transaction begins, where there is one. */
  ends(topic: string): Promise<Map<number, Ends>>
  /** The offset behind the last record of every partition, of open transactions too. */
  appended(topic: string): Promise<Map<number, bigint>>
  /** Per partition the first offset whose record has that time or a later one; the end where there is none. */
  offsetsAt(topic: string, time_ms: number): Promise<Map<number, bigint>>
  /** How many partitions each broker says that the topic has: they hear of new ones at different times. */
  countsAtBrokers(topic: string): Promise<number[]>
  /** Some records from an offset on: of committed transactions, at most about `bytes`. An empty answer that does not move on: there is nothing. */
  read(topic: string, partition: number, from: bigint, bytes?: number, records_max?: number): Promise<Fetched>
  close(): Promise<void>
}

interface Batch {
  messages: RecordBatch[]
  isEmptyIncludingFiltered(): boolean
  isEmptyDueToLogCompactedMessages(): boolean
  lastOffset(): string
}
interface Cluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  addTargetTopic(topic: string): Promise<void>
  refreshMetadata(): Promise<void>
  refreshMetadataIfNecessary(): Promise<void>
  getNodeIds(): string[]
  findTopicPartitionMetadata(topic: string): { partitionId: number }[]
  findLeaderForPartitions(topic: string, partitions: number[]): Record<string, number[]>
  findBroker(which: { nodeId: string }): Promise<Broker>
  fetchTopicsOffset(topics: object[]): Promise<{ topic: string; partitions: { partition: number; offset: string }[] }[]>
}
interface Broker {
  fetch(request: object): Promise<{ responses: Response[] }>
  metadata(topics: string[]): Promise<{ topicMetadata: { partitionMetadata: object[] }[] }>
}
interface Response {
  partitions: { partition: number; highWatermark: string }[]
}

const require = createRequire(import.meta.url)
const BatchOf = require('kafkajs/src/consumer/batch.js') as new (
  topic: string,
  fetchedOffset: string,
  partition: object,
) => Batch

const BYTES = 1_048_576
/** Of an answer: a small batch can hold millions of records. */
const RECORDS_MAX = 50_000
const WAIT_MS = 100
const READ_UNCOMMITTED = 0
const READ_COMMITTED = 1
const TRIES_MAX = 3
const ASK_MS_MAX = 10_000

function nextOf(batch: Batch, from: bigint): bigint {
  if (batch.isEmptyDueToLogCompactedMessages()) return from + 1n
  return batch.isEmptyIncludingFiltered() ? from : BigInt(batch.lastOffset()) + 1n
}

/** Rejects where there is no answer for ten seconds, with an error that kafkajs would call its own. */
export async function inTime<Answer>(topic: string, work: () => Promise<Answer>): Promise<Answer> {
  const late = new AbortController()
  const limit = sleep(ASK_MS_MAX, undefined, { signal: late.signal, ref: false }).then(() => {
    throw new kafkajs.KafkaJSError(`the broker does not answer a question about ${topic}`, { retriable: true })
  })
  // Where the answer comes first, nobody waits for the limit any more.
  limit.catch(() => undefined)
  try {
    return await Promise.race([work(), limit])
  } finally {
    late.abort()
  }
}

export function openFetcher(kafka: Kafka): Fetcher {
  const symbol = Object.getOwnPropertySymbols(kafka).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  )
  if (symbol === undefined) throw new Error('this is not kafkajs 2.2.4: its client has no cluster to open')
  const create = (kafka as unknown as Record<symbol, (options: object) => Cluster>)[symbol] as (o: object) => Cluster
  const of = (isolationLevel: number) =>
    connection(() => create({ metadataMaxAge: 10_000, allowAutoTopicCreation: false, isolationLevel }))
  const { ask, close } = of(READ_COMMITTED)
  /** Opened when somebody asks. */
  let uncommitted: Connection | undefined

  async function offsets(cluster: Cluster, topic: string, when: object): Promise<Map<number, bigint>> {
    const partitions = cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => ({ partition: partitionId }))
    const [answer] = await cluster.fetchTopicsOffset([{ topic, partitions, ...when }])
    return new Map(answer?.partitions.map(({ partition, offset }) => [partition, BigInt(offset)]))
  }

  return {
    ends: topic =>
      ask(topic, async cluster => {
        const [low, high] = [await offsets(cluster, topic, { fromBeginning: true }), await offsets(cluster, topic, {})]
        return new Map(
          [...low].map(([partition, first]) => [partition, { low: first, high: high.get(partition) ?? first }]),
        )
      }),
    appended: topic => {
      uncommitted ??= of(READ_UNCOMMITTED)
      return uncommitted.ask(topic, cluster => offsets(cluster, topic, {}))
    },
    offsetsAt: (topic, time_ms) =>
      ask(topic, async cluster => {
        const [at, end] = [
          await offsets(cluster, topic, { fromTimestamp: String(time_ms) }),
          await offsets(cluster, topic, {}),
        ]
        return new Map(
          [...end].map(([partition, last]) => {
            const first = at.get(partition) ?? -1n
            return [partition, first < 0n ? last : first]
          }),
        )
      }),
    countsAtBrokers: topic =>
      ask(topic, cluster =>
        Promise.all(
          cluster.getNodeIds().map(async nodeId => {
            const { topicMetadata } = await (await cluster.findBroker({ nodeId })).metadata([topic])
            return topicMetadata[0]?.partitionMetadata.length ?? 0
          }),
        ),
      ),
    read: (topic, partition, from, bytes = BYTES, records_max = RECORDS_MAX) =>
      ask(topic, async cluster => {
        const leader = Object.keys(cluster.findLeaderForPartitions(topic, [partition]))[0]
        if (leader === undefined)
          throw new kafkajs.KafkaJSError(`${topic} has no partition ${partition}, or no leader for it`, {
            retriable: true,
          })
        const broker = await cluster.findBroker({ nodeId: leader })
        const { responses } = await broker.fetch({
          maxWaitTime: WAIT_MS,
          minBytes: 1,
          maxBytes: bytes,
          isolationLevel: READ_COMMITTED,
          topics: [{ topic, partitions: [{ partition, fetchOffset: String(from), maxBytes: bytes }] }],
        })
        const data = responses[0]?.partitions[0]
        if (data === undefined) return { records: [], next: from }
        const batch = new BatchOf(topic, String(from), data)
        const all = Records.of(batch.messages, Number(from))
        const records = [...all.slice(0, records_max)].map(record => ({ ...record, partition }))
        const next = all.length > records_max ? BigInt(all.offsetAt(records_max)) : nextOf(batch, from)
        return { records, next }
      }),
    close: async () => {
      await Promise.all([close(), uncommitted?.close()])
    },
  }
}

interface Connection {
  ask<Answer>(topic: string, question: (cluster: Cluster) => Promise<Answer>): Promise<Answer>
  close(): Promise<void>
}

function connection(open: () => Cluster): Connection {
  let cluster = open()
  let connected: Promise<void> | undefined

  /** A request on a connection that broke may never be answered: then the whole cluster is left behind for a new one. */
  function leaveBehind(broken: Cluster) {
    if (cluster !== broken) return
    cluster = open()
    connected = undefined
    void broken.disconnect().catch(() => undefined)
  }

  return {
    /** Within a limit; where it fails, once more on a new cluster. */
    async ask(topic, question) {
      for (let tries = 1; ; tries++) {
        const mine = cluster
        try {
          return await inTime(topic, async () => {
            connected ??= mine.connect()
            await connected
            await mine.addTargetTopic(topic)
            await mine.refreshMetadataIfNecessary()
            return question(mine)
          })
        } catch (error) {
          if ((error as { type?: string }).type === 'OFFSET_OUT_OF_RANGE') throw error
          leaveBehind(mine)
          if (tries >= TRIES_MAX) throw error
          await sleep(100 * tries)
        }
      }
    },
    async close() {
      await connected?.catch(() => undefined)
      await cluster.disconnect()
    },
  }
}
