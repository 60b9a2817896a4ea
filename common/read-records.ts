/**
 * Records as they lie in Kafka's batches, read in place of kafkajs's own code, which other producers can stop: it takes
 * minutes for a record of many headers, and overflows the stack with a batch of many small records.
 *
 * What is handed to kafkajs are batches (records.ts), not records: what a fetch needs on the heap does not depend on what
 * lies in them.
 */
import { createRequire } from 'node:module'
import kafkajs from 'kafkajs'
import { UnpackError } from './compression.ts'
import { type BatchContext, RecordBatch, RecordCursor } from './records.ts'
import { encodeRecord } from './write-records.ts'

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

/** Four bytes each are kept of them. */
const BATCH_RECORDS_MAX = 5_000_000
/** After so much of one answer the other batches are left for the next fetch: what is unpacked is not what was sent. */
const ANSWER_RECORDS_MAX = 120_000
const ANSWER_BYTES_MAX = 67_108_864
/** A member of the group says nothing while it unpacks, and is missed after six seconds. */
const ANSWER_MS_MAX = 1_000

const require = createRequire(import.meta.url)

/** What the partitions of an answer have brought so far. kafkajs asks for them in another order each time. */
interface Spent {
  records: number
  bytes: number
  ms: number
}
const isOver = ({ records, bytes, ms }: Spent) =>
  records > ANSWER_RECORDS_MAX || bytes > ANSWER_BYTES_MAX || ms > ANSWER_MS_MAX

const spentOn = new WeakMap<AnswerDecoder, Spent>()

/**
 * The batches of one partition in a fetch's answer. The last batch may be cut off, and is left for the next fetch. A batch that
 * cannot be read, or that is too large when it is unpacked, is one record with its bytes: it must not stop what follows it.
 */
export async function decodeMessages(answer: AnswerDecoder): Promise<RecordBatch[]> {
  const length = answer.readInt32()
  if (length <= MAGIC_AT || !answer.canReadBytes(length)) return []
  const bytes = answer.readBytes(length)
  const spent = spentOn.get(answer) ?? { records: 0, bytes: 0, ms: 0 }
  spentOn.set(answer, spent)
  const batches: RecordBatch[] = []
  for (let at = 0; at + MAGIC_AT < length; ) {
    const end = at + 12 + bytes.readInt32BE(at + 8)
    if (end > length || isOver(spent)) break
    const began_ms = performance.now()
    const batch = bytes.subarray(at, end)
    const decoded = await (batch[MAGIC_AT] === MAGIC ? decodeBatch(batch, spent) : decodeOldFormat(batch))
    if (decoded !== undefined) batches.push(decoded)
    spent.ms += performance.now() - began_ms
    at = end
  }
  return batches
}

/** What kafkajs makes of a message from before Kafka 0.11. */
interface OldMessage {
  offset: string
  timestamp?: string
  key: Buffer | null
  value: Buffer | null
}

/** One message, or one wrapper of compressed ones, from before Kafka 0.11: kafkajs reads it, and it becomes a batch as of today. */
async function decodeOldFormat(bytes: Buffer): Promise<RecordBatch | undefined> {
  const Decoder = require('kafkajs/src/protocol/decoder.js')
  const messages: OldMessage[] = await require('kafkajs/src/protocol/messageSet/decoder.js')(
    new Decoder(bytes),
    bytes.length,
  )
  const [first, last] = [messages[0], messages.at(-1)]
  if (first === undefined || last === undefined) return undefined
  const deltaOf = ({ offset }: OldMessage) => Number(BigInt(offset) - BigInt(first.offset))
  const records = messages.map(
    one => encodeRecord({ key: one.key, value: one.value, offsetDelta: deltaOf(one) }).buffer,
  )
  const time = first.timestamp ?? '-1'
  const context: BatchContext = {
    firstOffset: first.offset,
    lastOffsetDelta: deltaOf(last),
    firstTimestamp: time,
    maxTimestamp: time,
    timestampType: 0,
    partitionLeaderEpoch: -1,
    inTransaction: false,
    isControlBatch: false,
    producerId: '-1',
    producerEpoch: -1,
    firstSequence: -1,
    magicByte: bytes[MAGIC_AT] as number,
    compression: 0,
  }
  return walked(Buffer.concat(records), records.length, context)
}

/** Undefined where nothing is left of it. */
async function decodeBatch(bytes: Buffer, spent: Spent): Promise<RecordBatch | undefined> {
  const context = contextOf(bytes)
  const count = bytes.readInt32BE(57)
  if (count <= 0) return undefined
  const packed = bytes.subarray(BATCH_HEADER_BYTES)
  try {
    if (count > BATCH_RECORDS_MAX) throw new UnreadableError(`it has more than ${BATCH_RECORDS_MAX} records`)
    const unpacked = context.compression === 0 ? packed : await unpack(context.compression, packed)
    spent.bytes += unpacked.length
    spent.records += count
    return walked(unpacked, count, context)
  } catch (error) {
    // Whatever else goes wrong, memory that is short for a moment, is no property of the batch.
    if (context.isControlBatch || !(error instanceof UnreadableError || error instanceof UnpackError)) throw error
    const { firstOffset, lastOffsetDelta } = context
    const last = BigInt(firstOffset) + BigInt(lastOffsetDelta)
    const why = `the batch of offsets ${firstOffset} to ${last} cannot be read: ${error.message}. The value is the whole batch`
    return new RecordBatch(context, bytes, Uint32Array.of(0), why)
  }
}

/** The bytes are no records, today or later. */
class UnreadableError extends Error {}

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

/** The batch of `count` records that lie one behind the other; they are walked to the end. */
function walked(bytes: Buffer, count: number, context: BatchContext): RecordBatch {
  const cursor = new RecordCursor().over(bytes, 0)
  const starts = new Uint32Array(count)
  const { lastOffsetDelta } = context
  let before = -1
  for (let nth = 0; nth < count; nth++) {
    const length = cursor.varint()
    const start = cursor.at
    const end = start + length
    if (length < 0 || end > bytes.length) throw corrupt(context, nth)
    starts[nth] = start
    cursor.at = start + 1
    cursor.varlong()
    const offset_delta = cursor.varint()
    // Where offsets are left out, as a compacted topic does it, those that are there have to be trusted: as far as they can be.
    if (count <= lastOffsetDelta && (offset_delta <= before || offset_delta > lastOffsetDelta))
      throw corrupt(context, nth)
    before = offset_delta
    cursor.skip()
    cursor.skip()
    let left = cursor.varint()
    for (; left > 0 && cursor.at < end; left--) {
      cursor.skip()
      cursor.skip()
    }
    if (left > 0 || cursor.at !== end) throw corrupt(context, nth)
  }
  return new RecordBatch(context, bytes, starts)
}

const corrupt = ({ firstOffset }: BatchContext, nth: number) =>
  new UnreadableError(`record ${nth} of the batch at offset ${firstOffset} is corrupt`)
