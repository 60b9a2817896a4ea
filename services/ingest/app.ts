/**
 * The ingest service: Kafka → door → ClickHouse, put together from its steps. Builds, never listens.
 * Health means progress: the service is alive as long as its fetch loop moves, connected or not.
 */
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { ClickHouseClient } from '@clickhouse/client'
import type { Kafka } from 'kafkajs'
import { createDecoder } from '../../schemas/dossier-event/codec.ts'
import type { SchemaRegistry } from '../../schemas/registry.ts'
import { createHttp } from '../common/http.ts'
import { createProducer, partitionCount } from '../common/kafka.ts'
import type { Log } from '../common/log.ts'
import type { Metrics } from '../common/metrics.ts'
import { createClassify } from './classify.ts'
import { type IngestConfig, timeLimits } from './config.ts'
import { alertCopy, type Copy, createCopyHandler, deadLetterCopy } from './copies.ts'
import { createDeadLetters, createRehome, DLQ_SUFFIX } from './dead-letters.ts'
import { createGather } from './gather.ts'
import { createInsert } from './insert.ts'
import { createOwnership } from './ownership.ts'
import { createPaused } from './pause.ts'
import { GROUP, TOPIC } from './progress.ts'
import { createSettle } from './settle.ts'
import { createKafkaSource } from './source.ts'

export interface IngestDeps {
  config: IngestConfig
  kafka: Kafka
  clickhouse: ClickHouseClient
  registry: SchemaRegistry
  knownUnit: (code: string) => boolean
  metrics: Metrics
  log: Log
  crash: (error: unknown) => void
  now?: () => number
}

/** Without progress for this long the service is not alive: longer than any insert, shorter than a person's patience. */
const STALL_MS_MAX = 120_000

export async function createIngest(deps: IngestDeps) {
  const { config, kafka, clickhouse, registry, metrics, log, crash, now = Date.now } = deps
  const producer = createProducer(kafka)
  const partitions = await partitionCount(kafka, TOPIC)
  const { session_ms, heartbeat_ms, query_s_max } = timeLimits(config.INGEST_SESSION_MS)

  let progressed_ms = now()
  let assigned = false
  let paused = 0
  const progress = () => {
    progressed_ms = now()
    metrics.last_progress.set(progressed_ms / 1000)
  }

  const ownership = createOwnership({
    clickhouse,
    topic: TOPIC,
    process: `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`,
    log,
    now,
  })

  const settle = createSettle({
    ownership,
    paused: createPaused(clickhouse),
    classify: createClassify(createDecoder(registry, deps.knownUnit), partitions),
    writeDeadLetters: createDeadLetters(producer, TOPIC, now),
    rehome: createRehome(producer, TOPIC),
    insert: createInsert(clickhouse, 'dossier_events', query_s_max),
    metrics,
    log,
    now,
  })
  const gather = createGather({
    batch_rows_max: config.INGEST_BATCH_ROWS_MAX,
    inserts_max: config.INGEST_INSERTS_MAX,
    settle,
  })

  const events = createKafkaSource(kafka, {
    topic: TOPIC,
    group: GROUP,
    partitions,
    chunk_rows_max: config.INGEST_BATCH_ROWS_MAX,
    fetch_wait_ms_max: config.INGEST_BATCH_WAIT_MS_MAX,
    fetch_bytes_max: config.INGEST_FETCH_BYTES_MAX,
    session_ms,
    heartbeat_ms,
    handle: async chunk => {
      const outcome = await gather(chunk)
      if (outcome.done) progress()
      return outcome
    },
    onIdle: progress,
    onPaused: count => {
      paused = count
      metrics.partitions_paused.set(count)
    },
    onAssigned: partitions => {
      assigned = true
      progress()
      ownership.doubt(partitions)
    },
    crash,
    log,
  })

  const copyOf = (copy: Copy) =>
    createKafkaSource(kafka, {
      topic: copy.topic,
      group: `motcua-copy-${copy.table}`,
      partitions,
      chunk_rows_max: 1_000,
      fetch_wait_ms_max: 500,
      fetch_bytes_max: 1_048_576,
      session_ms,
      heartbeat_ms,
      handle: createCopyHandler(clickhouse, copy, log),
      onIdle: () => undefined,
      onPaused: () => undefined,
      onAssigned: () => undefined,
      crash,
      log,
    })
  const copies = [copyOf(deadLetterCopy(TOPIC + DLQ_SUFFIX)), copyOf(alertCopy('dossier-alerts', registry))]

  const stalled = () => {
    const age_ms = now() - progressed_ms
    return age_ms > STALL_MS_MAX ? `no progress for ${Math.round(age_ms / 1000)} s` : undefined
  }
  const http = createHttp({
    log,
    metrics,
    live: () => (paused > 0 ? undefined : stalled()),
    ready: () => {
      if (!assigned) return 'not yet a member of the consumer group'
      if (paused > 0) return `${paused} partitions wait because ClickHouse does not take their rows`
      return stalled()
    },
  })

  return {
    http,
    async start() {
      await producer.connect()
      await Promise.all([events, ...copies].map(source => source.start()))
    },
    /** Finishes what runs, commits, leaves the group. */
    async stop() {
      await Promise.all([events, ...copies].map(source => source.stop()))
      await producer.disconnect()
    },
  }
}
