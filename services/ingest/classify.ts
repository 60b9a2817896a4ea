/**
 * Step 1: decides about every record of a batch before anything is written, because what is written cannot be taken back.
 * The door comes first: a refused record is a dead letter wherever it lies; a good one in the wrong partition goes home.
 */

import { cpu_s } from '../../common/busy.ts'
import type { CountInForce } from '../../common/count-in-force.ts'
import { type DeadLetter, type Misplaced, misplacedLetter, wasRehomedUnder } from '../../common/dead-letter.ts'
import { HEADERS_MAX } from '../../common/headers.ts'
import { partitionOf } from '../../common/partition.ts'
import { type KafkaRecord, Place } from '../../common/records.ts'
import type { Decoder } from '../../schemas/dossier-event/codec.ts'
import type { Refusal } from '../../schemas/dossier-event/door.ts'
import { saysOf } from '../../schemas/dossier-event/says.ts'
import type { Scanner } from '../../schemas/dossier-event/scanner.ts'
import { newestType } from '../../schemas/registry.ts'
import { HEADER_BYTES, schemaIdAt } from '../../schemas/wire.ts'
import { type Bodies, Rows } from './rows.ts'
import type { Chunk } from './source.ts'

export interface Classified {
  /** Of a pool: to be given back. */
  good: Rows
  dead: DeadLetter[]
  misplaced: Misplaced[]
}

export interface ClassifyDeps {
  /** Gets the CPU seconds that looking at records took. */
  onBusy?: (seconds: number) => void
  decoder: Pick<Decoder, 'judgeRecord' | 'scannerOf'>
  epochOf: (partition: number) => number
  /** Why a record was parked; undefined: it was not. A parked record is not decoded. */
  parked: (partition: number, offset: number | bigint) => string | undefined
}

/** Rows between two breaths: heartbeats and health checks must get through. */
const BREATH_ROWS = 4_096
const EVENT = newestType('dossier-event')
const NO_SUFFIX = Buffer.alloc(0)

export function createClassify({ decoder, epochOf, parked, onBusy = () => undefined }: ClassifyDeps) {
  const pool: Rows[] = []
  const place = new Place()

  /** Bits of what the event of a record at home speaks of, where the scanner lets it in; else -1. */
  function scan(scanner: Scanner, partition: number, partitions: number): number {
    const { bytes, key_at, key_end, value_at, value_end, timestamp_ms } = place
    if (key_at < 0 || partitionOf(bytes, partitions, key_at, key_end) !== partition) return -1
    return scanner.scan(bytes, value_at + HEADER_BYTES, value_end, timestamp_ms, key_at, key_end)
  }

  async function classify(chunks: readonly Chunk[], { partitions }: CountInForce): Promise<Classified> {
    const good = pool.pop() ?? new Rows()
    const dead: DeadLetter[] = []
    const misplaced: Misplaced[] = []

    /** What the scanner does not let in: the door says why, or that it is good in another form or in another place. */
    function judge({ topic, partition, records }: Chunk, index: number, topic_epoch: number, timestamp_ms: number) {
      const record = records.at(index) as KafkaRecord
      const at = { record, topic, topic_epoch, partition }
      const why = record.unreadable ?? parked(partition, record.offset)
      if (why !== undefined) {
        dead.push({ ...at, refusal: { reason: 'undecodable', field: '', message: why }, schema_id: undefined })
        return
      }
      const { event, schema_id, refusals } = decoder.judgeRecord(record)
      if (event === undefined) {
        dead.push({ ...at, refusal: refusals[0] as Refusal, schema_id })
        return
      }
      // The door compared the key, where there is one, with the dossier_id byte by byte.
      const home = partitionOf(record.key ?? Buffer.from(event.dossier_id), partitions)
      if (record.key !== null && home === partition) {
        const bytes = EVENT.toBuffer(event)
        const bodies = { bytes, suffix: NO_SUFFIX, partition, topic_epoch }
        good.add(bodies, 0, bytes.length, saysOf(event), Number(record.offset), timestamp_ms)
        return
      }
      const stray = { ...at, dossier_id: event.dossier_id, home, partitions, schema_id }
      if (record.headers.length > HEADERS_MAX)
        dead.push(misplacedLetter(stray, `with more than ${HEADERS_MAX} headers it is not sent there`))
      else if (wasRehomedUnder(record.headers, partitions)) dead.push(misplacedLetter(stray, 'it was sent home once'))
      else misplaced.push(stray)
    }

    let rows = 0
    let since_s = cpu_s()
    const breathe = async () => {
      onBusy(cpu_s() - since_s)
      await new Promise(setImmediate)
      since_s = cpu_s()
    }
    let scanner_id: number | undefined
    let scanner: Scanner | undefined
    try {
      for (const chunk of chunks) {
        const { partition, records } = chunk
        const topic_epoch = epochOf(partition)
        let bodies: Bodies | undefined
        for (let index = 0; index < records.length; index++) {
          if (++rows % BREATH_ROWS === 0) await breathe()
          records.locate(index, place)
          const { bytes, value_at, value_end, unreadable } = place
          const schema_id =
            value_at < 0 || unreadable !== undefined ? undefined : schemaIdAt(bytes, value_at, value_end)
          if (schema_id !== scanner_id) {
            scanner_id = schema_id
            scanner = schema_id === undefined ? undefined : decoder.scannerOf(schema_id)
          }
          const says =
            scanner === undefined || parked(partition, place.offset) !== undefined
              ? -1
              : scan(scanner, partition, partitions)
          if (scanner === undefined || says < 0) {
            judge(chunk, index, topic_epoch, place.timestamp_ms)
            continue
          }
          if (bodies?.bytes !== bytes || bodies.suffix !== scanner.suffix)
            bodies = { bytes, suffix: scanner.suffix, partition, topic_epoch }
          good.add(bodies, value_at + HEADER_BYTES, value_end, says, place.offset, place.timestamp_ms)
        }
      }
    } catch (error) {
      pool.push(good.clear())
      throw error
    } finally {
      place.release()
    }
    onBusy(cpu_s() - since_s)
    return { good, dead, misplaced }
  }

  return {
    classify,
    /** The rows were inserted, or will be read again. */
    release: ({ good }: Classified) => void pool.push(good.clear()),
  }
}
export type Classify = ReturnType<typeof createClassify>
