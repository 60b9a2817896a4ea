import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Records } from '../../common/records.ts'
import { createGather } from './gather.ts'
import type { Outcome } from './isolate.ts'
import type { Chunk } from './source.ts'

const chunkOf = (partition: number, rows: number): Chunk => ({
  topic: 't',
  partition,
  lag: 0,
  records: { length: rows } as Records,
})

function gathering(inserts_max = 2, batch_rows_max = 40_000) {
  const batches: number[][] = []
  let running = 0
  let most = 0
  const gather = createGather({
    batch_rows_max,
    inserts_max,
    settle: async (chunks): Promise<Outcome> => {
      most = Math.max(most, ++running)
      batches.push(chunks.map(chunk => chunk.partition))
      await sleep(5)
      running--
      return { done: true }
    },
  })
  return { gather, batches, most: () => most }
}

test('little of many partitions goes into one batch', async () => {
  const { gather, batches } = gathering()
  await Promise.all([0, 1, 2, 3].map(partition => gather(chunkOf(partition, 10))))
  expect(batches).toEqual([[0, 1, 2, 3]])
})

test('much is spread over as many batches as may run at once, and no more run', async () => {
  const { gather, batches, most } = gathering()
  await Promise.all([0, 1, 2, 3, 4, 5].map(partition => gather(chunkOf(partition, 20_000))))
  expect(batches.flat().sort()).toEqual([0, 1, 2, 3, 4, 5])
  for (const batch of batches) expect(batch.length).toBeLessThanOrEqual(2)
  expect(most()).toBe(2)
})

test('a failure reaches the chunks of its batch and no others', async () => {
  const gather = createGather({
    batch_rows_max: 10,
    inserts_max: 1,
    settle: async chunks => {
      if (chunks.some(chunk => chunk.partition === 1)) throw new Error('broken')
      return { done: true }
    },
  })
  const outcomes = await Promise.allSettled([gather(chunkOf(0, 9)), gather(chunkOf(1, 9))])
  expect(outcomes.map(outcome => outcome.status)).toEqual(['fulfilled', 'rejected'])
})
