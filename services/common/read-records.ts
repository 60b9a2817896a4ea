/**
 * Records as they lie in Kafka's batches, read in place of kafkajs's own code, which other producers can stop: it takes
 * minutes for a record of many headers, and overflows the stack with a batch of many small records.
 *
 * A record that was read is a place in its batch. Key, value and headers are made when they are asked for, so that what a
 * fetch needs on the heap does not depend on what lies in the records.
 */
import { createRequire } from 'node:module'
import kafkajs, { type IHeaders } from 'kafkajs'
import { UnpackError } from './compression.ts'
import { type HeaderPair, type HeaderPairs, headersFromPairs } from './headers.ts'

/** What kafkajs tells of the batch of a record, and the codec (0 none, then as in CompressionTypes). */
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

/** A record with the fields of kafkajs. */
export interface DecodedRecord {
  readonly magicByte: number
  readonly attributes: number
  readonly timestamp: string
  readonly offset: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: IHeaders
  /** What kafkajs does not hand over. */
  readonly isControlRecord: boolean
  readonly batchContext: BatchContext
  /** It belongs to an aborted transaction (aborted.ts). */
  hidden: boolean
  /** The headers exactly as they lie there. */
  readonly pairs: HeaderPairs
  /** The value is a whole batch, byte for byte, of which no record can be read; and why. It stands at the batch's last offset. */
  readonly unreadable?: string
}

/** kafkajs's reader of an answer, as far as it is used here. One answer has one, for all its partitions. */
export interface AnswerDecoder {
  readInt32(): number
  canReadBytes(length: number): boolean
  readBytes(length: number): Buffer
}

/** Bytes of a batch before its records. */
const BATCH_HEADER_BYTES = 61
/** Where every format has its number. Before it stand offset and length. */
const MAGIC_AT = 16
const MAGIC = 2

/** Each record is a small object, and a heap has room for some millions. */
const BATCH_RECORDS_MAX = 500_000
/** After so much of one answer the other batches are left for the next fetch: what is unpacked is not what was sent. */
const ANSWER_RECORDS_MAX = 50_000
const ANSWER_BYTES_MAX = 67_108_864

const require = createRequire(import.meta.url)

/** What the partitions of an answer have brought so far. kafkajs asks for them in another order each time. */
interface Spent {
  records: number
  bytes: number
}
const spentOn = new WeakMap<AnswerDecoder, Spent>()

/**
 * The records of one partition in a fetch's answer. The last batch may be cut off, and is left for the next fetch. A batch that
 * cannot be read, or that is too large when it is unpacked, is one record with its bytes: it must not stop what follows it.
 */
export async function decodeMessages(answer: AnswerDecoder): Promise<DecodedRecord[]> {
  const length = answer.readInt32()
  if (length <= MAGIC_AT || !answer.canReadBytes(length)) return []
  const bytes = answer.readBytes(length)
  const spent = spentOn.get(answer) ?? { records: 0, bytes: 0 }
  spentOn.set(answer, spent)
  const batches: DecodedRecord[][] = []
  for (let at = 0; at + MAGIC_AT < length; ) {
    const end = at + 12 + bytes.readInt32BE(at + 8)
    if (end > length || spent.records > ANSWER_RECORDS_MAX || spent.bytes > ANSWER_BYTES_MAX) break
    const batch = bytes.subarray(at, end)
    batches.push(await (batch[MAGIC_AT] === MAGIC ? decodeBatch(batch, spent) : decodeOldFormat(batch)))
    at = end
  }
  // Never as arguments of push: a stack has room for some 100,000.
  return batches.length === 1 ? (batches[0] as DecodedRecord[]) : batches.flat()
}

/** One message, or one wrapper of compressed ones, from before Kafka 0.11: kafkajs reads it, also within newer batches. */
function decodeOldFormat(bytes: Buffer): Promise<DecodedRecord[]> {
  const Decoder = require('kafkajs/src/protocol/decoder.js')
  return require('kafkajs/src/protocol/messageSet/decoder.js')(new Decoder(bytes), bytes.length)
}

