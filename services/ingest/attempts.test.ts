/** What the commit metadata say over restarts, and when a record is parked by it. */
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { createAttempts, readMark } from './attempts.ts'
import type { Chunk } from './source.ts'

const log = pino({ level: 'silent' })
const chunk = (...offsets: number[]): Chunk => ({
  topic: 't',
  partition: 0,
  lag: 0,
  records: offsets.map(offset => ({
    offset: BigInt(offset),
    key: null,
    value: null,
    timestamp_ms: 0,
    broker_time: true,
    headers: [],
  })),
})

class Died extends Error {}

/** One life of a member that dies when `deadly` is in hand; `kept` is what Kafka keeps of it. */
async function live(deadly: number, kept: { metadata: string }, ...offsets: number[]) {
  const parked: number[] = []
  const attempts = createAttempts({
    async commit(_partition, _offset, metadata) {
      kept.metadata = metadata
      // No exception could tell of a death: what is committed by then is all that is left.
      if (readMark(metadata)?.at === String(deadly)) throw new Died()
    },
    decode: () => undefined,
    park: (_partition, record) => parked.push(Number(record.offset)),
    log,
  })
  attempts.assigned(0, kept.metadata)
  const result = await attempts.begin(chunk(...offsets)).catch(error => error as Error)
  return { attempts, result, parked, mark: readMark(kept.metadata) }
}

test('from the third attempt on records are decoded singly; the one in hand at two deaths is parked', async () => {
  const kept = { metadata: '' }
  expect((await live(3, kept, 1, 2, 3, 4)).mark).toMatchObject({ attempts: 1, to: '4' })
  expect((await live(3, kept, 1, 2, 3, 4)).mark).toMatchObject({ attempts: 2 })
  const third = await live(3, kept, 1, 2, 3, 4)
  expect(third.result).toBeInstanceOf(Died)
  expect(third.mark).toMatchObject({ attempts: 3, at: '3' })
  // All the others first, then the suspect alone.
  const fourth = await live(3, kept, 1, 2, 3, 4)
  expect(fourth.mark).toMatchObject({ attempts: 4, at: '3', suspect: '3', deaths: 1 })
  expect(fourth.parked).toEqual([])
  const fifth = await live(3, kept, 1, 2, 3, 4)
  expect(fifth.parked).toEqual([3])
  expect(fifth.result).toMatchObject({ records: [{ offset: 1n }, { offset: 2n }, { offset: 3n }, { offset: 4n }] })
})

test('deaths at different records park none of them', async () => {
  const kept = { metadata: '' }
  for (const deadly of [0, 0, 2, 3, 2, 4, 1, 3, 2]) expect((await live(deadly, kept, 1, 2, 3, 4)).parked).toEqual([])
})

test('a suspect without neighbours waits', async () => {
  const kept = { metadata: 'motcua {"attempts":4,"to":"1","suspect":"1","deaths":1,"at":"1"}' }
  expect((await live(99, kept, 1)).result).toHaveProperty('pause_ms')
})

test('past the chunk nothing is remembered; odd metadata are none', async () => {
  const { attempts } = await live(99, { metadata: '' }, 1, 2)
  expect(attempts.ended(0, 5n)).toBeUndefined()
  for (const text of ['', null, 'x', 'motcua {', 'motcua {"attempts":0,"to":"1"}', 'motcua {"attempts":1,"to":"-1"}'])
    expect(readMark(text)).toBeUndefined()
})
