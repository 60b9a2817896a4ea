/** The count in force follows the broker's, up at once and down with patience; a member that is behind is told so. */
import type { ClickHouseClient } from '@clickhouse/client'
import { expect, test } from 'vitest'
import { createLog } from '../../common/log.ts'
import { createPartitionCount } from './partition-count.ts'

const log = createLog('test')
log.level = 'silent'

/** Members that share a ClickHouse of one column, and a broker that tells what it is told to. */
function world() {
  const epochs: bigint[] = []
  const last = () => epochs.at(-1) ?? 0n
  const clickhouse = {
    query: async () => ({ json: async () => [{ epoch: String(last()) }] }),
    command: async ({ query_params: { partitions } }: { query_params: { partitions: number } }) => {
      epochs.push((last() / 65_536n + 1n) * 65_536n + BigInt(partitions))
    },
  } as unknown as ClickHouseClient
  const told = { partitions: 8, ms: 0 }
  const ended: bigint[] = []
  const member = () =>
    createPartitionCount({
      clickhouse,
      topic: 't',
      process: 'test',
      countAtBroker: async () => told.partitions,
      ownership: { endInsertsBefore: async epoch => void ended.push(epoch) },
      log,
      now: () => told.ms,
    })
  return { told, ended, member }
}

test('a larger count is in force at once; earlier inserts are ended before it is written under', async () => {
  const { told, ended, member } = world()
  const one = member()
  expect(() => one.current()).toThrow('never read')
  await one.refresh()
  told.partitions = 9
  await one.refresh()
  expect(one.current()).toEqual({ epoch: 2n * 65_536n + 9n, partitions: 9 })
  expect(ended).toEqual([65_536n + 8n, 2n * 65_536n + 9n])
})

test('a broker that is behind changes nothing; a count that stays smaller comes into force', async () => {
  const { told, member } = world()
  const one = member()
  told.partitions = 9
  await one.refresh()
  told.partitions = 8
  for (const ms of [0, 10, 7_000]) {
    told.ms = ms
    await one.refresh()
  }
  expect(one.current().partitions).toBe(9)
  told.partitions = 9
  await one.refresh()
  told.partitions = 3
  for (const ms of [10_000, 20_000]) {
    told.ms = ms
    await one.refresh()
  }
  expect(one.current().partitions).toBe(3)
})

test('a member that is behind reads the count again before it may go by it', async () => {
  const { told, member } = world()
  const [one, other] = [member(), member()]
  await one.refresh()
  await other.refresh()
  const old = one.current()
  expect(await one.holds(old)).toBe(true)
  told.partitions = 9
  await other.refresh()
  expect(await one.holds(old)).toBe(false)
  expect(one.current()).toEqual(other.current())
})