async function decodeBatch(bytes: Buffer, spent: Spent): Promise<DecodedRecord[]> {
  const context = contextOf(bytes)
  const count = bytes.readInt32BE(57)
  if (count <= 0) return []
  const packed = bytes.subarray(BATCH_HEADER_BYTES)
  try {
    if (count > BATCH_RECORDS_MAX) throw new UnreadableError(`it has more than ${BATCH_RECORDS_MAX} records`)
    const unpacked = context.compression === 0 ? packed : await unpack(context.compression, packed)
    spent.bytes += unpacked.length
    spent.records += count
    return decodeRecords(unpacked, count, context)
  } catch (error) {
    // Whatever else goes wrong, memory that is short for a moment, is no property of the batch.
    if (context.isControlBatch || !(error instanceof UnreadableError || error instanceof UnpackError)) throw error
    return [unreadable(bytes, context, error.message)]
  }
}

/** The bytes are no records, today or later. */
class UnreadableError extends Error {}

function unreadable(bytes: Buffer, batchContext: BatchContext, why: string): DecodedRecord {
  const last = BigInt(batchContext.firstOffset) + BigInt(batchContext.lastOffsetDelta)
  return {
    magicByte: MAGIC,
    attributes: 0,
    timestamp: batchContext.maxTimestamp,
    offset: String(last),
    key: null,
    value: bytes,
    headers: headersFromPairs([]),
    pairs: [],
    get isControlRecord() {
      return this.hidden
    },
    hidden: false,
    batchContext,
    unreadable: `the batch of offsets ${batchContext.firstOffset} to ${last} cannot be read: ${why}. The value is the whole batch`,
  }
}

function contextOf(batch: Buffer): BatchContext {
  const attributes = batch.readInt16BE(21)
  return {
    firstOffset: String(batch.readBigInt64BE(0)),
    firstTimestamp: String(batch.readBigInt64BE(27)),
    partitionLeaderEpoch: batch.readInt32BE(12),
    inTransaction: (attributes & 0x10) !== 0,
    isControlBatch: (attributes & 0x20) !== 0,
    lastOffsetDelta: batch.readInt32BE(23),
    producerId: String(batch.readBigInt64BE(43)),
    producerEpoch: batch.readInt16BE(51),
    firstSequence: batch.readInt32BE(53),
    maxTimestamp: String(batch.readBigInt64BE(35)),
    timestampType: attributes & 0x08 ? 1 : 0,
    magicByte: MAGIC,
    compression: attributes & 0x07,
  }
}

function unpack(compression: number, packed: Buffer): Promise<Buffer> {
  const codecs = kafkajs.CompressionCodecs as Record<number, () => { decompress(packed: Buffer): Promise<Buffer> }>
  const codec = codecs[compression]
  if (codec === undefined)
    throw new UnreadableError(`it is compressed with codec ${compression}, which is none of Kafka's`)
  return codec().decompress(packed)
}

/** `count` records that lie one behind the other; the bytes are walked to the end. */
function decodeRecords(bytes: Buffer, count: number, context: BatchContext): DecodedRecord[] {
  const cursor = new Cursor(bytes)
  const batch: Batch = {
    context,
    cursor,
    first_offset: exact(context.firstOffset),
    first_timestamp: exact(context.firstTimestamp),
  }
  const records: DecodedRecord[] = []
  for (let nth = 0; nth < count; nth++) {
    const length = cursor.varint()
    const start = cursor.at
    const end = start + length
    if (length < 0 || end > bytes.length) throw corrupt(context, nth)
    const record = new PlacedRecord(batch, start)
    cursor.at = start + 1
    record.timestamp_delta = cursor.varlong()
    record.offset_delta = cursor.varint()
    record.key_at = cursor.at
    cursor.skip()
    record.value_at = cursor.at
    cursor.skip()
    record.headers_at = cursor.at
    let left = cursor.varint()
    for (; left > 0 && cursor.at < end; left--) {
      cursor.skip()
      cursor.skip()
    }
    if (left > 0 || cursor.at !== end) throw corrupt(context, nth)
    records.push(record)
  }
  return records
}

