/**
 * Step 1: decides about every record of a batch before anything is written, because what is written cannot be taken back.
 * The door comes first: a refused record is a dead letter wherever it lies; a good one in the wrong partition goes home.
 */
import type { createDecoder } from '../../schemas/dossier-event/codec.ts'
import type { Refusal } from '../../schemas/dossier-event/door.ts'
import type { DossierEvent } from '../../schemas/dossier-event/event.ts'
import { HEADERS_MAX } from '../common/headers.ts'
import { partitionOf } from '../common/partition.ts'
import { wasRehomedUnder } from './dead-letters.ts'
import type { CountInForce } from './partition-count.ts'
import type { Chunk, SourceRecord } from './source.ts'

export interface GoodRow {
  event: DossierEvent
  partition: number
  offset: bigint
  /** Which life of the partition (topic-epochs.ts). */
  topic_epoch: number
  /** Kafka's time of the record, milliseconds since 1970 UTC. */
  timestamp_ms: number
}
export interface DeadLetter {
  record: SourceRecord
  topic: string
  topic_epoch: number
  partition: number
  refusal: Refusal
  schema_id: number | undefined
}
/** A good record that lies in another partition than Kafka's Java client would put it, or has no key. */
export interface Misplaced extends Omit<DeadLetter, 'refusal'> {
  dossier_id: string
  /** Where it belongs, among so many partitions. */
  home: number
  partitions: number
}

export interface Classified {
  good: GoodRow[]
  dead: DeadLetter[]
  misplaced: Misplaced[]
}

export interface ClassifyDeps {
  decoder: Pick<ReturnType<typeof createDecoder>, 'judgeRecord'>
  epochOf: (partition: number) => number
  /** Why a record was parked; undefined: it was not. A parked record is not decoded. */
  parked: (partition: number, offset: bigint) => string | undefined
}

/** Rows between two breaths: heartbeats and health checks must get through. */
const BREATH_ROWS = 4_096

export function createClassify({ decoder, epochOf, parked }: ClassifyDeps) {
  return async function classify(chunks: readonly Chunk[], { partitions }: CountInForce): Promise<Classified> {
    const good: GoodRow[] = []
    const dead: DeadLetter[] = []
    const misplaced: Misplaced[] = []
    let rows = 0
    for (const { topic, partition, records } of chunks) {
      const topic_epoch = epochOf(partition)
      for (const record of records) {
        if (++rows % BREATH_ROWS === 0) await new Promise(setImmediate)
        const place = { record, topic, topic_epoch, partition }
        const why = record.unreadable ?? parked(partition, record.offset)
        if (why !== undefined) {
          dead.push({ ...place, refusal: { reason: 'undecodable', field: '', message: why }, schema_id: undefined })
          continue
        }
        const { event, schema_id, refusals } = decoder.judgeRecord(record)
        if (event === undefined) {
          dead.push({ ...place, refusal: refusals[0] as Refusal, schema_id })
          continue
        }
        // The door compared the key, where there is one, with the dossier_id byte by byte.
        const home = partitionOf(record.key ?? Buffer.from(event.dossier_id), partitions)
        const stray = { ...place, dossier_id: event.dossier_id, home, partitions, schema_id }
        if (record.key !== null && home === partition)
          good.push({
            event,
            partition,
            offset: record.offset,
            topic_epoch,
            timestamp_ms: record.timestamp_ms,
          })
        else if (record.headers.length > HEADERS_MAX)
          dead.push(misplacedLetter(stray, `with more than ${HEADERS_MAX} headers it is not sent there`))
        else if (wasRehomedUnder(record.headers, partitions)) dead.push(misplacedLetter(stray, 'it was sent home once'))
        else misplaced.push(stray)
      }
    }
    return { good, dead, misplaced }
  }
}
export type Classify = ReturnType<typeof createClassify>

/** The letter of a record that cannot be brought home. */
export function misplacedLetter({ dossier_id, home, partitions, ...place }: Misplaced, why: string): DeadLetter {
  const message = `the record of ${dossier_id} lies in partition ${place.partition}; it belongs in partition ${home} of ${partitions}, and ${why}`
  return { ...place, refusal: { reason: 'misplaced', field: 'dossier_id', message } }
}
