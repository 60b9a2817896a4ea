/** Whatever set of records fails, only those are parked; where nothing passes, or too many fail, nothing is. */
import fc from 'fast-check'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { recordsOf } from '../../common/records-for-tests.ts'
import { createIsolate, halvesOf, PARKED_MAX } from './isolate.ts'
import type { Chunk } from './source.ts'

const log = pino({ level: 'silent' })
const chunkOf = (partition: number, offsets: readonly number[]): Chunk => ({
  topic: 't',
  partition,
  lag: 0,
  records: recordsOf(offsets.map(offset => ({ offset: BigInt(offset) }))),
})
const namesIn = (chunks: readonly Chunk[]) =>
  chunks.flatMap(({ partition, records }) => [...records].map(({ offset }) => `${partition}/${offset}`))

/** A batch in which these records fail until they are parked. */
function isolateWith(failing: ReadonlySet<string>) {
  const parked: string[] = []
  const settled = new Set<string>()
  const isolate = createIsolate({
    async settle(chunks) {
      const names = namesIn(chunks)
      if (names.some(name => failing.has(name) && !parked.includes(name))) throw new Error('fails')
      for (const name of names) settled.add(name)
      return { done: true }
    },
    mayBeRecord: () => true,
    park: (partition, record) => parked.push(`${partition}/${record.offset}`),
    log,
    now: () => 0,
  })
  return { isolate, parked, settled }
}

test('any records of any batch', async () => {
  const batches = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 })
  await fc.assert(
    fc.asyncProperty(
      batches,
      fc.infiniteStream(fc.boolean()),
      fc.integer({ min: 1, max: 12 }),
      async (sizes, chance, most) => {
        const chunks = sizes.map((size, partition) =>
          chunkOf(
            partition,
            Array.from({ length: size }, (_, at) => at),
          ),
        )
        const all = namesIn(chunks)
        fc.pre(all.length > 1)
        const failing = new Set(all.filter(() => chance.next().value).slice(0, most))
        const { isolate, parked, settled } = isolateWith(failing)
        const outcome = await isolate.settle(chunks).catch(error => error as Error)
        if (failing.size === all.length) {
          expect(outcome).toBeInstanceOf(Error)
          expect(parked).toEqual([])
        } else if (failing.size > PARKED_MAX) {
          expect(isolate.trouble()).toMatch(/nothing more is parked/)
          expect(parked).toEqual([])
          expect(await isolate.settle([chunkOf(9, [1])])).toMatchObject({ done: false })
        } else {
          expect(outcome).toEqual({ done: true })
          expect(new Set(parked)).toEqual(failing)
          expect(settled).toEqual(new Set(all))
        }
      },
    ),
  )
})

test('two halves are the batch, in order', () => {
  const chunks = [chunkOf(0, [1, 2, 3]), chunkOf(1, [7]), chunkOf(2, [8, 9, 10])]
  const [first, second] = halvesOf(chunks)
  expect([namesIn(first), namesIn(second)]).toEqual([
    ['0/1', '0/2', '0/3', '1/7'],
    ['2/8', '2/9', '2/10'],
  ])
})

test('an error that is no record’s fault is thrown as it is', async () => {
  const isolate = createIsolate({
    settle: () => Promise.reject(new Error('fenced')),
    mayBeRecord: () => false,
    park: () => expect.fail('nothing is parked'),
    log,
    now: () => 0,
  })
  await expect(isolate.settle([chunkOf(0, [1, 2])])).rejects.toThrow('fenced')
})
