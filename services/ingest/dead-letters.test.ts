// Promise: letters are written in batches that a topic takes, and each is reported once it is acknowledged, whatever fails.
import type { Kafka, Message, Producer } from 'kafkajs'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import type { DeadLetter, Misplaced } from '../../common/dead-letter.ts'
import { deadLetterOf } from '../../common/dead-letter.ts'
import type { Fetcher, TopicRecord } from '../../common/fetch.ts'
import { bytesOfMessage } from '../../common/send.ts'
import { createDeadLetters, createRehome } from './dead-letters.ts'

const log = pino({ level: 'silent' })
const letter = (offset: number, bytes = 100): DeadLetter => ({
  record: {
    offset: BigInt(offset),
    key: Buffer.from('k'),
    value: Buffer.alloc(bytes, offset),
    timestamp_ms: 1_000_000,
    broker_time: true,
    headers: Array.from({ length: 30 }, (_, nth) => [`h${nth}`, Buffer.alloc(200)] as const),
  },
  topic: 't',
  topic_epoch: 0,
  partition: 3,
  refusal: { reason: 'wrong_type', field: '', message: '' },
  schema_id: undefined,
})

/** A producer that takes sends until it fails; `there` lies in the dead-letter topic already. */
function lettersWith({ fails_at = Number.POSITIVE_INFINITY, there = [] as Message[] }) {
  const sends: Message[][] = []
  const producer = {
    async send({ messages }: { messages: Message[] }) {
      if (sends.length === fails_at) throw new Error('no broker')
      sends.push(messages)
      return [{ partition: 3, errorCode: 0, baseOffset: '0' }]
    },
  } as unknown as Producer
  const fetcher = {
    ends: async () => new Map(Array.from({ length: 8 }, (_, at) => [at, { low: 0n, high: at === 3 ? 1n : 0n }])),
    offsetsAt: async () => new Map([[3, 0n]]),
    read: async () => ({
      records: there.map(({ key, value, headers }) => {
        const pairs = Object.entries(headers ?? {}).map(([name, of]) => [name, of as Buffer] as const)
        return { key, value, headers: pairs } as unknown as TopicRecord
      }),
      next: 1n,
    }),
  } as unknown as Fetcher
  const written: bigint[] = []
  const letters = createDeadLetters({
    kafka: {} as Kafka,
    producer,
    fetcher,
    topic: 't',
    committed: () => 0n,
    log,
    now: () => 2_000_000,
  })
  const write = (some: DeadLetter[]) =>
    letters.write(some, acknowledged => written.push(...acknowledged.map(({ record }) => record.offset)))
  return { write, written, sends }
}

test('batches stay below what a topic takes by default, headers and all', async () => {
  const { write, written, sends } = lettersWith({})
  await write(Array.from({ length: 1_200 }, (_, at) => letter(at, 1_000)))
  expect(written).toHaveLength(1_200)
  for (const messages of sends)
    expect(messages.reduce((sum, message) => sum + bytesOfMessage(message), 0)).toBeLessThan(1_000_000)
})

test('where a send fails, those before it are reported and no others', async () => {
  const { write, written, sends } = lettersWith({ fails_at: 2 })
  const all = Array.from({ length: 1_200 }, (_, at) => letter(at, 1_000))
  await expect(write(all)).rejects.toThrow('no broker')
  expect(written).toEqual(all.slice(0, sends.flat().length).map(({ record }) => record.offset))
  expect(written.length).toBeGreaterThan(0)
})

test('a letter of an earlier attempt is not written again; one with the same coordinates and other bytes is', async () => {
  const forged = { ...deadLetterOf(letter(2), 0), value: Buffer.from('other') }
  const { write, written } = lettersWith({ there: [deadLetterOf(letter(1), 0), forged] })
  await write([letter(1), letter(2), letter(3)])
  expect(written).toEqual([2n, 3n])
})

test('a stray that is too large for the topic is told from those that went home', async () => {
  const stray = (offset: number): Misplaced => ({ ...letter(offset), dossier_id: 'A-1', home: 1, partitions: 8 })
  const producer = {
    async send({ messages }: { messages: Message[] }) {
      if (messages.some(({ value }) => (value as Buffer)[0] === 2))
        throw Object.assign(new Error('large'), { type: 'MESSAGE_TOO_LARGE' })
      return [{ partition: 1, errorCode: 0, baseOffset: '0' }]
    },
  } as unknown as Producer
  const done: Record<'sent' | 'refused', bigint[]> = { sent: [], refused: [] }
  await createRehome(
    {} as Kafka,
    producer,
    't',
  )([stray(1), stray(2), stray(3)], some => {
    for (const what of ['sent', 'refused'] as const) done[what].push(...some[what].map(({ record }) => record.offset))
  })
  expect(done).toEqual({ sent: [1n, 3n], refused: [2n] })
})
