/** When a partition counts as another one: its first record, or its end, is not what was noted. Notes are in ClickHouse. */
import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import type { Fetcher, TopicRecord } from '../common/fetch.ts'
import { createTopicEpochs, type NewLife } from '../services/ingest/topic-epochs.ts'
import { clickhouseOfTests } from './events.ts'

const clickhouse = clickhouseOfTests()

/** A partition of records named by text, beginning at `low`. */
interface Partition {
  low: number
  records: string[]
}
const recordOf = (offset: number, value: string): TopicRecord => ({
  partition: 0,
  offset: BigInt(offset),
  key: null,
  value: Buffer.from(value),
  timestamp_ms: 1,
  broker_time: true,
  headers: [],
})

function watched() {
  const topic = `epochs-${randomUUID()}`
  let partition: Partition = { low: 0, records: [] }
  const fetcher: Pick<Fetcher, 'ends' | 'read'> = {
    ends: async () =>
      new Map([[0, { low: BigInt(partition.low), high: BigInt(partition.low + partition.records.length) }]]),
    async read(_, __, from) {
      const at = Number(from) - partition.low
      const value = partition.records[at]
      return value === undefined
        ? { records: [], next: from }
        : { records: [recordOf(Number(from), value)], next: from + 1n }
    },
  }
  const open = () => createTopicEpochs({ clickhouse, fetcher, topic, log: pino({ level: 'silent' }) })
  let epochs = open()
  return {
    restart: () => {
      epochs = open()
    },
    /** The new lives that a look finds, when so much is settled. */
    async look(now: Partition, settled: number): Promise<NewLife[]> {
      partition = now
      const found: NewLife[] = []
      await epochs.check([0], new Map([[0, BigInt(settled)]]), async life => void found.push(life))
      return found
    },
    epoch: () => epochs.of(0),
    hasFirst: () => epochs.hasFirst(0),
  }
}

test('a partition that grows, or loses its front, stays the same', async () => {
  const topic = watched()
  expect(await topic.look({ low: 0, records: [] }, 0)).toEqual([])
  expect(topic.hasFirst()).toBe(false)
  expect(await topic.look({ low: 0, records: ['a'] }, 0)).toEqual([])
  expect(topic.hasFirst()).toBe(true)
  expect(await topic.look({ low: 0, records: ['a', 'b', 'c'] }, 2)).toEqual([])
  expect(await topic.look({ low: 2, records: ['c', 'd'] }, 3)).toEqual([])
  topic.restart()
  expect(await topic.look({ low: 2, records: ['c', 'd', 'e'] }, 3)).toEqual([])
  expect(await topic.look({ low: 5, records: [] }, 5)).toEqual([])
  expect(topic.epoch()).toBe(0)
})

test('another first record is another life, also for a member that starts later', async () => {
  const topic = watched()
  await topic.look({ low: 0, records: ['a', 'b'] }, 2)
  topic.restart()
  expect(await topic.look({ low: 0, records: ['x', 'y', 'z'] }, 2)).toEqual([{ partition: 0, epoch: 1, low: 0n }])
  expect(await topic.look({ low: 0, records: ['x', 'y', 'z'] }, 0)).toEqual([])
  topic.restart()
  expect(await topic.look({ low: 0, records: ['x', 'y', 'z'] }, 3)).toEqual([])
  expect(topic.epoch()).toBe(1)
})

test('an end below what is settled is another life, although the first record is the same', async () => {
  const topic = watched()
  await topic.look({ low: 0, records: ['a', 'b', 'c'] }, 3)
  expect(await topic.look({ low: 0, records: ['a', 'b'] }, 3)).toEqual([{ partition: 0, epoch: 1, low: 0n }])
  expect(await topic.look({ low: 0, records: ['a', 'b'] }, 2)).toEqual([])
  expect(topic.epoch()).toBe(1)
})

test('an empty partition where records were settled is another life, and its first record is noted when it comes', async () => {
  const topic = watched()
  await topic.look({ low: 0, records: ['a'] }, 1)
  expect(await topic.look({ low: 0, records: [] }, 1)).toHaveLength(1)
  expect(await topic.look({ low: 0, records: ['a'] }, 0)).toEqual([])
  topic.restart()
  expect(await topic.look({ low: 0, records: ['q', 'r'] }, 1)).toEqual([{ partition: 0, epoch: 2, low: 0n }])
})
