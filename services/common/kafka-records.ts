/**
 * Records as they lie in Kafka's batches, read and written in place of kafkajs's own code, which other producers can stop:
 * it takes minutes for a record of many headers, throws at a null header value when it writes, and overflows the stack with
 * a batch of many small records. It also loses headers named `__proto__`, and the order of headers.
 *
 * Importing this file puts it in kafkajs's place for the whole process. kafkajs loads the code for records at its first send
 * or fetch, so the import may come after that of kafkajs, not after such a call: then it throws.
 */
import Module, { createRequire } from 'node:module'
import kafkajs, { type IHeaders } from 'kafkajs'

/** Headers as they lie in the record: in order, with repeated names, with null values. */
export type HeaderPairs = readonly (readonly [string, Buffer | null])[]

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
  readonly isControlRecord: boolean
  readonly batchContext: BatchContext
  /** The value is a whole batch, byte for byte, of which no record can be read; and why. It stands at the batch's last offset. */
  readonly unreadable?: string
}

/** What kafkajs gives its encoder of records. */
export interface RecordToEncode {
  readonly offsetDelta?: number
  readonly timestampDelta?: number
  readonly key?: Buffer | string | null
  readonly value?: Buffer | string | null
  readonly headers?: object
}

// --- headers --------------------------------------------------------------------------------------------------------

/** Shared by two copies of this file in one process, as test runners make them. */
const PAIRS = Symbol.for('motcua.header-pairs')
type WithPairs = { readonly [PAIRS]?: HeaderPairs }

const NO_HEADERS = withPairs(Object.create(null), [])

/**
 * The exact headers of a record that was read, or those of an ordinary object: an array is a repeated name, `undefined` is
 * left out.
 */
export function pairsOf(headers: object | undefined): HeaderPairs {
  if (headers === undefined) return []
  const exact = (headers as WithPairs)[PAIRS]
  if (exact !== undefined) return exact
  const pairs: [string, Buffer | null][] = []
  for (const [name, value] of Object.entries(headers))
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) pairs.push([name, bytesOf(one)])
  return pairs
}

/**
 * Headers of exactly these pairs, for a message to send. To readers they look as in kafkajs: a value, or an array where the
 * name is repeated; null values are null. Frozen, because a change would not be sent; a copy by `{...headers}` is an
 * ordinary object.
 */
export function headersFromPairs(pairs: HeaderPairs): IHeaders {
  if (pairs.length === 0) return NO_HEADERS
  const headers: Record<string, Buffer | null | (Buffer | null)[]> = Object.create(null)
  for (const [name, value] of pairs) {
    const before = headers[name]
    if (before === undefined) headers[name] = value
    else if (Array.isArray(before)) before.push(value)
    else headers[name] = [before, value]
  }
  return withPairs(headers, pairs)
}

function withPairs(headers: object, pairs: HeaderPairs): IHeaders {
  return Object.freeze(Object.defineProperty(headers, PAIRS, { value: pairs })) as IHeaders
}

// --- reading --------------------------------------------------------------------------------------------------------

/** kafkajs's reader of an answer, as far as it is used here. */
export interface AnswerDecoder {
  readInt32(): number
  canReadBytes(length: number): boolean
  readBytes(length: number): Buffer
}

/** Bytes of a batch before its records. */
const BATCH_HEADER_BYTES = 61
/** Where every format has its number. */
const MAGIC_AT = 16
const MAGIC = 2

/** Records and headers of one batch: each is an object, and a heap has room for some millions. */
const BATCH_OBJECTS_MAX = 500_000
/** After so much of one answer the other batches are left for the next fetch: what is unpacked is not what was sent. */
const ANSWER_OBJECTS_MAX = 50_000
const ANSWER_BYTES_MAX = 67_108_864

/**
 * The records of one partition in a fetch's answer. The last batch may be cut off, and is left for the next fetch. A batch that
 * cannot be read, or that is too large when it is unpacked, is one record with its bytes: it must not stop what follows it.
 */
export async function decodeMessages(answer: AnswerDecoder): Promise<DecodedRecord[]> {
  const length = answer.readInt32()
  if (length <= MAGIC_AT || !answer.canReadBytes(length)) return []
  const bytes = answer.readBytes(length)
  if (bytes[MAGIC_AT] !== MAGIC) return decodeOldFormat(bytes)
  const batches: DecodedRecord[][] = []
  const spent = { objects: 0, bytes: 0 }
  for (let at = 0; at + BATCH_HEADER_BYTES <= length; ) {
    const end = at + 12 + bytes.readInt32BE(at + 8)
    if (end > length || spent.objects > ANSWER_OBJECTS_MAX || spent.bytes > ANSWER_BYTES_MAX) break
    batches.push(await decodeBatch(bytes.subarray(at, end), spent))
    at = end
  }
  // Never as arguments of push: a stack has room for some 100,000.
  return batches.length === 1 ? (batches[0] as DecodedRecord[]) : batches.flat()
}

