/** What was reported of one life of a partition says nothing of the next. */
import type { ClickHouseClient } from '@clickhouse/client'
import { expect, test } from 'vitest'
import { createLog } from '../../common/log.ts'
import { createProgress } from './progress.ts'

const log = createLog('test')
log.level = 'silent'

test('a claim between the beginning of a new life and its note does not bring the old offset back', async () => {
  const reported = [{ partition: 0, epoch: 4, next: '16', appended: 5, complete: 7 }]
  const progress = createProgress({
    clickhouse: { query: async () => ({ json: async () => reported }) } as unknown as ClickHouseClient,
    topic: 't',
    ownership: { isDoubtful: () => false, ensure: async () => undefined, writerOf: () => 'test' },
    // The new life is not noted yet.
    epochs: { of: () => 4, isKnown: () => true },
    countEpoch: () => 8n,
    appended: async () => new Map(),
    log,
    now: () => 0,
  })
  progress.assigned([0])
  await progress.claimed([0])
  expect(progress.settled().get(0)).toBe(16n)
  progress.restarted(0, 0n, 5)
  await progress.claimed([0])
  expect(progress.settled().get(0)).toBe(0n)
  // Its times go on all the same.
  expect(progress.begin([0])).toBe(8)
})
