// Promise: batches by bytes, nothing unacknowledged goes unnoticed, and the offsets that the broker gave come back.
import fc from 'fast-check'
import kafkajs, { type Message, type PartitionMetadata, type ProducerRecord, type RecordMetadata } from 'kafkajs'
import { expect, test } from 'vitest'
import { headersFromPairs } from './headers.ts'
import { batchesOf, bytesOfMessage, checkedPartitioner, isTooLarge, sendAll, UnacknowledgedError } from './send.ts'

const message = fc.record({
  value: fc.oneof(
    fc.constant(null),
    fc.nat({ max: 400 }).map(length => Buffer.alloc(length)),
  ),
  partition: fc.nat({ max: 3 }),
})

/** A broker that stores what it is sent, but for the partitions that it leaves out. */
function brokerOf(partitions: number, leftOut: (sends: number) => number[] = () => []) {
  const stored = new Map<number, Message[]>()
  const sends: ProducerRecord[] = []
  const choose = checkedPartitioner()
  const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
    partitionId,
  })) as PartitionMetadata[]
  const send = async (record: ProducerRecord): Promise<RecordMetadata[]> => {
    sends.push(record)
    const bases = new Map<number, number>()
    for (const message of record.messages) {
      const partition = choose({ topic: record.topic, partitionMetadata, message })
      if (leftOut(sends.length).includes(partition)) continue
      const log = stored.get(partition) ?? []
      bases.set(partition, bases.get(partition) ?? log.length)
      stored.set(partition, [...log, message])
    }
    return [...bases].map(([partition, base]) => ({
      topicName: record.topic,
      partition,
      errorCode: 0,
      baseOffset: String(base),
    }))
  }
  return { stored, sends, producer: { send } }
}

test('batches are all messages in order, within bytes and count, a larger one alone', () => {
  fc.assert(
    fc.property(
      fc.array(message),
      fc.integer({ min: 1, max: 900 }),
      fc.integer({ min: 1, max: 9 }),
      (messages, bytes, count) => {
        const batches = [...batchesOf(messages, bytes, count)]
        expect(batches.flat()).toEqual(messages)
        for (const batch of batches) {
          expect(batch.length).toBeGreaterThan(0)
          expect(batch.length).toBeLessThanOrEqual(count)
          if (batch.length > 1)
            expect(batch.reduce((sum, one) => sum + bytesOfMessage(one), 0)).toBeLessThanOrEqual(bytes)
        }
      },
    ),
  )
})

test('bytes count what headers take', () => {
  const headers = headersFromPairs(Array.from({ length: 1000 }, () => ['name', null]))
  expect(bytesOfMessage({ key: 'ü', value: Buffer.alloc(10), headers })).toBe(32 + 2 + 10 + 1000 * 14)
})

test('everything arrives, by partition or by key, and the next offsets come back', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(message), async messages => {
      const broker = brokerOf(4)
      const all = messages.map((one, at) => (at % 2 ? { ...one, partition: undefined, key: `k${at}` } : one))
      const ends = await sendAll(broker.producer, 'events', all, { batch_bytes_max: 500 })
      expect([...broker.stored.values()].flat()).toHaveLength(messages.length)
      expect(ends).toEqual(new Map([...broker.stored].map(([partition, log]) => [partition, BigInt(log.length)])))
      for (const { acks } of broker.sends) expect(acks).toBe(-1)
    }),
  )
})

test('what is not in the answer is sent again, and nothing else', async () => {
  const broker = brokerOf(3, sends => (sends === 1 ? [1] : []))
  const messages = [0, 1, 2, 1].map(partition => ({ partition, value: String(partition) }))
  expect(await sendAll(broker.producer, 'events', messages)).toEqual(
    new Map([
      [0, 1n],
      [2, 1n],
      [1, 2n],
    ]),
  )
  expect(broker.sends.map(({ messages }) => messages.map(({ partition }) => partition))).toEqual([
    [0, 1, 2, 1],
    [1, 1],
  ])
})

test('what stays unacknowledged is an error with its topic and partitions', async () => {
  const broker = brokerOf(3, () => [1, 2])
  const messages = [0, 1, 2].map(partition => ({ partition, value: null }))
  const sending = sendAll(broker.producer, 'events', messages, { unacknowledged_ms_max: 0 })
  await expect(sending).rejects.toMatchObject({ code: 'UNACKNOWLEDGED', topic: 'events', partitions: [1, 2] })
})

test('so is a partition that the topic does not have; kafkajs takes the error for old metadata', async () => {
  const failed = await sendAll(brokerOf(3).producer, 'events', [{ partition: 3, value: null }]).catch(error => error)
  expect(failed).toBeInstanceOf(UnacknowledgedError)
  expect(failed).toMatchObject({ partitions: [3], cause: { name: 'KafkaJSMetadataNotLoaded', retriable: true } })
  // as kafkajs gives up
  const wrapped = new kafkajs.KafkaJSNumberOfRetriesExceeded(failed.cause, { retryCount: 5, retryTime: 1 })
  const producer = { send: () => Promise.reject(wrapped) }
  await expect(sendAll(producer, 'events', [{ partition: 3, value: null }])).rejects.toBeInstanceOf(UnacknowledgedError)
})

test('a key needs the partitioner of createProducer', async () => {
  const producer = { send: async () => [] }
  await expect(sendAll(producer, 'events', [{ key: 'k', value: null }])).rejects.toThrow('none of createProducer')
})

test('a larger message is compressed when that is asked for, and only that', async () => {
  const messages = [10, 2000, 10].map(length => ({ partition: 0, value: Buffer.alloc(length) }))
  for (const pack_larger of [true, false]) {
    const broker = brokerOf(1)
    await sendAll(broker.producer, 'events', messages, { batch_bytes_max: 1000, pack_larger })
    expect(broker.sends.map(({ compression }) => compression)).toEqual([0, pack_larger ? 4 : 0, 0])
  }
})

test('too large is known by its type, wrapped or not', () => {
  const large = new kafkajs.KafkaJSProtocolError({ type: 'MESSAGE_TOO_LARGE', code: 10, message: 'too large' } as never)
  expect(isTooLarge(large)).toBe(true)
  expect(isTooLarge(new Error('not sent', { cause: large }))).toBe(true)
  expect(isTooLarge(new Error('too large'))).toBe(false)
  expect(isTooLarge('too large')).toBe(false)
})
