/** What the commit metadata say over restarts, and when a record is parked by it. */
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { recordsOf } from '../../common/records-for-tests.ts'
import { createAttempts, readMark } from './attempts.ts'
import type { Chunk } from './source.ts'

const log = pino({ level: 'silent' })
const chunk = (...offsets: number[]): Chunk => ({
  topic: 't',
  partition: 0,
  lag: 0,
  records: recordsOf(offsets.map(offset => ({ offset: BigInt(offset) }))),
})

class Died extends Error {}

/**
 * One life of a member that dies when `deadly` is in hand, at decoding it or at settling it; `kept` is what Kafka keeps of it.
 * No exception can tell of a death: what is committed by then is all that is left.
 */
async function live(deadly: number, kept: { metadata: string }, offsets: number[], at: 'decode' | 'settle' = 'decode') {
  const parked: number[] = []
  const commits: string[] = []
  const die = (step: typeof at, records: Chunk['records']) => {
    if (step === at && [...records].some(({ offset }) => Number(offset) === deadly && !parked.includes(deadly)))
      throw new Died()
  }
  // It catches what is thrown at decoding, as it has to.
  let died = false
  const attempts = createAttempts({
    async commit(_partition, _offset, metadata) {
      if (died) throw new Died()
      commits.push(metadata)
      kept.metadata = metadata
    },
    decode(_, record) {
      died ||= at === 'decode' && Number(record.offset) === deadly && !parked.includes(deadly)
    },
    async settle({ records }) {
      die('settle', records)
      return { done: true }
    },
    park: (_partition, record) => parked.push(Number(record.offset)),
    log,
  })
  attempts.assigned(0, kept.metadata)
  const lived = async () => {
    const part = await attempts.begin(chunk(...offsets))
    if (died) throw new Died()
    if ('records' in part) {
      die('decode', part.records)
      die('settle', part.records)
    }
    return part
  }
  const result = await lived().catch(error => error as Error)
  return { attempts, result, parked, commits: commits.length, mark: readMark(kept.metadata) }
}

test('at the third attempt a block dies, then the record in it; in hand at two deaths it is parked', async () => {
  const kept = { metadata: '' }
  expect((await live(3, kept, [1, 2, 3, 4])).mark).toMatchObject({ attempts: 1, to: '4' })
  expect((await live(3, kept, [1, 2, 3, 4])).mark).toMatchObject({ attempts: 2 })
  expect((await live(3, kept, [1, 2, 3, 4])).mark).toMatchObject({ attempts: 3, block: ['1', '4'], decoded: false })
  expect((await live(3, kept, [1, 2, 3, 4])).mark).toMatchObject({ attempts: 4, at: '3' })
  // All the others first, then the suspect alone.
  const fifth = await live(3, kept, [1, 2, 3, 4])
  expect(fifth.mark).toMatchObject({ attempts: 5, at: '3', suspect: '3', deaths: 1 })
  expect(fifth.parked).toEqual([])
  const sixth = await live(3, kept, [1, 2, 3, 4])
  expect(sixth.parked).toEqual([3])
  expect(sixth.result).toMatchObject({ records: { length: 4 } })
})

test('a record that can be decoded, and at which a member dies later, is found too', async () => {
  const kept = { metadata: '' }
  for (let attempt = 1; attempt <= 2; attempt++) await live(3, kept, [1, 2, 3, 4], 'settle')
  const third = await live(3, kept, [1, 2, 3, 4], 'settle')
  expect(third.mark).toMatchObject({ attempts: 3, block: ['1', '4'], decoded: true })
  for (let attempt = 4; attempt <= 5; attempt++)
    expect((await live(3, kept, [1, 2, 3, 4], 'settle')).mark).toMatchObject({ attempts: attempt, at: '3' })
  const sixth = await live(3, kept, [1, 2, 3, 4], 'settle')
  expect(sixth.parked).toEqual([3])
  // Each was settled alone: together they may be what is too much.
  expect(sixth.result).toEqual({ settled: 4 })
})

test('where nothing dies any more, a block costs two commits, and only the block at which a member died costs one a record', async () => {
  const many = Array.from({ length: 1_200 }, (_, n) => n + 1)
  const kept = { metadata: 'motcua {"attempts":2,"to":"1200"}' }
  expect(await live(0, kept, many)).toMatchObject({ commits: 2, mark: { block: ['1', '500'], decoded: true } })
  kept.metadata = 'motcua {"attempts":3,"to":"1200","block":["1","500"],"decoded":false}'
  expect(await live(0, kept, many)).toMatchObject({ commits: 501 })
  kept.metadata = 'motcua {"attempts":3,"to":"1200","block":["501","1000"],"decoded":false}'
  expect(await live(0, kept, many)).toMatchObject({ commits: 2 })
})

test('deaths at different records park none of them', async () => {
  const kept = { metadata: '' }
  for (const at of ['decode', 'settle'] as const)
    for (const deadly of [0, 0, 2, 3, 2, 4, 1, 3, 2])
      expect((await live(deadly, kept, [1, 2, 3, 4], at)).parked).toEqual([])
})

test('a suspect without neighbours waits until others pass', async () => {
  const kept = { metadata: 'motcua {"attempts":4,"to":"1","suspect":"1","deaths":1,"at":"1","block":["1","1"]}' }
  const { attempts, result, parked } = await live(99, kept, [1])
  expect(result).toHaveProperty('pause_ms')
  expect(attempts.trouble()).toMatch(/waits for a neighbour/)
  expect(await attempts.begin(chunk(1))).toHaveProperty('pause_ms')
  attempts.ended(4, 7n)
  expect(await attempts.begin(chunk(1))).toHaveProperty('records')
  expect(parked).toEqual([1])
})

test('past the chunk nothing is remembered; odd metadata are none', async () => {
  const { attempts } = await live(99, { metadata: '' }, [1, 2])
  expect(attempts.ended(0, 5n)).toBeUndefined()
  for (const text of ['', null, 'x', 'motcua {', 'motcua {"attempts":0,"to":"1"}', 'motcua {"attempts":1,"to":"-1"}'])
    expect(readMark(text)).toBeUndefined()
})
