import { createRequire } from 'node:module'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { murmur2, partitionOf } from './partition.ts'

const kafkajs = createRequire(import.meta.url)('kafkajs/src/producer/partitioners/default/murmur2.js') as (
  key: Buffer,
) => number

test("the hashes of Kafka's own test", () => {
  // org.apache.kafka.common.utils.UtilsTest.testMurmur2
  const cases: [string, number][] = [
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ]
  for (const [text, hash] of cases) expect(murmur2(Buffer.from(text))).toBe(hash)
})

test('the same as kafkajs for any bytes', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 70 }), bytes => murmur2(bytes) === kafkajs(Buffer.from(bytes))))
})

test('a partition is never negative', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 20 }),
      fc.integer({ min: 1, max: 64 }),
      (bytes, n) => partitionOf(bytes, n) >= 0 && partitionOf(bytes, n) < n,
    ),
  )
})
