import { once } from 'node:events'
import avro from 'avsc'
import { expect, test } from 'vitest'
import { type DossierEvent, dossierEventJson } from '../../schemas/dossier-event/event.ts'
import { saysOf } from '../../schemas/dossier-event/says.ts'
import { containerOf } from './container.ts'
import { rowsFrom } from './rows-for-tests.ts'

const event = (change: object = {}): DossierEvent =>
  dossierEventJson.parse({
    event_id: '00000000-0000-4000-8000-000000000001',
    dossier_id: 'A',
    revision: 1,
    event_type: 'DEADLINE_CHANGED',
    occurred_at: '2025-08-04T02:00:00Z',
    source: 'test',
    ...change,
  })

test('says has a bit for each field that is set or cleared, one for the life, one for waiting for a supplement', () => {
  expect(saysOf(event())).toBe(0)
  expect(saysOf(event({ receiving_unit: '08746' }))).toBe(1)
  expect(saysOf(event({ channel: 'ONLINE', cleared: ['settled_at'] }))).toBe(2 ** 4 + 2 ** 8)
  expect(saysOf(event({ fee_due: false }))).toBe(2 ** 12)
  expect(saysOf(event({ event_type: 'VOIDED' }))).toBe(2 ** 17)
  for (const step of ['SUPPLEMENT_REQUESTED', 'SUPPLEMENT_RECEIVED', 'PROCESSING'])
    expect(saysOf(event({ event_type: step }))).toBe(2 ** 18)
  for (const step of ['FEE_REQUESTED', 'DEADLINE_CHANGED']) expect(saysOf(event({ event_type: step }))).toBe(0)
  // A repair touches, and says nothing.
  expect(saysOf(event({ event_type: 'PROCESSING', source: 'motcua-repair', revision: 0 }))).toBe(0)
})

const rows = (count: number, dossier_id = 'A') =>
  rowsFrom(
    Array.from({ length: count }, (_, at) => ({
      event: event({ dossier_id, cleared: new Array(40).fill('supplement_requests') }),
      partition: at % 2,
      offset: BigInt(at),
      topic_epoch: 0,
      timestamp_ms: Date.UTC(2025, 0),
    })),
  )
const facts = {
  topic: 't',
  writerOf: (partition: number) => `writer ${partition}`,
  batch: 'b',
  count_epoch: 0n,
  ingested_at_ms: 0,
}

test('a file that any reader of Avro can read, row after row', async () => {
  const { file } = containerOf(rows(10_000), facts)
  const found: Record<string, unknown>[] = []
  const decoder = new avro.streams.BlockDecoder()
  decoder.on('data', row => found.push(row))
  decoder.end(Buffer.concat(file))
  await once(decoder, 'end')
  expect(found).toHaveLength(10_000)
  for (const [at, row] of found.entries())
    expect(row).toMatchObject({
      dossier_id: 'A',
      offset: at,
      partition: at % 2,
      writer: `writer ${at % 2}`,
      batch_rows: 10_000,
    })
})

test('a buffer is used again where the next batch fits into it, and nothing of the last one is left in the file', () => {
  const { memory } = containerOf(rows(50), facts)
  const { file, memory: again } = containerOf(rows(20, 'B'), facts, memory)
  expect(again).toBe(memory)
  expect(Buffer.concat(file)).toEqual(Buffer.concat(containerOf(rows(20, 'B'), facts).file))
  expect(containerOf(rows(51), facts, memory).memory).not.toBe(memory)
})
