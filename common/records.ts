/**
 * Kafka's records without an object each: a batch is the bytes of its records and where each begins, and a record is a place
 * in them. Who needs a record as an object asks for one.
 */
import { schemaIdAt } from '../schemas/wire.ts'
import type { HeaderPair, HeaderPairs } from './headers.ts'

/** A record as an object; nothing of its value is decoded. */
export interface KafkaRecord {
  offset: bigint
  key: Buffer | null
  value: Buffer | null
  /** Kafka's time of the record, milliseconds since 1970 UTC; for ingest, where a producer set it, the moment of reading. */
  timestamp_ms: number
  /** Whether the broker set that time (LogAppendTime). Otherwise nothing may be judged by it. */
  broker_time: boolean
  headers: HeaderPairs
  /** The value is a whole batch that cannot be read, and why (read-records.ts). */
  unreadable?: string
}

const NOTHING = Buffer.alloc(0)

/** Where a record lies. One such object serves for many: it is overwritten. Positions of what is null are -1. */
export class Place {
  bytes: Buffer = NOTHING
  offset = 0
  timestamp_ms = 0
  key_at = -1
  key_end = -1
  value_at = -1
  value_end = -1
  /** Where the number of headers stands. */
  headers_at = -1
  unreadable: string | undefined

  /** Lets go of the bytes: the last batch would stay in memory until there is another. */
  release(): void {
    this.bytes = NOTHING
    reader.over(NOTHING, 0)
  }
}

/** What Kafka says of a whole batch, and the codec (0 none, then as in kafkajs's CompressionTypes). */
export interface BatchContext {
  readonly firstOffset: string
  readonly firstTimestamp: string
  readonly partitionLeaderEpoch: number
  readonly inTransaction: boolean
  readonly isControlBatch: boolean
  readonly lastOffsetDelta: number
  readonly producerId: string
  readonly producerEpoch: number
  readonly firstSequence: number
  readonly maxTimestamp: string
  /** 0 the producer's time, 1 the broker's. */
  readonly timestampType: 0 | 1
  readonly magicByte: number
  readonly compression: number
}

/** A batch. kafkajs takes it for one message, at the offset of the last record. */
export class RecordBatch {
  readonly batchContext: BatchContext
  readonly bytes: Buffer
  /** Where each record begins, behind its length. */
  readonly starts: Uint32Array
  /** Whether no offset is left out. Then a record's place says which it has: what the producer wrote of it, nobody checked. */
  private readonly dense: boolean
  /** Why no record can be read: then there is one, whose value is the whole batch. */
  readonly unreadable: string | undefined
  /** It belongs to an aborted transaction (aborted.ts). */
  hidden = false
  /** Of the last record, as far as the batch tells. */
  readonly offset: string
  private readonly first_offset: number
  private readonly first_ms: number
  private readonly max_ms: number

  constructor(batchContext: BatchContext, bytes: Buffer, starts: Uint32Array, unreadable?: string) {
    this.batchContext = batchContext
    this.bytes = bytes
    this.starts = starts
    this.unreadable = unreadable
    this.dense = starts.length === batchContext.lastOffsetDelta + 1
    this.offset = String(BigInt(batchContext.firstOffset) + BigInt(batchContext.lastOffsetDelta))
    // Exact: a broker counts no records beyond 2^53, and a time beyond is refused whatever it is.
    this.first_offset = Number(unreadable === undefined ? batchContext.firstOffset : this.offset)
    this.first_ms = Number(batchContext.firstTimestamp)
    this.max_ms = Number(batchContext.maxTimestamp)
  }

  /** Asked by kafkajs, which hands on no such message. */
  get isControlRecord(): boolean {
    return this.hidden || this.batchContext.isControlBatch
  }

  /** Whether the broker set the times. */
  get broker_time(): boolean {
    return this.batchContext.timestampType === 1
  }

  /** Of the first record. */
  get key(): Buffer | null {
    if (this.starts.length === 0) return null
    this.locate(0, place)
    const key = part(place.bytes, place.key_at, place.key_end)
    place.release()
    return key
  }

  /** Puts a place over a record; its bytes were walked before. */
  locate(nth: number, into: Place): void {
    const { bytes } = this
    into.bytes = bytes
    into.unreadable = this.unreadable
    if (this.unreadable !== undefined) {
      into.offset = this.first_offset
      into.timestamp_ms = this.max_ms
      into.key_at = into.key_end = into.headers_at = -1
      into.value_at = 0
      into.value_end = bytes.length
      return
    }
    const cursor = reader.over(bytes, (this.starts[nth] as number) + 1)
    const after_ms = cursor.varlong()
    into.timestamp_ms = this.broker_time ? this.max_ms : this.first_ms + after_ms
    const after = cursor.varint()
    into.offset = this.first_offset + (this.dense ? nth : after)
    const key = cursor.varint()
    into.key_at = key < 0 ? -1 : cursor.at
    into.key_end = key < 0 ? -1 : cursor.at + key
    if (key > 0) cursor.at += key
    const value = cursor.varint()
    into.value_at = value < 0 ? -1 : cursor.at
    into.value_end = value < 0 ? -1 : cursor.at + value
    if (value > 0) cursor.at += value
    into.headers_at = cursor.at
  }
}

/** Records of one partition, in order. */
export class Records implements Iterable<KafkaRecord> {
  readonly length: number
  private readonly batches: readonly RecordBatch[]
  /** Of each record: its batch, and which of its records it is. */
  private readonly batch: Uint32Array
  private readonly nth: Uint32Array
  private readonly read_ms: number | undefined

