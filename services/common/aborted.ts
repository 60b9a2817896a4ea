/**
 * Which records of a fetch's answer belong to aborted transactions, by the rule of Kafka's Java client. kafkajs's own filter
 * lets some through: it begins one aborted transaction per record at most, and ends one at any record whose key is four zeros.
 */
import type { BatchContext } from './records.ts'

/** A record as far as it matters here; a `hidden` one is none of the data. */
export interface RecordOfTransaction {
  /** Undefined in the formats that know no transactions. */
  readonly batchContext?: BatchContext
  readonly key: Buffer | null
  hidden: boolean
}

/** An aborted transaction that touches what was fetched, and the offset of its first record. */
export interface AbortedTransaction {
  readonly producerId: string
  readonly firstOffset: string
}

const ABORT = 0

/** Hides records of one partition, in order, that were aborted. */
export function hideAborted(records: Iterable<RecordOfTransaction>, transactions: readonly AbortedTransaction[]): void {
  const coming = transactions.map(({ producerId, firstOffset }) => ({ producerId, first: BigInt(firstOffset) }))
  coming.sort((one, other) => (one.first < other.first ? -1 : 1))
  const aborted = new Set<string>()
  let batch: BatchContext | undefined
  let hidden = false
  for (const record of records) {
    const { batchContext } = record
    if (batchContext === undefined) continue
    if (batchContext !== batch) {
      batch = batchContext
      const last = BigInt(batch.firstOffset) + BigInt(batch.lastOffsetDelta)
      for (let next = coming[0]; next !== undefined && next.first <= last; next = coming[0]) {
        aborted.add(next.producerId)
        coming.shift()
      }
      if (batch.isControlBatch && record.key?.readInt16BE(2) === ABORT) aborted.delete(batch.producerId)
      hidden = batch.inTransaction && aborted.has(batch.producerId)
    }
    if (hidden) record.hidden = true
  }
}
