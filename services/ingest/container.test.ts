import { expect, test } from 'vitest'
import { type DossierEvent, dossierEventJson } from '../../schemas/dossier-event/event.ts'
import { containerOf, saysOf } from './container.ts'

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

test('a batch far larger than guessed still fits, row after row', () => {
  const rows = Array.from({ length: 50 }, (_, at) => ({
    event: event({
      dossier_id: 'đ'.repeat(64),
      source: 'x'.repeat(64),
      cleared: new Array(40).fill('supplement_requests'),
    }),
    partition: 1,
    offset: BigInt(at),
    topic_epoch: 0,
    timestamp_ms: 0,
  }))
  const facts = { topic: 't', writerOf: () => 'test', batch: 'b', count_epoch: 0n, ingested_at_ms: 0 }
  const small = containerOf(rows.slice(0, 1), facts)
  const large = containerOf(rows, facts)
  expect(large.length).toBeGreaterThan(50 * 800)
  expect(large.subarray(0, 100)).toEqual(small.subarray(0, 100))
})
