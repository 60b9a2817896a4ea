/**
 * A batch as an Avro object container file: what ClickHouse reads with `FORMAT Avro`, matching columns by name.
 * Every row is the event as the door accepted it (canonical bytes, whatever the producer's encoder did), followed by where it
 * came from and what it says. https://avro.apache.org/docs/1.12.0/specification/#object-container-files
 */
import type { AvroSchema } from '../../schemas/avro.ts'
import { avroType } from '../../schemas/avro.ts'
import { type DossierEvent, NULLABLE_FIELDS } from '../../schemas/dossier-event/event.ts'
import { schemaFile } from '../../schemas/registry.ts'
import type { GoodRow } from './classify.ts'

/** The part that differs from row to row, and the part that is the same for the whole batch. */
const ROW_FIELDS = [
  { name: 'says', type: 'long' },
  { name: 'partition', type: 'int' },
  { name: 'offset', type: 'long' },
  { name: 'topic_epoch', type: 'int' },
  { name: 'log_append_time', type: { type: 'long', logicalType: 'timestamp-millis' } },
  { name: 'writer', type: 'string' },
]
const BATCH_FIELDS = [
  { name: 'topic', type: 'string' },
  { name: 'batch', type: 'string' },
  { name: 'batch_rows', type: 'long' },
  { name: 'count_epoch', type: 'long' },
  { name: 'ingested_at', type: { type: 'long', logicalType: 'timestamp-millis' } },
]
const EVENT_SCHEMA = schemaFile('dossier-event/v1.avsc') as unknown as { fields: { name: string }[] }
const STORED_SCHEMA = {
  ...EVENT_SCHEMA,
  name: 'StoredEvent',
  fields: [...EVENT_SCHEMA.fields, ...ROW_FIELDS, ...BATCH_FIELDS],
}

const eventType = avroType(EVENT_SCHEMA as unknown as AvroSchema)
const rowType = avroType({ type: 'record', name: 'Row', fields: ROW_FIELDS } as AvroSchema)
const batchType = avroType({ type: 'record', name: 'Batch', fields: BATCH_FIELDS } as AvroSchema)
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

/** A container file of one block: `rows` Avro records, one after the other in `block`. */
function containerFile(header: Buffer, rows: number, block: Buffer): Buffer {
  return Buffer.concat([header, longType.toBuffer(BigInt(rows)), longType.toBuffer(BigInt(block.length)), block, SYNC])
}

const STORED_HEADER = headerOf(STORED_SCHEMA)

/** Types that decide the life of a dossier; the others are steps (contract, Life). */
const LIFE: ReadonlySet<string> = new Set([
  'SUBMITTED',
  'RECEIVED',
  'NOT_ACCEPTED',
  'SETTLED',
  'RETURNED',
  'WITHDRAWN',
  'STOPPED',
  'CORRECTED',
  'VOIDED',
])
const LIFE_BIT = 2 ** NULLABLE_FIELDS.length
/** Types after which a dossier waits for a supplement, or no longer. */
const WAITING: ReadonlySet<string> = new Set(['SUPPLEMENT_REQUESTED', 'SUPPLEMENT_RECEIVED', 'PROCESSING'])
const WAITING_BIT = 2 * LIFE_BIT
/** Its events touch a dossier and say nothing of it (pipelines/audit/repair.ts). */
const SILENT_SOURCE = 'motcua-repair'

/** Which fields an event speaks of: bit k for the k-th nullable field, set or cleared; then the life, then the waiting. */
export function saysOf(event: DossierEvent): number {
  let says = LIFE.has(event.event_type) ? LIFE_BIT : 0
  if (WAITING.has(event.event_type) && event.source !== SILENT_SOURCE) says += WAITING_BIT
  for (let bit = 0; bit < NULLABLE_FIELDS.length; bit++)
    if (event[NULLABLE_FIELDS[bit] as keyof DossierEvent] !== null) says += 2 ** bit
  for (const name of event.cleared) says |= 2 ** NULLABLE_FIELDS.indexOf(name as never)
  return says
}

const ROW_BYTES_GUESS = 320

/** The container of a batch. Rows must have passed the door. */
export function containerOf(rows: readonly GoodRow[], facts: BatchFacts): Buffer {
  const tail = batchType.toBuffer({
    topic: facts.topic,
    batch: facts.batch,
    batch_rows: BigInt(rows.length),
    count_epoch: facts.count_epoch,
    ingested_at: facts.ingested_at_ms,
  })
  let block = Buffer.allocUnsafe(rows.length * ROW_BYTES_GUESS)
  let at = 0
  for (const { event, partition, offset, topic_epoch, timestamp_ms } of rows) {
    const row = {
      says: BigInt(saysOf(event)),
      partition,
      offset,
      topic_epoch,
      log_append_time: timestamp_ms,
      writer: facts.writerOf(partition),
    }
    // avsc answers a negative position where the buffer is too small.
    for (;;) {
      const afterEvent = eventType.encode(event, block, at)
      const afterRow = afterEvent < 0 ? afterEvent : rowType.encode(row, block, afterEvent)
      if (afterRow >= 0 && afterRow + tail.length <= block.length) {
        at = afterRow + tail.copy(block, afterRow)
        break
      }
      const larger = Buffer.allocUnsafe(block.length * 2)
      block.copy(larger, 0, 0, at)
      block = larger
    }
  }
  return containerFile(STORED_HEADER, rows.length, block.subarray(0, at))
}

/** A container of numbers from 0 that say how many they are: for the table `block_probe`. */
export function probeContainerOf(rows: number): Buffer {
  const total = longType.toBuffer(BigInt(rows))
  const block = Array.from({ length: rows }, (_, n) => [longType.toBuffer(BigInt(n)), total]).flat()
  const fields = ['n', 'probe_rows'].map(name => ({ name, type: 'long' }))
  return containerFile(headerOf({ type: 'record', name: 'Probe', fields }), rows, Buffer.concat(block))
}
