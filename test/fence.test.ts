/**
 * One writer per dossier, on the real engine: a process that lost its partition is refused by the ledger, its inserts under
 * way are ended, and what it left behind is made right by the next touch. A server that would break the promise is refused.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { beforeEach, expect, test } from 'vitest'
import { rowsOf } from '../common/clickhouse.ts'
import { insertComment } from '../common/insert.ts'
import { isTransient } from '../common/transient.ts'
import { statementOf } from '../pipelines/declarations.ts'
import { modifyQuery } from '../pipelines/plan.ts'
import { prepareDatabase } from '../pipelines/prepare.ts'
import { createInsert, isCountChanged } from '../services/ingest/insert.ts'
import { createOwnership } from '../services/ingest/ownership.ts'
import { type GoodRow, rowsFrom } from '../services/ingest/rows-for-tests.ts'
import { checkBlocks, checkServer } from '../services/ingest/server-check.ts'
import { clickhouseConfig, clickhouseOfTests, eventJson, eventOf } from './events.ts'
import { ownDatabase } from './own-database.ts'

const DATABASE = 'motcua_fence'
const { clickhouse: admin, empty } = ownDatabase(DATABASE)
const clickhouse = clickhouseOfTests('ingest', DATABASE)
const insert = createInsert(clickhouse, 'dossier_events')
const log = pino({ level: 'silent' })

beforeEach(() => empty('partition_owners', 'partition_counts'))

/** A process of that name claims partitions; resolves to its ownership. */
async function claim(process: string, partitions: number[]) {
  const ownership = createOwnership({ clickhouse, topic: 'dossier-events', process, log })
  ownership.doubt(partitions)
  await ownership.ensure(partitions)
  return ownership
}
const event = eventOf(eventJson({ dossier_id: 'F-250804-1' }))
const rowOf = (partition: number, of = event): GoodRow => ({
  event: of,
  partition,
  offset: 1n,
  topic_epoch: 0,
  timestamp_ms: Date.now(),
})
const write = (writer: string, partition = 3, count_epoch = 0n, of = event) =>
  insert(rowsFrom([rowOf(partition, of)]), {
    topic: 'dossier-events',
    writerOf: () => writer,
    batch: `${writer}-${Math.random()}`,
    count_epoch,
    ingested_at_ms: Date.now(),
  })
const received = async () =>
  (await rowsOf<{ n: number }>(clickhouse, 'SELECT sum(received) AS n FROM rates_by_commune'))[0]?.n

test('the owner writes; after another claim it is refused, and the new owner makes right what it left in the log', async () => {
  await claim('one', [3, 4])
  await claim('two', [3])
  await expect(write('one-1')).rejects.toThrow(/another writer has taken over/)
  // The log has the row (ClickHouse commits it first), the ledger has not.
  expect(await received()).toBe(0)
  await write('two-1')
  expect(await received()).toBe(1)
  await expect(write('one-1', 4)).resolves.toBeUndefined()
})

test('a batch is refused whole when one of its partitions is another’s', async () => {
  await claim('one', [3, 4])
  await claim('two', [4])
  const rows = [3, 4].map(partition => rowOf(partition, eventOf(eventJson())))
  await expect(
    insert(rowsFrom(rows), {
      topic: 'dossier-events',
      writerOf: () => 'one-1',
      batch: 'b',
      count_epoch: 0n,
      ingested_at_ms: 1,
    }),
  ).rejects.toThrow(/another writer/)
  expect(await received()).toBe(0)
})

test('a later claim of the first process takes the partition back', async () => {
  await claim('one', [3])
  await claim('two', [3])
  await claim('one-again', [3])
  await expect(write('two-1')).rejects.toThrow(/another writer/)
  await write('one-again-1')
  expect(await received()).toBe(1)
})

test('after an insert of unknown fate a process claims anew, and the late arrival of the first is refused', async () => {
  const ownership = await claim('one', [3])
  const late = ownership.writerOf(3)
  ownership.doubt([3])
  await ownership.ensure([3, 4])
  expect(ownership.writerOf(3)).not.toBe(late)
  await write(ownership.writerOf(3))
  await expect(write(late)).rejects.toThrow(/another writer/)
  expect(await received()).toBe(1)
  expect(() => ownership.writerOf(4)).toThrow(/never claimed/)
})

