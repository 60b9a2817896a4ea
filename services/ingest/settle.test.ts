/** The order of a batch, and what a failure at each step leaves behind. */
import { ClickHouseError } from '@clickhouse/client'
import { expect, test } from 'vitest'
import type { DeadLetter, Misplaced } from '../../common/dead-letter.ts'
import { createLog } from '../../common/log.ts'
import { createMetrics } from '../../common/metrics.ts'
import { recordsOf } from '../../common/records-for-tests.ts'
import { UnacknowledgedError } from '../../common/send.ts'
import type { Classified } from './classify.ts'
import { Rows } from './rows.ts'
import { createSettle } from './settle.ts'
import type { Chunk } from './source.ts'

const log = createLog('test')
log.level = 'silent'
const record = (offset: bigint) => ({ offset })
const chunk: Chunk = { topic: 't', partition: 3, lag: 0, records: recordsOf([10n, 11n, 12n].map(record)) }
function goodRow(): Rows {
  const rows = new Rows()
  rows.add({ bytes: Buffer.alloc(1), suffix: Buffer.alloc(0), partition: 3, topic_epoch: 0 }, 0, 1, 0, 10, 0)
  return rows
}
const classified = {
  good: goodRow(),
  dead: [
    {
      record: record(11n),
      topic: 't',
      topic_epoch: 0,
      partition: 3,
      refusal: { reason: 'wrong_type', field: '', message: '' },
      schema_id: undefined,
    },
  ],
  misplaced: [
    { record: record(12n), topic: 't', topic_epoch: 0, partition: 3, dossier_id: 'A', home: 1, partitions: 8 },
  ],
} as unknown as Classified

const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
const countChanged = new ClickHouseError({
  message: 'the partition count has changed: while executing …',
  code: '733',
  type: 'CUSTOM',
})

interface Failure {
  /** The step that fails, and how. */
  at?: string
  error?: unknown
  paused?: boolean
  /** Whether the first dead letter is acknowledged before the step fails. */
  half_way?: boolean
  /** Whether the topic does not take the misplaced record back. */
  too_large?: boolean
  /** Whether another member has written a new count that this one has not read. */
  outdated?: boolean
  /** What the door and the partition count say, at each reading. */
  readings?: Classified[]
}

/** A batch, perhaps with a step that fails, and the steps that were done. */
function settleWith({
  at,
  error = new Error('unknown'),
  paused = false,
  half_way = false,
  too_large = false,
  outdated = false,
  readings = [],
}: Failure = {}) {
  const steps: string[] = []
  const doubted: number[] = []
  const letters: DeadLetter[] = []
  const under: bigint[] = []
  const home: bigint[] = []
  const step = async (name: string) => {
    steps.push(name)
    if (name === at) throw error
  }
  let epoch = 8n
  const { settle, committed, forget } = createSettle({
    classify: async () => {
      if (at === 'classify') throw error
      return readings.shift() ?? classified
    },
    release: () => undefined,
    count: {
      current: () => ({ epoch, partitions: 8 }),
      refresh: async () => {
        await step('count')
        epoch = 65_545n
      },
      holds: async () => !outdated,
    },
    writeDeadLetters: async (some, written) => {
      const first = some.slice(0, half_way ? 1 : undefined)
      letters.push(...first)
      if (half_way) written(first)
      await step('dead letters')
      written(some)
    },
    rehome: async (strays, done) => {
      await step('rehome')
      home.push(...strays.map(({ record: { offset } }) => offset))
      done(too_large ? { sent: [], refused: [...strays] } : { sent: [...strays], refused: [] })
    },
    insert: async (_, { count_epoch }) => {
      under.push(count_epoch)
      await step('insert')
    },
    ownership: {
      doubt: partitions => void doubted.push(...partitions),
      ensure: () => step('ensure'),
      endInsertsBefore: async () => undefined,
      isDoubtful: () => false,
      writerOf: () => 'test',
    },
    progress: {
      begin: () => {
        steps.push('begin')
        return 0
      },
      end: () => void steps.push('end'),
    },
    paused: async () => paused,
    metrics: createMetrics('test'),
    log,
    now: () => 0,
  })
  return { settle, committed, forget, steps, doubted, letters, under, home }
}

const written = ['rehome', 'dead letters']

test('what is set aside is acknowledged before the insert, the insert before "done"', async () => {
  const { settle, steps, under } = settleWith()
  expect(await settle([chunk])).toEqual({ done: true })
  expect(steps).toEqual([...written, 'ensure', 'begin', 'insert', 'end'])
  expect(under).toEqual([8n])
})

test.each(['dead letters', 'rehome', 'ensure', 'insert'])(
  'an unknown failure of %s ends it there, and nothing is done',
  async at => {
    const { settle, steps } = settleWith({ at })
    await expect(settle([chunk])).rejects.toThrow('unknown')
    expect(steps.filter(step => step !== 'end').at(-1)).toBe(at)
  },
)

