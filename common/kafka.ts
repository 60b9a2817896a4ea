/**
 * Kafka as every service sees it: the client from the configuration, and its producer; the topics are in `topics.ts`.
 * kafkajs stands behind these few functions and `services/ingest/source.ts`, so that another client can take its place.
 */
// Before anything is sent or fetched: it takes the place of code that kafkajs loads then.
import './kafka-answers.ts'
import './kafka-records.ts'
import './compression.ts'
import { Kafka, logLevel, type Producer, type SASLOptions } from 'kafkajs'
import type { CommonConfig } from './config.ts'
import type { Log } from './log.ts'
import { checkedPartitioner } from './send.ts'

export { ensureTopics, PARTITIONS_DEFAULT, partitionCount, TOPICS, type Topic, withAdmin } from './topics.ts'

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

/** Metadata older than this is asked for again, so that new partitions and leaders are known soon. */
const METADATA_AGE_MS_MAX = 10_000

/**
 * A producer that puts every record where Kafka's Java client would, and waits for all replicas in every send. A message for
 * a partition that the topic does not have is an error.
 */
export const createProducer = (kafka: Kafka): Producer =>
  kafka.producer({
    createPartitioner: checkedPartitioner,
    allowAutoTopicCreation: false,
    metadataMaxAge: METADATA_AGE_MS_MAX,
  })
