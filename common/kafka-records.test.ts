// Promise: records are read and written as kafkajs does it, and those that stop kafkajs too.
import { createRequire } from 'node:module'
import fc from 'fast-check'
import kafkajs from 'kafkajs'
import { expect, test } from 'vitest'
import { UnpackError } from './compression.ts'
import { headersFromPairs, pairsOf } from './headers.ts'
import { decodeMessages } from './read-records.ts'
import { type KafkaRecord, Records } from './records.ts'
import { putVar, zigZag } from './varint.ts'
import { encodeRecord, type RecordToEncode } from './write-records.ts'
import './kafka-records.ts'

const require = createRequire(import.meta.url)
const protocol = (path: string) => require.resolve(`kafkajs/src/protocol/${path}`)

/** A module of kafkajs as it is on disk. */
function original(path: string) {
  const ours = require.cache[protocol(path)]
  delete require.cache[protocol(path)]
  const found = require(protocol(path))
  require.cache[protocol(path)] = ours
  return found
}
const theirs = {
  decode: original('requests/fetch/v4/decodeMessages.js') as (decoder: object) => Promise<object[]>,
  encode: original('recordBatch/record/v0/index.js') as (record: RecordToEncode) => { buffer: Buffer },
}
const Decoder = require(protocol('decoder.js'))
const { RecordBatch } = require(protocol('recordBatch/v0/index.js'))

interface Batch {
  firstOffset?: bigint
  firstTimestamp?: number
  maxTimestamp?: number
  compression?: number
  transactional?: boolean
  logAppendTime?: boolean
}
async function batchOf(
  records: { buffer: Buffer }[],
  { logAppendTime = false, ...fields }: Batch = {},
): Promise<Buffer> {
  const { buffer } = await RecordBatch({ ...fields, records, lastOffsetDelta: records.length - 1 })
  if (logAppendTime) buffer.writeInt16BE(buffer.readInt16BE(21) | 8, 21)
  return Buffer.from(buffer)
}
/** A partition's part of an answer. */
function answerOf(...batches: Buffer[]) {
  const bytes = Buffer.concat([Buffer.alloc(4), ...batches])
  bytes.writeInt32BE(bytes.length - 4)
  return new Decoder(bytes)
}

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map(array => Buffer.from(array)),
  fc.string().map(text => Buffer.from(text)),
)
const name = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('a', 'b', '7'))
const record = fc.record({
  offsetDelta: fc.oneof(fc.nat({ max: 3 }), fc.nat()),
  timestampDelta: fc.oneof(fc.nat({ max: 300 }), fc.integer(), fc.integer({ min: -(2 ** 50), max: 2 ** 50 })),
  key: fc.option(bytes),
  value: fc.option(bytes),
  // kafkajs knows neither null values nor names that every object has: those are below.
  headers: fc.dictionary(
    name.filter(text => !(text in {})),
    fc.oneof(bytes, fc.string(), fc.array(bytes, { minLength: 1, maxLength: 3 })),
    { maxKeys: 4 },
  ),
})
const batch = fc.record({
  firstOffset: fc.oneof(fc.nat().map(BigInt), fc.bigInt({ min: 0n, max: 2n ** 52n })),
  firstTimestamp: fc.oneof(fc.nat(), fc.integer({ min: -(2 ** 40), max: 2 ** 50 })),
  maxTimestamp: fc.nat(),
  compression: fc.nat({ max: 4 }),
  transactional: fc.boolean(),
  logAppendTime: fc.boolean(),
})

test('the bytes of a record are those of kafkajs', () => {
  fc.assert(
    fc.property(record, one => {
      expect(encodeRecord(one).buffer).toEqual(theirs.encode(one).buffer)
    }),
  )
})

interface Theirs {
  offset: string
  timestamp: string
  key: Buffer | null
  value: Buffer | null
  headers: object
  batchContext: object
}

