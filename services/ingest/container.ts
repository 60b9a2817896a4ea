/**
 * A batch as an Avro object container file: what ClickHouse reads with `FORMAT Avro`, matching columns by name.
 * Every row is the event in the producer's own bytes, or in ours where those were of another form, followed by what it says
 * and where it came from. https://avro.apache.org/docs/1.12.0/specification/#object-container-files
 */

import { putVar, zigZag } from '../../common/varint.ts'
import { type AvroSchema, avroType } from '../../schemas/avro.ts'
import { newestSchema } from '../../schemas/registry.ts'
import type { Rows } from './rows.ts'

const NOTHING = Buffer.alloc(0)
/** What differs from row to row; then what is the same for a partition's rows, then for the whole batch. */
const ROW_FIELDS = [
  { name: 'says', type: 'long' },
  { name: 'offset', type: 'long' },
  { name: 'log_append_time', type: { type: 'long', logicalType: 'timestamp-millis' } },
]
const TAIL_FIELDS = [
  { name: 'partition', type: 'int' },
  { name: 'topic_epoch', type: 'int' },
  { name: 'writer', type: 'string' },
  { name: 'topic', type: 'string' },
  { name: 'batch', type: 'string' },
  { name: 'batch_rows', type: 'long' },
  { name: 'count_epoch', type: 'long' },
  { name: 'ingested_at', type: { type: 'long', logicalType: 'timestamp-millis' } },
]
const EVENT_SCHEMA = newestSchema('dossier-event') as unknown as { fields: { name: string }[] }
const STORED_SCHEMA = {
  ...EVENT_SCHEMA,
  name: 'StoredEvent',
  fields: [...EVENT_SCHEMA.fields, ...ROW_FIELDS, ...TAIL_FIELDS],
}

const tailType = avroType({ type: 'record', name: 'Tail', fields: TAIL_FIELDS } as AvroSchema)
const longType = avroType('long')

/** The columns a container fills, in order. */
export const STORED_COLUMNS: readonly string[] = STORED_SCHEMA.fields.map(field => field.name)

export interface BatchFacts {
  topic: string
  /** Under which token a partition is written; it must hold the last claim, where there is one (ownership.ts). */
  writerOf: (partition: number) => string
  batch: string
  /** The partition count under which the records were classified (partition-count.ts). */
  count_epoch: bigint
  ingested_at_ms: number
}

const SYNC = Buffer.from('motcua container')
const metadataType = avroType({ type: 'map', values: 'bytes' } as AvroSchema)

/** The part of a container file that stands before its rows. */
function headerOf(schema: unknown): Buffer {
  const metadata = { 'avro.schema': Buffer.from(JSON.stringify(schema)), 'avro.codec': Buffer.from('null') }
  return Buffer.concat([Buffer.from('Obj\x01'), metadataType.toBuffer(metadata), SYNC])
}

/** A container file of one block, `rows` Avro records one after the other: in parts, because a block is large. */
const containerFile = (header: Buffer, rows: number, block: Buffer): Buffer[] => [
  Buffer.concat([header, longType.toBuffer(BigInt(rows)), longType.toBuffer(BigInt(block.length))]),
  block,
  SYNC,
]

const STORED_HEADER = headerOf(STORED_SCHEMA)

/** Three numbers of ten bytes at most. */
const NUMBERS_BYTES_MAX = 30

/**
 * The container of a batch, in parts. Bodies are copied as they came. `spare`: a buffer that nobody needs any more; where it
 * is large enough the block lies in it, else in a new one.
 */
export function containerOf(
  rows: Rows,
  facts: BatchFacts,
  spare: Buffer = NOTHING,
): { file: Buffer[]; memory: Buffer } {
  const tails = tailsOf(rows, facts)
  const tail_bytes = Math.max(...[...tails.values()].map(tail => tail.length))
  const bytes_max = rows.bodyBytes() + rows.length * (NUMBERS_BYTES_MAX + tail_bytes)
  const memory = bytes_max <= spare.length ? spare : Buffer.allocUnsafeSlow(bytes_max)
  let at = 0
  for (let row = 0; row < rows.length; row++) {
    at = rows.copyBody(row, memory, at)
    at = putVar(memory, at, zigZag(rows.says[row] as number))
    at = putVar(memory, at, zigZag(rows.offset[row] as number))
    at = putVar(memory, at, zigZag(rows.timestamp_ms[row] as number))
    at += (tails.get(rows.bodiesOf(row).partition) as Buffer).copy(memory, at)
  }
  return { file: containerFile(STORED_HEADER, rows.length, memory.subarray(0, at)), memory }
}

/** What stands behind the rows of each partition. A batch has one life of a partition. */
function tailsOf(rows: Rows, facts: BatchFacts): Map<number, Buffer> {
  const tails = new Map<number, Buffer>()
  for (let row = 0; row < rows.length; row++) {
    const { partition, topic_epoch } = rows.bodiesOf(row)
    if (tails.has(partition)) continue
    const tail = {
      partition,
      topic_epoch,
      writer: facts.writerOf(partition),
      topic: facts.topic,
      batch: facts.batch,
      batch_rows: BigInt(rows.length),
      count_epoch: facts.count_epoch,
      ingested_at: facts.ingested_at_ms,
    }
    tails.set(partition, tailType.toBuffer(tail))
  }
  return tails
}

/** A container of numbers from 0 that say how many they are: for the table `block_probe`. */
export function probeContainerOf(rows: number): Buffer[] {
  const total = longType.toBuffer(BigInt(rows))
  const block = Array.from({ length: rows }, (_, n) => [longType.toBuffer(BigInt(n)), total]).flat()
  const fields = ['n', 'probe_rows'].map(name => ({ name, type: 'long' }))
  return containerFile(headerOf({ type: 'record', name: 'Probe', fields }), rows, Buffer.concat(block))
}
