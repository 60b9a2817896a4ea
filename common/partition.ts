/**
 * Where a record belongs: `(murmur2(key) & 0x7fffffff) mod partitions`, as Kafka's Java client has it.
 * kafkajs has the same function, on 64-bit objects and some thirty times slower; `partition.test.ts` compares the two.
 */
import type { ICustomPartitioner } from 'kafkajs'

const SEED = 0x9747b28c
const M = 0x5bd1e995

/** MurmurHash2, 32 bits, as in org.apache.kafka.common.utils.Utils.murmur2, of the bytes from `from` to `to`. */
export function murmur2(data: Uint8Array, from = 0, to = data.length): number {
  let hash = SEED ^ (to - from)
  let at = from
  for (; at + 4 <= to; at += 4) {
    let k =
      (data[at] as number) |
      ((data[at + 1] as number) << 8) |
      ((data[at + 2] as number) << 16) |
      ((data[at + 3] as number) << 24)
    k = Math.imul(k, M)
    k ^= k >>> 24
    hash = Math.imul(hash, M) ^ Math.imul(k, M)
  }
  const rest = to - at
  if (rest === 3) hash ^= (data[at + 2] as number) << 16
  if (rest >= 2) hash ^= (data[at + 1] as number) << 8
  if (rest >= 1) hash = Math.imul(hash ^ (data[at] as number), M)
  hash ^= hash >>> 13
  hash = Math.imul(hash, M)
  return hash ^ (hash >>> 15)
}

/** The partition of a key among `partitions`; the key may lie within other bytes. */
export const partitionOf = (key: Uint8Array, partitions: number, from = 0, to = key.length): number =>
  (murmur2(key, from, to) & 0x7fffffff) % partitions

/** For kafkajs producers. Every record of this project has a key. */
export const javaPartitioner: ICustomPartitioner = () => args => {
  if (args.message.partition !== undefined && args.message.partition !== null) return args.message.partition
  const { key } = args.message
  if (key === undefined || key === null) throw new Error(`a record for ${args.topic} has no key`)
  return partitionOf(typeof key === 'string' ? Buffer.from(key) : key, args.partitionMetadata.length)
}