/** The formats 0 and 1, from before Kafka 0.11, which a broker may still keep: kafkajs reads them. */
function decodeOldFormat(bytes: Buffer): Promise<DecodedRecord[]> {
  const Decoder = require('kafkajs/src/protocol/decoder.js')
  return require('kafkajs/src/protocol/messageSet/decoder.js')(new Decoder(bytes), bytes.length)
}

async function decodeBatch(batch: Buffer, spent: { objects: number; bytes: number }): Promise<DecodedRecord[]> {
  const context = contextOf(batch)
  const count = batch.readInt32BE(57)
  if (count <= 0) return []
  const packed = batch.subarray(BATCH_HEADER_BYTES)
  try {
    const bytes = context.compression === 0 ? packed : await unpack(context.compression, packed)
    spent.bytes += bytes.length
    const room = { left: BATCH_OBJECTS_MAX }
    const records = decodeRecords(bytes, count, context, room)
    spent.objects += BATCH_OBJECTS_MAX - room.left
    return records
  } catch (error) {
    if (context.isControlBatch) throw error
    return [unreadable(batch, context, (error as Error).message)]
  }
}

function unreadable(batch: Buffer, batchContext: BatchContext, why: string): DecodedRecord {
  const last = BigInt(batchContext.firstOffset) + BigInt(batchContext.lastOffsetDelta)
  return {
    magicByte: MAGIC,
    attributes: 0,
    timestamp: batchContext.maxTimestamp,
    offset: String(last),
    key: null,
    value: batch,
    headers: NO_HEADERS,
    isControlRecord: false,
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
  if (codec === undefined) throw new Error(`a batch is compressed with codec ${compression}, which is none of Kafka's`)
  return codec().decompress(packed)
}

/** `count` records that lie one behind the other; records and headers are taken off `room`. Throws where the bytes are none. */
export function decodeRecords(
  bytes: Buffer,
  count: number,
  batchContext: BatchContext,
  room = { left: BATCH_OBJECTS_MAX },
): DecodedRecord[] {
  const cursor = new Cursor(bytes)
  const { magicByte, isControlBatch, timestampType, maxTimestamp } = batchContext
  const offsetOf = adder(batchContext.firstOffset)
  const timestampOf = timestampType === 1 ? () => maxTimestamp : adder(batchContext.firstTimestamp)
  const records: DecodedRecord[] = []
  room.left -= count
  if (room.left < 0) throw tooMany()
  for (let nth = 0; nth < count; nth++) {
    const length = cursor.varint()
    const end = cursor.at + length
    if (length < 0 || end > bytes.length) throw corrupt(batchContext, nth)
    const attributes = ((bytes[cursor.at++] as number) << 24) >> 24
    const timestamp = timestampOf(cursor.varlong())
    const offset = offsetOf(cursor.varint())
    const key = cursor.bytesOrNull()
    const value = cursor.bytesOrNull()
    const headers = decodeHeaders(cursor, end, room)
    if (headers === undefined || cursor.at !== end) throw corrupt(batchContext, nth)
    const isControlRecord = isControlBatch
    records.push({ magicByte, attributes, timestamp, offset, key, value, headers, isControlRecord, batchContext })
  }
  return records
}

function decodeHeaders(cursor: Cursor, end: number, room: { left: number }): IHeaders | undefined {
  const count = cursor.varint()
  if (count === 0) return NO_HEADERS
  room.left -= count
  if (room.left < 0) throw tooMany()
  const pairs: [string, Buffer | null][] = []
  for (let nth = 0; nth < count; nth++) {
    if (cursor.at >= end) return undefined
    pairs.push([cursor.text(), cursor.bytesOrNull()])
  }
  return headersFromPairs(pairs)
}

/** Adds a record's difference to a batch's first value: in numbers where they are exact. */
function adder(first: string): (delta: number | bigint) => string {
  const base = Number(first)
  let last: number | bigint = 0
  let text = first
  return delta => {
    // Records of one send mostly have one time.
    if (delta === last) return text
    const sum = typeof delta === 'number' ? base + delta : Number.NaN
    text = Number.isSafeInteger(sum) && Number.isSafeInteger(base) ? String(sum) : String(BigInt(first) + BigInt(delta))
    last = delta
    return text
  }
}

const tooMany = () => new Error(`it has more than ${BATCH_OBJECTS_MAX} records and headers`)
const corrupt = ({ firstOffset }: BatchContext, nth: number) =>
  new Error(`record ${nth} of the batch at offset ${firstOffset} is corrupt`)

/** Reads numbers as Kafka writes them. Behind the last byte it reads zeros; who asks compares `at` with the end. */
class Cursor {
  readonly bytes: Buffer
  at = 0
  constructor(bytes: Buffer) {
    this.bytes = bytes
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

// --- writing --------------------------------------------------------------------------------------------------------

/** One record, as the encoder that kafkajs puts into its batch. */
export function encodeRecord(record: RecordToEncode): { buf: Buffer; buffer: Buffer; offset: number } {
  const { offsetDelta = 0, timestampDelta = 0 } = record
  const key = bytesOf(record.key)
  const value = bytesOf(record.value)
  const headers = pairsOf(record.headers)
  const time = zigZag(timestampDelta)
  let body_bytes = 1 + sizeOfVar(time) + sizeOfVar(zigZag(offsetDelta)) + sizeOf(key) + sizeOf(value)
  body_bytes += sizeOfVar(zigZag(headers.length))
  for (const [name, content] of headers) body_bytes += withLength(Buffer.byteLength(name)) + sizeOf(content)

  const buffer = Buffer.allocUnsafe(sizeOfVar(zigZag(body_bytes)) + body_bytes)
  let at = putVar(buffer, 0, zigZag(body_bytes))
  buffer[at++] = 0
  at = putVar(buffer, at, time)
  at = putVar(buffer, at, zigZag(offsetDelta))
  at = putBytes(buffer, at, key)
  at = putBytes(buffer, at, value)
  at = putVar(buffer, at, zigZag(headers.length))
  for (const [name, content] of headers) at = putBytes(buffer, putText(buffer, at, name), content)
  return { buf: buffer, buffer, offset: at }
}

function bytesOf(value: unknown): Buffer | null {
  if (value === null || value === undefined) return null
  if (Buffer.isBuffer(value)) return value
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  return Buffer.from(String(value))
}

/** Small numbers of either sign to small ones without: in numbers as long as twice the value is exact. */
function zigZag(value: number): number | bigint {
  if (Number.isNaN(value)) return 0
  if (Math.abs(value) < 2 ** 51) return value >= 0 ? value * 2 : -value * 2 - 1
  const big = BigInt(value)
  return BigInt.asUintN(64, (big << 1n) ^ (big >> 63n))
}

function sizeOfVar(bits: number | bigint): number {
  let bytes = 1
  if (typeof bits === 'bigint') for (let rest = bits; rest >= 128n; rest >>= 7n) bytes++
  else for (let rest = bits; rest >= 128; rest = Math.floor(rest / 128)) bytes++
  return bytes
}

function putVar(to: Buffer, start: number, bits: number | bigint): number {
  let at = start
  let rest = bits
  for (; typeof rest === 'bigint' && rest >= 128n; rest >>= 7n) to[at++] = Number(rest & 0x7fn) | 0x80
  let last = Number(rest)
  for (; last >= 128; last = Math.floor(last / 128)) to[at++] = (last % 128) | 0x80
  to[at++] = last
  return at
}

const NULL_LENGTH = zigZag(-1)
const withLength = (bytes: number) => sizeOfVar(zigZag(bytes)) + bytes
const sizeOf = (bytes: Buffer | null) => (bytes === null ? 1 : withLength(bytes.length))

function putBytes(to: Buffer, at: number, bytes: Buffer | null): number {
  if (bytes === null) return putVar(to, at, NULL_LENGTH)
  const start = putVar(to, at, zigZag(bytes.length))
  return start + bytes.copy(to, start)
}

function putText(to: Buffer, at: number, text: string): number {
  const start = putVar(to, at, zigZag(Buffer.byteLength(text)))
  return start + to.write(text, start)
}

// --- in kafkajs's place ---------------------------------------------------------------------------------------------

const OURS = Symbol.for('motcua.kafka-records')
const require = createRequire(import.meta.url)

/** Throws where kafkajs holds its own code already. */
function replace(path: string, code: object): void {
  const file = require.resolve(`kafkajs/src/protocol/${path}`)
  const loaded = require.cache[file]
  if (loaded !== undefined && OURS in loaded.exports) return
  if (loaded !== undefined)
    throw new Error(
      `kafkajs has loaded ${path} already: import services/common/kafka.ts before the first send or fetch`,
    )
  const module = new Module(file)
  module.filename = file
  module.loaded = true
  module.exports = Object.assign(code, { [OURS]: true })
  require.cache[file] = module
}

replace('requests/fetch/v4/decodeMessages.js', decodeMessages)
replace('recordBatch/record/v0/index.js', encodeRecord)
