/** The order of a batch, and what a failure at each step leaves behind. */
import { expect, test } from 'vitest'
import { RegistryUnavailable } from '../../schemas/registry.ts'
import { createLog } from '../common/log.ts'
import { createMetrics } from '../common/metrics.ts'
import type { Classified } from './classify.ts'
import { createSettle } from './settle.ts'
import type { Chunk } from './source.ts'

const log = createLog('test')
log.level = 'silent'
const record = (offset: bigint) => ({ offset, key: null, value: null, timestamp_ms: 0, headers: {} })
const chunk: Chunk = { topic: 't', partition: 3, lag: 0, records: [record(10n), record(11n), record(12n)] }
const classified = {
  good: [{ event: {}, partition: 3, offset: 10n }],
  dead: [
    {
      record: record(11n),
      topic: 't',
      partition: 3,
      refusal: { reason: 'wrong_type', field: '', message: '' },
      schema_id: undefined,
    },
  ],
  misplaced: [{ record: record(12n), partition: 3, dossier_id: 'A' }],
} as unknown as Classified

/** A batch whose step `failing` fails with `error`, and the steps that were done. */
function settleWith(failing?: string, error: unknown = new Error('unknown'), paused = false) {
  const steps: string[] = []
  const doubted: number[] = []
  const step = (name: string) => async () => {
    steps.push(name)
    if (name === failing) throw error
  }
  const settle = createSettle({
    classify: async () => {
      if (failing === 'classify') throw error
      return classified
    },
    writeDeadLetters: step('dead letters'),
    rehome: step('rehome'),
    insert: step('insert'),
    ownership: {
      doubt: partitions => void doubted.push(...partitions),
      ensure: step('ensure'),
      writerOf: () => 'test',
    },
    paused: async () => paused,
    metrics: createMetrics('test'),
    log,
    now: () => 0,
  })
  return { settle, steps, doubted }
}

test('dead letters and re-homing are acknowledged before the insert, the insert before "done"', async () => {
  const { settle, steps } = settleWith()
  expect(await settle([chunk])).toEqual({ done: true })
  expect(steps).toEqual(['dead letters', 'rehome', 'ensure', 'insert'])
})

test.each(['dead letters', 'rehome', 'ensure', 'insert'])(
  'an unknown failure of %s ends it there, and nothing is done',
  async failing => {
    const { settle, steps } = settleWith(failing)
    await expect(settle([chunk])).rejects.toThrow('unknown')
    expect(steps.at(-1)).toBe(failing)
  },
)

test('a passing failure of the insert asks to read again, ever later, and writes no dead letter twice', async () => {
  const { settle, steps, doubted } = settleWith('insert', Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }))
  const pauses: number[] = []
  for (let turn = 0; turn < 8; turn++) {
    const outcome = await settle([chunk])
    if (!outcome.done) pauses.push(outcome.pause_ms)
  }
  expect(pauses).toEqual([500, 1000, 2000, 4000, 8000, 15000, 15000, 15000])
  expect(steps.filter(step => step !== 'insert' && step !== 'ensure')).toEqual(['dead letters', 'rehome'])
  expect(doubted).toEqual(new Array(8).fill(3))
})

test('while the ledger is paused nothing is inserted, nothing is in doubt, and it is read again soon', async () => {
  const { settle, steps, doubted } = settleWith(undefined, undefined, true)
  expect(await settle([chunk])).toEqual({ done: false, pause_ms: 250 })
  expect(await settle([chunk])).toEqual({ done: false, pause_ms: 250 })
  expect(steps).toEqual(['dead letters', 'rehome'])
  expect(doubted).toEqual([])
})

test('a schema registry that does not answer asks to read again; nothing was written', async () => {
  const { settle, steps } = settleWith('classify', new RegistryUnavailable('away'))
  expect(await settle([chunk])).toEqual({ done: false, pause_ms: 500 })
  expect(steps).toEqual([])
})
