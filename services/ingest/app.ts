/**
 * The ingest service: Kafka → door → ClickHouse, put together from its steps. Builds, never listens.
 * Health means progress: the service is alive as long as its fetch loop moves, connected or not.
 */
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { ClickHouseClient } from '@clickhouse/client'
import type { Kafka } from 'kafkajs'
import { DLQ_SUFFIX } from '../../common/dead-letter.ts'
import { inTime, openFetcher } from '../../common/fetch.ts'
import { createHttp } from '../../common/http.ts'
import { createProducer, partitionCount, withAdmin } from '../../common/kafka.ts'
import type { Log } from '../../common/log.ts'
import type { Metrics } from '../../common/metrics.ts'
import { GROUP, progressOf, TOPIC } from '../../common/progress.ts'
import { createDecoder } from '../../schemas/dossier-event/codec.ts'
import type { SchemaRegistry } from '../../schemas/registry.ts'
import { createAttempts } from './attempts.ts'
import { createClassify } from './classify.ts'
import { type IngestConfig, timeLimits } from './config.ts'
import { alertCopy, type Copy, createCopyHandler, deadLetterCopy } from './copies.ts'
import { createDeadLetters, createRehome } from './dead-letters.ts'
import { createGather } from './gather.ts'
import { createHandle } from './handle.ts'
import { createInsert, isFenced } from './insert.ts'
import { createIsolate } from './isolate.ts'
import { createLives } from './lives.ts'
import { createOwnership } from './ownership.ts'
import { createParked } from './parked.ts'
import { createPartitionCount } from './partition-count.ts'
import { createPaused } from './pause.ts'
import { createProgress, type Progress } from './progress.ts'
import { createSettle } from './settle.ts'
import { createKafkaSource, isKafkaError, type Source } from './source.ts'
import { createTopicEpochs } from './topic-epochs.ts'

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
/** How often the world around the topic is looked at: the partition count, and whether it is still the same topic. */
const LOOK_MS = 10_000
const COPY_AGAIN_MS = 10_000