test('a batch under another partition count is refused and counts nothing; one under the count in force makes it right', async () => {
  const owner = (await claim('one', [3])).writerOf(3)
  const epochOf = (change: number, partitions: number) => BigInt(change * 65_536 + partitions)
  const put = (topic: string, epoch: bigint) =>
    admin.command({
      query: "INSERT INTO partition_counts (topic, epoch, written_by) VALUES ({topic:String}, {epoch:UInt64}, 'one')",
      query_params: { topic, epoch: String(epoch) },
    })
  await put('dossier-events', epochOf(1, 8))
  await put('another-topic', epochOf(7, 3))
  await write(owner, 3, epochOf(1, 8))
  expect(await received()).toBe(1)

  await put('dossier-events', epochOf(2, 9))
  const other = eventOf(eventJson({ dossier_id: 'F-250804-2' }))
  // One that is behind, one that is ahead of what stands in ClickHouse, and one that knows of no count.
  for (const epoch of [epochOf(1, 8), epochOf(3, 9), 0n]) {
    const error = await write(owner, 3, epoch, other).catch(reason => reason)
    expect(String(error)).toContain('the partition count has changed')
    expect([isCountChanged(error), isTransient(error)]).toEqual([true, true])
  }
  expect(await received()).toBe(1)
  await write(owner, 3, epochOf(2, 9), other)
  expect(await received()).toBe(2)
})

test('a claim ends the inserts that an earlier owner has under way, and no others', async () => {
  const slow = (partition: number) =>
    clickhouse
      .query({
        query:
          'SELECT count() FROM system.numbers WHERE NOT ignore(sleepEachRow(0.001)) SETTINGS max_block_size = 100, function_sleep_max_microseconds_per_block = 1000000',
        format: 'JSON',
        clickhouse_settings: {
          log_comment: insertComment('dossier-events', [partition]),
          max_execution_time: 20,
        },
      })
      .then(
        () => 'ended by itself',
        error => (error as Error).message,
      )
  const [older, elsewhere] = [slow(3), slow(5)]
  const comments = () =>
    rowsOf<{ c: string }>(
      clickhouse,
      "SELECT Settings['log_comment'] AS c FROM system.processes WHERE Settings['log_comment'] LIKE 'motcua-ingest %' ORDER BY c",
    )
  for (let turn = 0; turn < 50 && (await comments()).length < 2; turn++) await sleep(50)
  expect(await comments()).toHaveLength(2)
  await claim('two', [3])
  expect(await comments()).toEqual([{ c: insertComment('dossier-events', [5]) }])
  expect(await older).toMatch(/QUERY_WAS_CANCELLED|cancel|socket|closed|aborted/i)
  await admin.command({ query: "KILL QUERY WHERE Settings['log_comment'] LIKE 'motcua-ingest %' ASYNC" })
  await elsewhere
})

test('this server is taken; one whose schema is not ours, or whose settings are overruled, is refused with the reason', async () => {
  await expect(checkServer(clickhouse, 40_000)).resolves.toBeUndefined()
  const proper = statementOf('balance')
  await admin.command({ query: modifyQuery('balance', proper.replace('AND pause = 0', '')) })
  await expect(checkServer(clickhouse, 10)).rejects.toThrow(/\(balance\); npm run migrate/)
  await admin.command({ query: modifyQuery('balance', proper) })
  await expect(checkServer(clickhouse, 10)).resolves.toBeUndefined()
})

test('a server that cuts an insert into blocks is refused', async () => {
  const other = `${DATABASE}_blocks`
  await prepareDatabase(clickhouseConfig(), other)
  const blocks = clickhouseOfTests('default', other)
  // As if blocks were cut: the probe's view sees one row less.
  await blocks.command({ query: 'DROP VIEW block_probe_view' })
  await blocks.command({
    query:
      "CREATE MATERIALIZED VIEW block_probe_view TO block_probe_result AS SELECT throwIf(count() - 1 != any(probe_rows), 'this server cuts an insert into blocks') AS one_block FROM block_probe",
  })
  await expect(checkBlocks(blocks, 100)).rejects.toThrow(/does not reach a view as one block/)
  await blocks.close()
  await admin.command({ query: `DROP DATABASE ${other}` })
})