test('the records of batches are those of kafkajs', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(record, { maxLength: 6 }), batch, async (records, fields) => {
      // As brokers keep them.
      const one = await batchOf(
        records.map((record, offsetDelta) => theirs.encode({ ...record, offsetDelta })),
        fields,
      )
      const expected = (await theirs.decode(answerOf(one, one))) as Theirs[]
      const batches = await decodeMessages(answerOf(one, one))
      const found = [...Records.of(batches, 0)].map(({ offset, timestamp_ms, key, value, headers }) => ({
        ...{ offset: String(offset), timestamp: String(timestamp_ms), key, value, headers: headersFromPairs(headers) },
      }))
      expect(found).toEqual(
        expected.map(({ offset, timestamp, key, value, headers }) => ({ offset, timestamp, key, value, headers })),
      )
      for (const { batchContext } of batches) {
        const { compression, ...context } = batchContext
        expect(context).toEqual(expected[0]?.batchContext)
        expect(compression).toBe(fields.compression)
      }
      // A fetch from within answers the whole batch: what lies before is left out.
      const from = expected[Math.floor(expected.length / 2)]?.offset ?? '0'
      expect([...Records.of(batches, Number(from))].map(({ offset }) => String(offset))).toEqual(
        expected.map(({ offset }) => offset).filter(offset => BigInt(offset) >= BigInt(from)),
      )
    }),
  )
})

test('a batch that is cut off is left for the next fetch', async () => {
  const whole = await batchOf([encodeRecord({ value: 'one' })], { firstOffset: 7n })
  for (let length = 0; length < whole.length; length++)
    expect(await decodeMessages(answerOf(whole, whole.subarray(0, length)))).toMatchObject([{ offset: '7' }])
  expect(await decodeMessages(answerOf(whole.subarray(0, 10)))).toEqual([])
})

/** Written and read. */
async function roundTrip(one: RecordToEncode) {
  const found = Records.of(await decodeMessages(answerOf(await batchOf([encodeRecord(one)]))), 0).at(0)
  if (found === undefined) throw new Error('no record')
  return { ...found, headers: headersFromPairs(found.headers), pairs: found.headers }
}

test('pairs of headers come back as they were: order, repeated names, null, __proto__', async () => {
  const names = fc.oneof(name, fc.constantFrom('__proto__', 'constructor', '2', '10', 'ü', ''))
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(names, fc.option(bytes)), { maxLength: 8 }), async pairs => {
      const { headers } = await roundTrip({ key: 'k', value: 'v', headers: headersFromPairs(pairs) })
      expect([...pairsOf(headers)]).toEqual(pairs)
      // and again, as when a record is sent on
      expect([...pairsOf((await roundTrip({ value: null, headers })).headers)]).toEqual(pairs)
    }),
  )
})

test('headers look as in kafkajs, with null values, and without a prototype', async () => {
  const given = headersFromPairs([
    ['b', Buffer.from('1')],
    ['__proto__', Buffer.from('2')],
    ['b', null],
    ['a', null],
    ['b', Buffer.from('3')],
  ])
  const { headers } = await roundTrip({ value: 'v', headers: given })
  expect(Object.getPrototypeOf(headers)).toBeNull()
  expect(Object.entries(headers)).toEqual([
    ['b', [Buffer.from('1'), null, Buffer.from('3')]],
    ['__proto__', Buffer.from('2')],
    ['a', null],
  ])
  expect(() => {
    headers.c = Buffer.from('4')
  }).toThrow(TypeError)
  // A copy is an ordinary object: what is changed in it is sent.
  expect([...pairsOf({ ...headers, a: 'new' })].at(-1)).toEqual(['a', Buffer.from('new')])
})

test('ordinary headers: text, bytes, null, arrays; undefined is left out', () => {
  expect(pairsOf({ a: 'ä', b: null, c: ['1', null, new Uint8Array([50])], d: undefined })).toEqual([
    ['a', Buffer.from('ä')],
    ['b', null],
    ['c', Buffer.from('1')],
    ['c', null],
    ['c', Buffer.from('2')],
  ])
  expect(pairsOf(undefined)).toEqual([])
})