export async function createIngest(deps: IngestDeps) {
  const { config, kafka, clickhouse, registry, metrics, log, crash, now = Date.now } = deps
  const process_name = `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`
  const producer = createProducer(kafka)
  const fetcher = openFetcher(kafka)
  const limits = timeLimits(config)

  const busy = (step: string) => (seconds: number) => metrics.busy_seconds.inc({ step }, seconds)
  let progressed_ms = now()
  /** Undefined: not yet a member of the group. */
  let assigned: readonly number[] | undefined
  let paused = 0
  const moved = () => {
    progressed_ms = now()
    metrics.last_progress.set(progressed_ms / 1000)
  }

  const epochs = createTopicEpochs({ clickhouse, fetcher, topic: TOPIC, log })
  const ownership = createOwnership({
    clickhouse,
    topic: TOPIC,
    process: process_name,
    log,
    now,
    onClaimed: partitions => progress.claimed(partitions),
  })
  const count = createPartitionCount({
    clickhouse,
    topic: TOPIC,
    process: process_name,
    countAtBroker: () => inTime(TOPIC, () => partitionCount(kafka, TOPIC)),
    ownership,
    log,
    now,
  })
  const progress: Progress = createProgress({
    clickhouse,
    topic: TOPIC,
    ownership,
    epochs,
    countEpoch: () => count.current().epoch,
    appended: () => fetcher.appended(TOPIC),
    log,
    now,
  })
  const parked = createParked(epochs.of, log)
  const decoder = createDecoder(registry, deps.knownUnit)
  const deadLetters = createDeadLetters({
    kafka,
    producer,
    fetcher,
    topic: TOPIC,
    committed: partition => progress.settled().get(partition) ?? 0n,
    log,
    now,
  })
  const settling = createSettle({
    ownership,
    count,
    progress,
    paused: createPaused(clickhouse),
    ...createClassify({ decoder, epochOf: epochs.of, parked: parked.why, onBusy: busy('scan') }),
    writeDeadLetters: deadLetters.write,
    rehome: createRehome(kafka, producer, TOPIC),
    insert: createInsert(clickhouse, 'dossier_events', limits.query_s_max, busy('write')),
    metrics,
    log,
    now,
  })
  const isolate = createIsolate({
    settle: settling.settle,
    mayBeRecord: error => !isKafkaError(error) && !isFenced(error) && !isRefusal(error),
    park: parked.park,
    log,
    now,
  })
  const attempts = createAttempts({
    commit: (partition, offset, metadata) => source.commit(partition, offset, metadata),
    decode: (partition, record) => void (parked.why(partition, record.offset) ?? decoder.judgeRecord(record)),
    settle: alone => isolate.settle([alone]),
    park: parked.park,
    log,
  })
  const lives = createLives({
    epochs,
    settled: async () => {
      const reported = await progressOf(clickhouse)
      const here = progress.settled()
      return new Map(
        [...new Set([...reported.keys(), ...here.keys()])].map(partition => {
          const row = reported.get(partition)
          const theirs = row?.topic_epoch === epochs.of(partition) ? row.next_offset : 0n
          const ours = here.get(partition) ?? 0n
          return [partition, theirs > ours ? theirs : ours]
        }),
      )
    },
    commit: (partition, offset) => source.commit(partition, offset),
    seek: (partition, offset) => source.seek(partition, offset),
    busy: partition => source.busy(partition),
    forget({ partition, low, epoch }) {
      settling.forget(partition)
      attempts.assigned(partition, null)
      progress.restarted(partition, low, epoch)
    },
  })
  const handle = createHandle({
    lives,
    attempts,
    decoder,
    gather: createGather({
      batch_rows_max: config.INGEST_BATCH_ROWS_MAX,
      inserts_max: config.INGEST_INSERTS_MAX,
      settle: isolate.settle,
    }),
    log,
  })

  /** What the last members left with the committed offsets, read before the first chunk after an assignment. */
  let arriving: Promise<void> = Promise.resolve()
  async function arrive(partitions: readonly number[]): Promise<void> {
    const [answer] = await inTime(TOPIC, () =>
      withAdmin(kafka, admin => admin.fetchOffsets({ groupId: GROUP, topics: [TOPIC] })),
    )
    const left = new Map(answer?.partitions.map(one => [one.partition, one]))
    for (const partition of partitions) {
      const { offset = '-1', metadata = null } = left.get(partition) ?? {}
      // Also where nothing was ever committed: a member may die at the very first records.
      attempts.assigned(partition, metadata)
      if (Number(offset) >= 0) progress.committed(partition, BigInt(offset), 0)
    }
    // Partitions that are new are assigned before the next look: their records are none of the old count.
    await count.refresh()
  }

  const partitions = await partitionCount(kafka, TOPIC)
  const source: Source = createKafkaSource(kafka, {
    topic: TOPIC,
    group: GROUP,
    partitions,
    chunk_rows_max: config.INGEST_BATCH_ROWS_MAX,
    fetch_wait_ms_max: config.INGEST_BATCH_WAIT_MS_MAX,
    fetch_bytes_max: config.INGEST_FETCH_BYTES_MAX,
    ...limits,
    handle: async chunk => {
      await arriving
      const outcome = await handle(chunk)
      if (outcome.settled > 0) moved()
      return outcome
    },
    onCommitted(partition, next_offset, last_time_ms) {
      settling.committed(partition, next_offset)
      progress.committed(partition, next_offset, last_time_ms)
    },
    metadataOf: attempts.ended,
    onIdle: moved,
    onPaused: number => {
      paused = number
      metrics.partitions_paused.set(number)
    },
    onAssigned: list => {
      assigned = list
      moved()
      ownership.doubt(list)
      deadLetters.assigned()
      attempts.keep(list)
      isolate.forget()
      lives.assigned(list)
      progress.assigned(list)
      arriving = lives
        .apart(() => arrive(list))
        .catch(error => {
          log.warn(
            { err: error },
            'what earlier members left with the offsets, or the partition count, could not be read',
          )
        })
      void arriving.then(lookAround)
    },
    crash,
    log,
  })

  const copyOf = (copy: Copy): Source =>
    createKafkaSource(kafka, {
      topic: copy.topic,
      group: `motcua-copy-${copy.table}`,
      partitions,
      chunk_rows_max: 1_000,
      fetch_wait_ms_max: 500,
      fetch_bytes_max: 1_048_576,
      ...limits,
      handle: createCopyHandler({ clickhouse, copy, metrics, log }),
      onIdle: () => undefined,
      onPaused: () => undefined,
      onAssigned: () => undefined,
      // A copy is for people: ingest goes on without it, and it begins again.
      crash: error => startAgain(copy, error),
      log,
    })
  function startAgain(copy: Copy, error: unknown) {
    log.error({ err: error, table: copy.table }, 'a copy stopped; it begins again')
    const again = setTimeout(() => {
      const source = copyOf(copy)
      copies.set(copy.table, source)
      source.start().catch(cause => startAgain(copy, cause))
    }, COPY_AGAIN_MS)
    again.unref()
  }
  const copies = new Map(
    [deadLetterCopy(TOPIC + DLQ_SUFFIX), alertCopy('dossier-alerts', registry)].map(copy => [copy.table, copyOf(copy)]),
  )

  /** kafkajs holds on to partitions that are gone, and commits nothing any more because of them; a new start is free of them. */
  function leaveGone(partitions: number): void {
    if (assigned?.some(partition => partition >= partitions) === true)
      crash(new Error(`${TOPIC} was made again with only ${partitions} partitions; ingest has to start again`))
  }

  let looking: NodeJS.Timeout | undefined
  async function lookAround(): Promise<void> {
    try {
      await count.refresh()
      leaveGone(count.current().partitions)
      await lives.look()
    } catch (error) {
      log.warn({ err: error }, 'the topic could not be looked at; it is tried again in ten seconds')
    }
  }

  const stalled = () => {
    const age_ms = now() - progressed_ms
    return age_ms > STALL_MS_MAX ? `no progress for ${Math.round(age_ms / 1000)} s` : undefined
  }
  const http = createHttp({
    log,
    metrics,
    live: () => (paused > 0 ? undefined : stalled()),
    ready: () => {
      if (assigned === undefined) return 'not yet a member of the consumer group'
      const trouble = isolate.trouble() ?? attempts.trouble()
      if (trouble !== undefined) return trouble
      if (paused > 0) return `${paused} partitions wait because ClickHouse does not take their rows`
      return stalled()
    },
  })

  return {
    http,
    async start() {
      await producer.connect()
      await count.refresh()
      await Promise.all([source, ...copies.values()].map(each => each.start()))
      progress.start()
      looking = setInterval(() => void lookAround(), LOOK_MS)
    },
    /** Finishes what runs, commits, leaves the group. */
    async stop() {
      clearInterval(looking)
      await Promise.all([source, ...copies.values()].map(each => each.stop()))
      await progress.stop()
      await Promise.all([producer.disconnect(), fetcher.close()])
    },
  }
}

/** What an administrator has to change is no record's fault. */
const isRefusal = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'SERVER_REFUSED'
