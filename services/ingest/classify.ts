/**
 * Step 1: decides about every record of a batch before anything is written, because what is written cannot be taken back.
 * The door comes first: a refused record is a dead letter wherever it lies; a good one in the wrong partition goes home.
 */
import type { createDecoder } from '../../schemas/dossier-event/codec.ts'
import type { Refusal } from '../../schemas/dossier-event/door.ts'
import type { DossierEvent } from '../../schemas/dossier-event/event.ts'
import { partitionOf } from '../common/partition.ts'
import type { Chunk, SourceRecord } from './source.ts'

export interface GoodRow {
  event: DossierEvent
  partition: number
  offset: bigint
}
export interface DeadLetter {
  record: SourceRecord
  topic: string
  partition: number
  refusal: Refusal
  schema_id: number | undefined
}
/** A good record that lies in another partition than Kafka's Java client would put it, or has no key. */
export interface Misplaced {
  record: SourceRecord
  partition: number
  dossier_id: string
}

export interface Classified {
  good: GoodRow[]
  dead: DeadLetter[]
  misplaced: Misplaced[]
}

type Decoder = Pick<ReturnType<typeof createDecoder>, 'prepare' | 'judgeRecord'>

/** Rows between two breaths: heartbeats and health checks must get through. */
const BREATH_ROWS = 4_096

export function createClassify(decoder: Decoder, partitions: number) {
  return async function classify(chunks: readonly Chunk[]): Promise<Classified> {
    const good: GoodRow[] = []
    const dead: DeadLetter[] = []
    const misplaced: Misplaced[] = []
    let rows = 0
    for (const { topic, partition, records } of chunks) {
      await decoder.prepare(records.map(record => record.value))
      for (const record of records) {
        if (++rows % BREATH_ROWS === 0) await new Promise(setImmediate)
        const verdict = decoder.judgeRecord(record)
        if (verdict.event === undefined)
          dead.push({ record, topic, partition, refusal: verdict.refusals[0] as Refusal, schema_id: verdict.schema_id })
        else if (record.key === null || partitionOf(record.key, partitions) !== partition)
          misplaced.push({ record, partition, dossier_id: verdict.event.dossier_id })
        else good.push({ event: verdict.event, partition, offset: record.offset })
      }
    }
    return { good, dead, misplaced }
  }
}
export type Classify = ReturnType<typeof createClassify>
