/**
 * Kafka as every service sees it: the client from the configuration, the topics, and where a record belongs.
 * kafkajs stands behind these few functions and `services/ingest/source.ts`, so that another client can take its place.
 */
import { type Admin, Kafka, logLevel, type Producer, type SASLOptions } from 'kafkajs'
import type { CommonConfig } from './config.ts'
import type { Log } from './log.ts'
import { javaPartitioner } from './partition.ts'

export const TOPICS = [
  'dossier-events',
  'indicator-reports',
  'dossier-events.dlq',
  'indicator-reports.dlq',
  'dossier-alerts',
] as const
export type Topic = (typeof TOPICS)[number]
export const PARTITIONS_DEFAULT = 8

export type KafkaConfig = Pick<
  CommonConfig,
  'KAFKA_BROKERS' | 'KAFKA_USERNAME' | 'KAFKA_PASSWORD' | 'KAFKA_SASL' | 'KAFKA_TLS'
>

/** A kafkajs client whose log lines go to ours. */
export function createKafka(config: KafkaConfig, clientId: string, log: Log): Kafka {
  const sasl =
    config.KAFKA_USERNAME === undefined
      ? undefined
      : ({
          mechanism: config.KAFKA_SASL ?? 'plain',
          username: config.KAFKA_USERNAME,
          password: config.KAFKA_PASSWORD ?? '',
        } as SASLOptions)
  return new Kafka({
    clientId,
    brokers: config.KAFKA_BROKERS,
    ssl: config.KAFKA_TLS,
    sasl,
    connectionTimeout: 5_000,
    requestTimeout: 30_000,
    retry: { initialRetryTime: 200, maxRetryTime: 5_000, retries: 8 },
    logLevel: logLevel.WARN,
    // kafkajs calls its reconnects and rebalances errors; to us they are warnings, a fatal one reaches us as an exception.
    logCreator: () => entry => {
      const { message, ...details } = entry.log
      log.warn({ kafka: entry.namespace, error: details.error, groupId: details.groupId }, message)
    },
  })
}

/** A producer that puts every record where Kafka's Java client would, and waits for all replicas in every send. */
export const createProducer = (kafka: Kafka): Producer =>
  kafka.producer({ createPartitioner: javaPartitioner, allowAutoTopicCreation: false })

/** Asks with a connection of its own. */
export async function withAdmin<Answer>(kafka: Kafka, ask: (admin: Admin) => Promise<Answer>): Promise<Answer> {
  const admin = kafka.admin()
  await admin.connect()
  try {
    return await ask(admin)
  } finally {
    await admin.disconnect()
  }
}

/** Creates the topics that are missing, with the broker's replication, and leaves the others as they are. */
export async function ensureTopics(kafka: Kafka, partitions = PARTITIONS_DEFAULT): Promise<void> {
  await withAdmin(kafka, async admin => {
    const there = new Set(await admin.listTopics())
    const missing = TOPICS.filter(topic => !there.has(topic))
    if (missing.length === 0) return
    await admin.createTopics({
      waitForLeaders: true,
      topics: missing.map(topic => ({
        topic,
        numPartitions: partitions,
        replicationFactor: -1,
        configEntries: [
          { name: 'message.timestamp.type', value: 'LogAppendTime' },
          // The log of facts: ClickHouse can be rebuilt from it as long as it is kept.
          { name: 'retention.ms', value: '-1' },
        ],
      })),
    })
  })
}

/** How many partitions a topic has, asked of the broker. */
export async function partitionCount(kafka: Kafka, topic: string): Promise<number> {
  const { topics } = await withAdmin(kafka, admin => admin.fetchTopicMetadata({ topics: [topic] }))
  const count = topics[0]?.partitions.length ?? 0
  if (count === 0) throw new Error(`the topic ${topic} is not on the broker; npm start creates it`)
  return count
}