const corrupt = ({ firstOffset }: BatchContext, nth: number) =>
  new UnreadableError(`record ${nth} of the batch at offset ${firstOffset} is corrupt`)

/** A number where it is exact. */
function exact(digits: string): number | bigint {
  const number = Number(digits)
  return Number.isSafeInteger(number) ? number : BigInt(digits)
}

function sumOf(first: number | bigint, delta: number | bigint): string {
  const sum = typeof first === 'number' && typeof delta === 'number' ? first + delta : Number.NaN
  return Number.isSafeInteger(sum) ? String(sum) : String(BigInt(first) + BigInt(delta))
}

/** What the records of a batch share; the cursor reads their unpacked bytes. */
interface Batch {
  readonly context: BatchContext
  readonly cursor: Cursor
  readonly first_offset: number | bigint
  readonly first_timestamp: number | bigint
}

/** A record where it lies: where its parts begin in the bytes of its batch. */
class PlacedRecord implements DecodedRecord {
  private readonly batch: Batch
  private readonly start: number
  hidden = false
  timestamp_delta: number | bigint = 0
  offset_delta = 0
  key_at = 0
  value_at = 0
  headers_at = 0

  constructor(batch: Batch, start: number) {
    this.batch = batch
    this.start = start
  }

  get batchContext() {
    return this.batch.context
  }
  get magicByte() {
    return this.batch.context.magicByte
  }
  get isControlRecord() {
    return this.hidden || this.batch.context.isControlBatch
  }
  get attributes() {
    return this.batch.cursor.bytes.readInt8(this.start)
  }
  get timestamp() {
    const { context, first_timestamp } = this.batch
    return context.timestampType === 1 ? context.maxTimestamp : sumOf(first_timestamp, this.timestamp_delta)
  }
  get offset() {
    return sumOf(this.batch.first_offset, this.offset_delta)
  }
  get key() {
    return this.batch.cursor.to(this.key_at).bytesOrNull()
  }
  get value() {
    return this.batch.cursor.to(this.value_at).bytesOrNull()
  }
  get pairs(): HeaderPairs {
    const count = this.batch.cursor.to(this.headers_at).varint()
    return count > 0 ? new PlacedHeaders(this.batch.cursor.bytes, this.headers_at, count) : NO_PAIRS
  }
  get headers() {
    return headersFromPairs(this.pairs)
  }
}

const NO_PAIRS: HeaderPairs = []

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
    const cursor = new Cursor(this.bytes).to(this.at)
    cursor.varint()
    for (let left = this.length; left > 0; left--) yield [cursor.text(), cursor.bytesOrNull()]
  }
}

/** Reads numbers as Kafka writes them. Behind the last byte it reads zeros; who asks compares `at` with the end. */
class Cursor {
  readonly bytes: Buffer
  at = 0
  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  to(at: number): this {
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

  /** A number where it has four bytes at most: 37 hours of milliseconds. */
  varlong(): number | bigint {
    const start = this.at
    let bits = 0
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.bytes[this.at++] as number
      bits |= (byte & 0x7f) << shift
      if (!(byte >= 0x80)) return (bits >>> 1) ^ -(bits & 1)
    }
    this.at = start
    return this.bigVarlong()
  }

  private bigVarlong(): bigint {
    let bits = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.bytes[this.at++] as number
      bits |= BigInt(byte & 0x7f) << shift
      if (!(byte >= 0x80)) break
    }
    return BigInt.asIntN(64, (bits >> 1n) ^ -(bits & 1n))
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
