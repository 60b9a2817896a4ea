/** What is asked is read, in small portions; what the broker does not give is an error, never an empty answer. */
import { expect, test } from 'vitest'
import type { Fetched, TopicRecord } from '../../common/fetch.ts'
import { type Range, readPartition } from './read-topic.ts'

const recordAt = (offset: number, bytes = 1): TopicRecord => ({
  partition: 3,
  offset: BigInt(offset),
  key: null,
  value: Buffer.alloc(bytes),
  timestamp_ms: 0,
  broker_time: true,
  headers: [],
})
const range = (first: number, last: number): Range => ({ first: BigInt(first), last: BigInt(last) })

/** A partition with records at these offsets and nothing but marks between them, in fetches of so many offsets. */
function partitionOf(offsets: readonly number[], { per_fetch = 10, bytes = 1, end = 1_000 } = {}) {
  const asked: number[] = []
  const read = async (_topic: string, _partition: number, from: bigint): Promise<Fetched> => {
    const at = Number(from)
    asked.push(at)
    const next = Math.max(at, Math.min(at + per_fetch, end))
    return {
      records: offsets.filter(offset => offset >= at && offset < next).map(offset => recordAt(offset, bytes)),
      next: BigInt(next),
    }
  }
  return { asked, read }
}

async function offsetsRead(read: ReturnType<typeof partitionOf>['read'], ranges: Range[], silence_ms_max = 50) {
  const portions: number[][] = []
  const place = { fetcher: { read }, topic: 't', partition: 3, limits: { silence_ms_max } }
  await readPartition(place, ranges, async records => {
    portions.push(records.map(({ offset }) => Number(offset)))
  })
  return portions
}

test('records of the ranges, in order, and no others; what lies between them is not read', async () => {
  const { asked, read } = partitionOf([0, 3, 4, 5, 9, 500, 501, 999])
  const portions = await offsetsRead(read, [range(4, 5), range(9, 9), range(501, 600), range(999, 999)])
  expect(portions.flat()).toEqual([4, 5, 9, 501, 999])
  expect(asked).toEqual([4, 501, 511, 521, 531, 541, 551, 561, 571, 581, 591, 999])
})

test('a range may have no record at all', async () => {
  const { read } = partitionOf([1, 30])
  expect(await offsetsRead(read, [range(2, 29)])).toEqual([])
  expect(await offsetsRead(read, [range(25, 30)])).toEqual([[30]])
  expect(await offsetsRead(read, [])).toEqual([])
})

test('however large the records are, about 4 MiB are handed over at a time, and 1,000 at most', async () => {
  const large = partitionOf([0, 1, 2, 3, 4], { bytes: 1_900_000 })
  expect(await offsetsRead(large.read, [range(0, 9)])).toEqual([[0, 1], [2, 3], [4]])
  const huge = partitionOf([0, 1], { bytes: 9_000_000 })
  expect(await offsetsRead(huge.read, [range(0, 9)])).toEqual([[0], [1]])
  const many = partitionOf([...new Array(2_500).keys()], { per_fetch: 2_500, end: 2_500 })
  expect((await offsetsRead(many.read, [range(0, 2_499)])).map(portion => portion.length)).toEqual([1000, 1000, 500])
})

test('a broker that gives nothing, and one that fails, are errors that say what was asked', async () => {
  const { read } = partitionOf([0], { end: 5 })
  await expect(offsetsRead(read, [range(0, 7)])).rejects.toMatchObject({
    code: 'TOPIC_UNREADABLE',
    message: 'the broker gave nothing of t partition 3 from offset 5 for 0.05 s',
  })
  const failing = async () => {
    throw new Error('no leader')
  }
  await expect(offsetsRead(failing, [range(0, 7)])).rejects.toThrow(/from offset 0 for 0.05 s: no leader/)
})

test('what fails for a moment is read again', async () => {
  const { read } = partitionOf([0])
  let failures = 3
  const unsteady: typeof read = (...args) => {
    if (failures-- > 0) throw new Error('no leader')
    return read(...args)
  }
  expect(await offsetsRead(unsteady, [range(0, 7)], 300)).toEqual([[0]])
})

test('what the broker has deleted meanwhile is an error at once', async () => {
  const deleted = async () => {
    throw Object.assign(new Error('x'), { type: 'OFFSET_OUT_OF_RANGE' })
  }
  await expect(offsetsRead(deleted, [range(2, 7)], 60_000)).rejects.toMatchObject({
    code: 'TOPIC_UNREADABLE',
    message: expect.stringContaining('no longer has t partition 3 from offset 2'),
  })
})
