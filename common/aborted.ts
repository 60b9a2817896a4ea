/**
 * Which batches of a fetch's answer belong to aborted transactions, by the rule of Kafka's Java client. kafkajs's own filter
 * lets some through: it begins one aborted transaction per record at most, and ends one at any record whose key is four zeros.
 */
import type { BatchContext } from './records.ts'

/** A batch as far as it matters here; a `hidden` one is none of the data. */
export interface BatchOfTransaction {
  readonly batchContext: BatchContext
  /** Of its first record. */
  readonly key: Buffer | null
  hidden: boolean
}

/** An aborted transaction that touches what was fetched, and the offset of its first record. */
export interface AbortedTransaction {
  readonly producerId: string
  readonly firstOffset: string
}

const ABORT = 0

/** Hides batches of one partition, in order, that were aborted. */
export function hideAborted(batches: Iterable<BatchOfTransaction>, transactions: readonly AbortedTransaction[]): void {
  const coming = transactions.map(({ producerId, firstOffset }) => ({ producerId, first: BigInt(firstOffset) }))
  coming.sort((one, other) => (one.first < other.first ? -1 : 1))
  const aborted = new Set<string>()
  for (const batch of batches) {
    const { firstOffset, lastOffsetDelta, producerId, isControlBatch, inTransaction } = batch.batchContext
    const last = BigInt(firstOffset) + BigInt(lastOffsetDelta)
    for (let next = coming[0]; next !== undefined && next.first <= last; next = coming[0]) {
      aborted.add(next.producerId)
      coming.shift()
    }
    if (isControlBatch && batch.key?.readInt16BE(2) === ABORT) aborted.delete(producerId)
    if (inTransaction && aborted.has(producerId)) batch.hidden = true
  }
}