  private constructor(batches: readonly RecordBatch[], batch: Uint32Array, nth: Uint32Array, read_ms?: number) {
    this.length = nth.length
    this.batches = batches
    this.batch = batch
    this.nth = nth
    this.read_ms = read_ms
  }

  /**
   * Those of batches that lie at `from` or behind it: a fetch answers whole batches. `read_ms` stands for the times that
   * producers set, where they are not wanted.
   */
  static of(batches: readonly RecordBatch[], from: number, read_ms?: number): Records {
    const most = batches.reduce((sum, { starts }) => sum + starts.length, 0)
    const [batch, nth] = [new Uint32Array(most), new Uint32Array(most)]
    let length = 0
    for (const [at, one] of batches.entries()) {
      const whole = Number(one.batchContext.firstOffset) >= from
      for (let record = 0; record < one.starts.length; record++) {
        if (!whole) {
          one.locate(record, place)
          if (place.offset < from) continue
        }
        batch[length] = at
        nth[length++] = record
      }
    }
    place.release()
    return new Records(batches, batch.subarray(0, length), nth.subarray(0, length), read_ms)
  }

  slice(from: number, to = this.length): Records {
    return new Records(this.batches, this.batch.subarray(from, to), this.nth.subarray(from, to), this.read_ms)
  }

  /** Puts a place over a record. */
  locate(index: number, into: Place): void {
    const batch = this.batches[this.batch[index] as number] as RecordBatch
    batch.locate(this.nth[index] as number, into)
    if (this.read_ms !== undefined && !batch.broker_time) into.timestamp_ms = this.read_ms
  }

  /** The id of the schema that a record's value names, where it has a whole header. */
  schemaIdAt(index: number): number | undefined {
    this.locate(index, place)
    const { bytes, value_at, value_end, unreadable } = place
    place.release()
    return unreadable !== undefined || value_at < 0 ? undefined : schemaIdAt(bytes, value_at, value_end)
  }

  offsetAt(index: number): number {
    this.locate(index, place)
    const { offset } = place
    place.release()
    return offset
  }

  at(index: number): KafkaRecord | undefined {
    const nth = index < 0 ? this.length + index : index
    if (nth < 0 || nth >= this.length) return undefined
    this.locate(nth, place)
    const { bytes, unreadable } = place
    const record = {
      offset: BigInt(place.offset),
      key: part(bytes, place.key_at, place.key_end),
      value: part(bytes, place.value_at, place.value_end),
      timestamp_ms: place.timestamp_ms,
      broker_time: (this.batches[this.batch[nth] as number] as RecordBatch).broker_time,
      headers: headersAt(bytes, place.headers_at),
      ...(unreadable !== undefined && { unreadable }),
    }
    place.release()
    return record
  }

  *[Symbol.iterator](): Iterator<KafkaRecord> {
    for (let index = 0; index < this.length; index++) yield this.at(index) as KafkaRecord
  }
}

const part = (bytes: Buffer, from: number, to: number): Buffer | null => (from < 0 ? null : bytes.subarray(from, to))

const NO_HEADERS: HeaderPairs = []

function headersAt(bytes: Buffer, at: number): HeaderPairs {
  if (at < 0) return NO_HEADERS
  const count = reader.over(bytes, at).varint()
  return count > 0 ? new PlacedHeaders(bytes, at, count) : NO_HEADERS
}

/** Headers where they lie, from their number on. */
class PlacedHeaders implements HeaderPairs {
  private readonly bytes: Buffer
  private readonly at: number
  readonly length: number

  constructor(bytes: Buffer, at: number, length: number) {
    this.bytes = bytes
    this.at = at
    this.length = length
  }

  *[Symbol.iterator](): Iterator<HeaderPair> {
    const cursor = new RecordCursor().over(this.bytes, this.at)
    cursor.varint()
    for (let left = this.length; left > 0; left--) yield [cursor.text(), cursor.bytesOrNull()]
  }
}

/** Reads numbers as Kafka writes them. Behind the last byte it reads zeros; who asks compares `at` with the end. */
export class RecordCursor {
  bytes: Buffer = NOTHING
  at = 0

  over(bytes: Buffer, at: number): this {
    this.bytes = bytes
    this.at = at
    return this
  }

  varint(): number {
    let byte = this.bytes[this.at++] as number
    let bits = byte & 0x7f
    for (let shift = 7; byte >= 0x80 && shift < 35; shift += 7) {
      byte = this.bytes[this.at++] as number
      bits |= (byte & 0x7f) << shift
    }
    return (bits >>> 1) ^ -(bits & 1)
  }

  /** Of up to ten bytes: exact up to 2^53, the nearest number beyond. */
  varlong(): number {
    let raw = 0
    let factor = 1
    for (let nth = 0; nth < 10; nth++) {
      const byte = this.bytes[this.at++] as number
      raw += (byte & 0x7f) * factor
      if (!(byte >= 0x80)) break
      factor *= 0x80
    }
    return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2
  }

  /** Past bytes behind their length. */
  skip(): void {
    const length = this.varint()
    if (length > 0) this.at += length
  }

  /** Any negative length is null, as to the broker. */
  bytesOrNull(): Buffer | null {
    const length = this.varint()
    if (length < 0) return null
    const start = this.at
    this.at += length
    return this.bytes.subarray(start, this.at)
  }

  text(): string {
    const length = Math.max(0, this.varint())
    const start = this.at
    this.at += length
    return this.bytes.toString('utf8', start, this.at)
  }
}

const reader = new RecordCursor()
const place = new Place()
