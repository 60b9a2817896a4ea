/** Every record gets a verdict in its place, or the whole is unverified; and the process goes on breathing. */
import { expect, test } from 'vitest'
import type { TopicRecord } from '../../common/fetch.ts'
import type { FramedValues, Prepared, Verdict } from '../../schemas/dossier-event/codec.ts'
import { createVerdicts } from './judge.ts'

const recordOf = (text: string, change: Partial<TopicRecord> = {}): TopicRecord => ({
  partition: 1,
  offset: 7n,
  key: null,
  value: Buffer.from(text),
  timestamp_ms: 0,
  broker_time: true,
  headers: [],
  ...change,
})
const reasonOf = ({ refusals }: Verdict) => refusals?.[0]?.reason

/** A decoder that knows so many leading values at each call, and names each record by its own text. */
function decoderOf(ready: (values: FramedValues, call: number) => Prepared) {
  let calls = 0
  return {
    prepare: async (values: FramedValues) => ready(values, ++calls),
    judgeRecord: ({ value }: { value: Buffer | null }): Verdict => {
      const text = String(value)
      if (text === 'throws') throw new Error('out of hand')
      return { schema_id: 1, refusals: [{ reason: 'wrong_type', field: text, message: '' }] }
    },
  }
}
const fieldsOf = (verdicts: Verdict[]) => verdicts.map(({ refusals }) => refusals?.[0]?.field)

test('what waits for its schema is judged when it is there, in its place', async () => {
  const judgeAll = createVerdicts(
    decoderOf((values, call) => ({ ready: call === 2 ? 0 : Math.min(2, values.length) })),
    1_000,
  )
  expect(fieldsOf(await judgeAll(['a', 'b', 'c', 'd', 'e'].map(text => recordOf(text))))).toEqual([...'abcde'])
})

test('a schema that cannot be looked up leaves the records unverified', async () => {
  const judgeAll = createVerdicts(
    decoderOf((_, call) => ({ ready: call === 1 ? 1 : 0, trouble: 'the registry is away', unavailable: true })),
    20,
  )
  await expect(judgeAll([recordOf('a'), recordOf('b', { offset: 8n })])).rejects.toMatchObject({
    code: 'SCHEMA_UNAVAILABLE',
    message: 'the record of dossier-events partition 1 offset 8 cannot be judged: the registry is away',
  })
})

test('a batch that cannot be read and a record that only raises errors are refused ones', async () => {
  const asked: (number | undefined)[] = []
  const judgeAll = createVerdicts(
    decoderOf(values => {
      for (let at = 0; at < values.length; at++) asked.push(values.schemaIdAt(at))
      return { ready: values.length }
    }),
  )
  const verdicts = await judgeAll([
    recordOf('\0\0\0\0\x07batch', { unreadable: 'no gzip' }),
    recordOf('throws'),
    recordOf('c'),
  ])
  expect(verdicts.map(reasonOf)).toEqual(['undecodable', 'undecodable', 'wrong_type'])
  expect(verdicts[0]?.refusals?.[0]?.message).toBe('no gzip')
  // The bytes of such a batch name no schema.
  expect(asked[0]).toBeUndefined()
})

test('others get their turn while many records, or large ones, are judged', async () => {
  const judgeAll = createVerdicts(decoderOf(values => ({ ready: values.length })))
  async function turnsDuring(records: TopicRecord[]) {
    let turns = 0
    let judging = true
    const others = () => {
      turns++
      if (judging) setImmediate(others)
    }
    setImmediate(others)
    await judgeAll(records)
    judging = false
    return turns
  }
  expect(await turnsDuring(new Array(2_000).fill(recordOf('a')))).toBeGreaterThanOrEqual(9)
  expect(await turnsDuring(new Array(10).fill(recordOf('a'.repeat(300_000))))).toBeGreaterThanOrEqual(9)
})