/** What takes quadratic time does not end within the limit of a test. */
test('300,000 headers, of different names and of one', async () => {
  for (const nameOf of [(at: number) => `h${at}`, () => 'h']) {
    const pairs = Array.from({ length: 300_000 }, (_, at) => [nameOf(at), at % 3 ? Buffer.from('x') : null] as const)
    const given = headersFromPairs(pairs)
    const { headers } = await roundTrip({ value: 'v', headers: given })
    expect(pairsOf(headers)).toHaveLength(300_000)
  }
})

test('a batch of 300,000 records, compressed, does not overflow the stack', async () => {
  const records = Array.from({ length: 300_000 }, (_, offsetDelta) => encodeRecord({ offsetDelta, value: null }))
  const large = await batchOf(records, { compression: kafkajs.CompressionTypes.ZSTD })
  await expect(theirs.decode(answerOf(large))).rejects.toThrow('call stack')
  const found = Records.of(await decodeMessages(answerOf(large, large)), 0)
  // The second batch is left for the next fetch: one answer is not to fill the memory.
  expect(found).toHaveLength(300_000)
  expect(found.at(-1)?.offset).toBe(299_999n)
})

test('a batch of too many records is one record with its bytes', async () => {
  const batch = await batchOf([encodeRecord({ value: null })], { firstOffset: 7n })
  batch.writeInt32BE(5_000_001, 57)
  batch.writeInt32BE(5_000_000, 23)
  const [found, ...others] = Records.of(await decodeMessages(answerOf(batch)), 7)
  expect(others).toEqual([])
  expect(found?.unreadable).toMatch(/more than 5000000 records/)
  expect([found?.offset, found?.value?.equals(batch)]).toEqual([5_000_007n, true])
})

function varint(value: number): Buffer {
  const bytes = Buffer.alloc(10)
  return bytes.subarray(0, putVar(bytes, 0, zigZag(value)))
}

/** A record of so many headers with an empty name and no value, made at once. */
function withHeaders(count: number): { buffer: Buffer } {
  const headers = Buffer.alloc(2 * count, Buffer.from([0, 1]))
  const body = Buffer.concat([Buffer.from([0, 0, 0, 1, 2, 0x76]), varint(count), headers])
  const buffer = Buffer.concat([varint(body.length), body])
  return { buf: buffer, buffer } as { buffer: Buffer }
}

test('tens of millions of headers take no memory before somebody asks for them', async () => {
  const batch = await batchOf([withHeaders(30_000_000)], { compression: kafkajs.CompressionTypes.ZSTD })
  expect(batch.length).toBeLessThan(100_000)
  const before = process.memoryUsage().heapUsed
  const found = await decodeMessages(answerOf(batch))
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(20_000_000)
  expect(found).toHaveLength(1)
  const headers = Records.of(found, 0).at(0)?.headers
  expect(headers).toHaveLength(30_000_000)
  const [first] = headers ?? []
  expect(first).toEqual(['', null])
})

test('an answer brings records of so many partitions as it has room for, and the others are left for the next', async () => {
  const records = Array.from({ length: 70_000 }, (_, offsetDelta) => encodeRecord({ offsetDelta, value: null }))
  const batch = await batchOf(records)
  const part = Buffer.concat([Buffer.alloc(4), batch])
  part.writeInt32BE(batch.length)
  const answer = new Decoder(Buffer.concat([part, part, part, part]))
  const lengths: number[] = []
  for (let partition = 0; partition < 4; partition++) lengths.push(Records.of(await decodeMessages(answer), 0).length)
  expect(lengths).toEqual([70_000, 70_000, 0, 0])
})

