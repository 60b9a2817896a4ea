/** The live stream: events that pass the door now, in communes of today's Phú Thọ, of dossiers that are settled in time to come. */
import { expect, test } from 'vitest'
import { judge } from '../../schemas/dossier-event/door.ts'
import type { DossierEvent } from '../../schemas/dossier-event/event.ts'
import { foldAll } from './fold-for-tests.ts'
import { createLiveStream } from './live-stream.ts'
import { createRandom } from './random.ts'
import { communesOn, knownUnits } from './reference.ts'
import { voidEvent } from './remove.ts'

const START = Date.parse('2026-11-22T22:00:00+07:00')

function stream(seconds: number, seed = 'test') {
  const live = createLiveStream(createRandom(seed), START)
  const events = Array.from({ length: seconds }, (_, second) => ({
    at: START + second * 1000,
    event: live.next(START + second * 1000),
  }))
  return { live, events }
}

test('one event at each call, all accepted by the door, all in today’s communes of Phú Thọ', () => {
  const { events } = stream(8_000)
  const units = knownUnits()
  const communes = new Set(communesOn('25', '2026-11-22').map(commune => commune.code))
  for (const { at, event } of events) {
    expect(
      judge(event, { now_ms: at, knownUnit: code => units.has(code), key: Buffer.from(event.dossier_id) }),
    ).toEqual([])
    expect(event.source).toBe('sample')
    if (event.receiving_unit !== null) expect(communes).toContain(event.receiving_unit)
    expect(event.dossier_id).toMatch(/^SAMPLE\.LIVE\.\d{5}-2611\d\d-\d+$/)
  }
})

test('dossiers are received, settled, corrected; some events come twice; outcomes differ; little is kept', () => {
  const { live, events } = stream(8_000)
  const told = events.map(one => one.event)
  const count = (type: DossierEvent['event_type']) => told.filter(event => event.event_type === type).length
  expect(count('RECEIVED')).toBeGreaterThan(2_500)
  expect(count('SETTLED')).toBeGreaterThan(2_500)
  expect(count('CORRECTED')).toBeGreaterThan(100)
  expect(told.length - new Set(told).size).toBeGreaterThan(200)
  const folded = [...foldAll(told).values()]
  expect(new Set(folded.map(dossier => dossier.outcome))).toEqual(new Set(['early', 'on_time', 'late', null]))
  expect(live.waiting()).toBeLessThan(500)
})

test('revisions of a dossier never go back, ids are used once', () => {
  const { events } = stream(3_000)
  const fresh = [...new Set(events.map(one => one.event))]
  expect(new Set(fresh.map(event => event.event_id)).size).toBe(fresh.length)
  const revisions = fresh.map(event => event.revision)
  expect(revisions).toEqual([...revisions].sort((a, b) => (a < b ? -1 : 1)))
})

test('nothing is dated into the days of the portal’s table', () => {
  const now_ms = Date.parse('2026-10-12T09:00:00+07:00')
  const live = createLiveStream(createRandom('edge'), now_ms)
  for (let second = 0; second < 2_000; second++) {
    const { received_at } = live.next(now_ms + second * 1000)
    expect(received_at ?? now_ms).toBeGreaterThanOrEqual(Date.parse('2026-10-11T00:00:00+07:00'))
  }
})

test('voided, a dossier counts no more, and no older news brings it back', () => {
  const { events } = stream(600)
  const told = events.map(one => one.event)
  const [dossier_id = ''] = foldAll(told).keys()
  const revisions = told.filter(event => event.dossier_id === dossier_id).map(event => event.revision)
  const revision = revisions.sort((a, b) => (a < b ? -1 : 1)).at(-1) ?? 0n
  const last = voidEvent(dossier_id, revision + 1n, START + 600_000)
  expect(foldAll([last, ...told]).has(dossier_id)).toBe(false)
  expect(voidEvent(dossier_id, revision + 1n, START + 600_000)).toEqual(last)
  expect(judge(last, { now_ms: START + 600_000, knownUnit: () => true, key: Buffer.from(dossier_id) })).toEqual([])
})