test('a transient failure of the insert asks to read again, ever later, and writes no dead letter twice', async () => {
  const { settle, steps, doubted } = settleWith({ at: 'insert', error: refused })
  const pauses: number[] = []
  for (let turn = 0; turn < 8; turn++) {
    const outcome = await settle([chunk])
    if (!outcome.done) pauses.push(outcome.pause_ms)
  }
  expect(pauses).toEqual([500, 1000, 2000, 4000, 8000, 15000, 15000, 15000])
  expect(steps.filter(step => written.includes(step))).toEqual(written)
  expect(doubted).toEqual(new Array(8).fill(3))
})

test.each(['dead letters', 'rehome'])('%s that Kafka does not acknowledge: read again, nothing inserted', async at => {
  const { settle, steps, doubted } = settleWith({ at, error: new UnacknowledgedError('t', [3]) })
  expect(await settle([chunk])).toEqual({ done: false, pause_ms: 500 })
  expect(await settle([chunk])).toEqual({ done: false, pause_ms: 1_000 })
  expect(steps).not.toContain('insert')
  expect(steps.filter(step => step === at)).toHaveLength(2)
  expect(doubted).toEqual([])
})

test('a dead letter that was acknowledged before others failed is not written again', async () => {
  const dead = [11n, 13n, 14n].map(offset => ({ ...classified.dead[0], record: record(offset) }) as DeadLetter)
  const { settle, letters } = settleWith({
    at: 'dead letters',
    error: new UnacknowledgedError('t', [3]),
    half_way: true,
    readings: [1, 2, 3].map(() => ({ ...classified, dead })),
  })
  for (let turn = 0; turn < 3; turn++) expect(await settle([chunk])).toMatchObject({ done: false })
  expect(letters.map(({ record: { offset } }) => offset)).toEqual([11n, 13n, 14n])
})

test('another partition count: it is read, and the batch is read again soon, under the new one', async () => {
  const { settle, steps, doubted, under } = settleWith({ at: 'insert', error: countChanged })
  expect(await settle([chunk])).toEqual({ done: false, pause_ms: 250 })
  expect(steps.slice(-3)).toEqual(['insert', 'count', 'end'])
  expect(doubted).toEqual([3])
  await settle([chunk])
  expect(under).toEqual([8n, 65_545n])
})

test('under the new count a record may be misplaced that was not: it goes home, the others do not go again', async () => {
  const stray = (offset: bigint) => ({ ...classified.misplaced[0], record: record(offset) }) as Misplaced
  const { settle, home, letters } = settleWith({
    at: 'insert',
    error: countChanged,
    readings: [classified, { ...classified, good: new Rows(), misplaced: [stray(10n), stray(12n)] }],
  })
  expect(await settle([chunk])).toEqual({ done: false, pause_ms: 250 })
  expect(await settle([chunk])).toEqual({ done: true })
  expect(home).toEqual([12n, 10n])
  expect(letters.map(({ record: { offset } }) => offset)).toEqual([11n])
})

test('nothing goes home under a count that another member has replaced', async () => {
  const { settle, steps } = settleWith({ outdated: true })
  expect(await settle([chunk])).toEqual({ done: false, pause_ms: 250 })
  expect(steps).toEqual([])
})

test('what is read again in another order, as halves of a batch are, is set aside once, and only until it is committed', async () => {
  const { settle, committed, letters, home } = settleWith()
  const later = { ...chunk, records: recordsOf([record(20n)]) }
  await settle([later])
  await settle([chunk])
  expect([letters.length, home.length]).toEqual([1, 1])
  committed(3, 12n)
  await settle([chunk])
  expect([letters.length, home.length]).toEqual([2, 1])
})

test('a record that the topic does not take back is a dead letter', async () => {
  const { settle, letters } = settleWith({ too_large: true })
  expect(await settle([chunk])).toEqual({ done: true })
  expect(letters.map(({ record, refusal }) => [record.offset, refusal.reason])).toEqual([
    [11n, 'wrong_type'],
    [12n, 'misplaced'],
  ])
})

test('in another life of the partition the same offsets are written again', async () => {
  const { settle, forget, steps } = settleWith()
  await settle([chunk])
  await settle([chunk])
  expect(steps.filter(step => written.includes(step))).toEqual(written)
  forget(3)
  await settle([chunk])
  expect(steps.filter(step => written.includes(step))).toEqual([...written, ...written])
})

test('while the ledger is paused nothing is inserted, nothing is in doubt, and it is read again soon', async () => {
  const { settle, steps, doubted } = settleWith({ paused: true })
  expect(await settle([chunk])).toEqual({ done: false, pause_ms: 250 })
  expect(await settle([chunk])).toEqual({ done: false, pause_ms: 250 })
  expect(steps.filter(step => step !== 'end')).toEqual(written)
  expect(doubted).toEqual([])
})

test('an error while records are classified is nobody else’s: nothing was written', async () => {
  const { settle, steps } = settleWith({ at: 'classify' })
  await expect(settle([chunk])).rejects.toThrow('unknown')
  expect(steps).toEqual([])
})
