/** Records as a fetch brings them, made from objects. */
import { type BatchContext, type KafkaRecord, RecordBatch, RecordCursor, Records } from './records.ts'
import { encodeRecord } from './write-records.ts'

/** Each in a batch of its own, in order. What is not named is null, empty or 0, and the broker set the times. */
export function recordsOf(some: readonly (Partial<KafkaRecord> & { offset: bigint })[]): Records {
  const batches = some.map(({ offset, key, value, headers, timestamp_ms = 0, broker_time = true, unreadable }) => {
    const record = encodeRecord({ key: key ?? null, value: value ?? null, headers: headers ?? [] }).buffer
    const context: BatchContext = {
      firstOffset: String(offset),
      firstTimestamp: String(timestamp_ms),
      maxTimestamp: String(timestamp_ms),
      lastOffsetDelta: 0,
      timestampType: broker_time ? 1 : 0,
      partitionLeaderEpoch: 0,
      inTransaction: false,
      isControlBatch: false,
      producerId: '-1',
      producerEpoch: -1,
      firstSequence: -1,
      magicByte: 2,
      compression: 0,
    }
    const cursor = new RecordCursor().over(record, 0)
    cursor.varint()
    return unreadable === undefined
      ? new RecordBatch(context, record, Uint32Array.of(cursor.at))
      : new RecordBatch(context, value ?? Buffer.alloc(0), Uint32Array.of(0), unreadable)
  })
  return Records.of(batches, 0)
}