test('unpacking ends after a second of one answer: a member that says nothing is missed', async () => {
  const { CompressionCodecs, CompressionTypes } = kafkajs
  const before = CompressionCodecs[CompressionTypes.GZIP]
  let unpacked = 0
  CompressionCodecs[CompressionTypes.GZIP] = () => ({
    compress: async () => Buffer.from('x'),
    async decompress() {
      unpacked++
      await new Promise(resolve => setTimeout(resolve, 400))
      throw new UnpackError('CORRUPT', 'slow, and nothing comes of it')
    },
  })
  try {
    const batch = await batchOf([encodeRecord({ value: 'v' })], { compression: CompressionTypes.GZIP })
    const part = Buffer.concat([Buffer.alloc(4), batch, batch, batch, batch, batch])
    part.writeInt32BE(part.length - 4)
    const answer = new Decoder(Buffer.concat([part, part]))
    const found = [await decodeMessages(answer), await decodeMessages(answer)]
    expect([found.map(({ length }) => length), unpacked]).toEqual([[3, 0], 3])
  } finally {
    CompressionCodecs[CompressionTypes.GZIP] = before as () => never
  }
})

test('offsets that a producer forged are not believed: a record has the offset of its place', async () => {
  const forged = [5, 1, 1_000_000, -3].map(offsetDelta => encodeRecord({ offsetDelta, value: 'x' }))
  const found = Records.of(await decodeMessages(answerOf(await batchOf(forged, { firstOffset: 7n }))), 0)
  expect([...found].map(({ offset }) => offset)).toEqual([7n, 8n, 9n, 10n])
})

test('where a compacted topic has left offsets out, those that are there ascend within the batch, or it cannot be read', async () => {
  const compacted = async (...deltas: number[]) => {
    const batch = await batchOf(deltas.map(offsetDelta => encodeRecord({ offsetDelta, value: 'x' })))
    batch.writeInt32BE(9, 23)
    return [...Records.of(await decodeMessages(answerOf(batch)), 0)]
  }
  expect((await compacted(2, 5, 9)).map(({ offset }) => offset)).toEqual([2n, 5n, 9n])
  for (const deltas of [
    [2, 10],
    [5, 5],
    [5, 2],
    [-1, 4],
  ])
    expect((await compacted(...deltas))[0]?.unreadable).toMatch(/corrupt/)
})

test('lengths below zero are null, as to the broker', async () => {
  // length, attributes, time, offset; -3 as the length of key and of value; one header: name of one byte, length -2
  const odd = Buffer.from([18, 0, 0, 0, 5, 5, 2, 2, 0x61, 3])
  const batches = await decodeMessages(answerOf(await batchOf([{ buf: odd, buffer: odd } as { buffer: Buffer }])))
  const found = Records.of(batches, 0).at(0)
  expect(found).toMatchObject({ key: null, value: null })
  expect([...(found?.headers ?? [])]).toEqual([['a', null]])
})

test('a batch of which no record can be read is one record with its bytes, at its last offset', async () => {
  const whole = encodeRecord({ offsetDelta: 0, key: 'k', value: 'v', headers: { a: 'b' } }).buffer
  let unreadable = 0
  for (let at = 0; at < whole.length; at++)
    for (const byte of [0x7f, 0xff]) {
      const broken = Buffer.from(whole)
      broken[at] = byte
      const batch = await batchOf([{ buf: broken, buffer: broken } as { buffer: Buffer }])
      const found = Records.of(await decodeMessages(answerOf(batch)), -(2 ** 40))
      expect(found).toHaveLength(1)
      const record = found.at(0) as KafkaRecord
      if (record.unreadable === undefined) expect(record.value?.length ?? 1).toBe(1)
      else {
        unreadable++
        expect(record).toMatchObject({ key: null, offset: 0n })
        expect(record.value?.equals(batch)).toBe(true)
        expect(record.unreadable).toMatch(/offsets 0 to 0 cannot be read: record 0 of the batch at offset 0 is corrupt/)
      }
    }
  expect(unreadable).toBeGreaterThan(5)
})
