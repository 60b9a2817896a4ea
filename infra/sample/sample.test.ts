/** What the samples promise: totals to the dossier, errors and their corrections in both directions, and the same from the same seed. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { readReference } from '../../pipelines/reference.ts'
import { judge } from '../../schemas/dossier-event/door.ts'
import type { DossierEvent } from '../../schemas/dossier-event/event.ts'
import { newestType } from '../../schemas/registry.ts'
import { frame } from '../../schemas/wire.ts'
import { type Folded, foldAll } from './fold-for-tests.ts'
import { ninhThuan } from './ninh-thuan.ts'
import { type Figures, NO_FIGURES, type Plan } from './plan.ts'
import { PORTAL_TABLE, portalPlan, portalRow, readPortalTable } from './portal-table.ts'
import { communesOn, knownUnits } from './reference.ts'
import { chunksOf } from './sample.ts'

const table = readPortalTable(PORTAL_TABLE)
const dienBien = (seed: string, limit?: number) => portalPlan(table, portalRow(table, 'H18'), seed, limit)

const landProcedures = new Set(
  readReference('procedures')
    .filter(row => row.sector_code === 'LAND')
    .map(row => row.procedure_code),
)

function deliver(plan: Plan) {
  const chunks = [...chunksOf(plan)]
  return {
    deliveries: chunks.flatMap(chunk => chunk.deliveries),
    told: chunks.at(-1)?.told,
    figures: chunks.at(-1)?.figures,
  }
}

function figuresOf(plan: Plan, folded: Iterable<Folded>): Figures {
  const figures = { ...NO_FIGURES }
  for (const dossier of folded) {
    if (dossier.received >= plan.from && dossier.received <= plan.to) {
      const online = dossier.channel === 'ONLINE' ? 1 : 0
      const land = landProcedures.has(dossier.procedure ?? '') ? 1 : 0
      figures.received++
      figures.received_online += online
      figures.land_received += land
      figures.land_online += land * online
    }
    if (dossier.settled === null || dossier.settled < plan.from || dossier.settled > plan.to) continue
    figures.settled++
    if (dossier.outcome === 'late') figures.settled_late++
    else figures.settled_on_time++
  }
  return figures
}

const bytesOf = (deliveries: readonly DossierEvent[]) => {
  const hash = createHash('sha256')
  const type = newestType('dossier-event')
  for (const event of deliveries) hash.update(event.dossier_id).update(frame(1, type, event))
  return hash.digest('hex')
}

describe.each([
  ['Ninh Thuận', ninhThuan('1')],
  ['Điện Biên', dienBien('1')],
  ['a small Ninh Thuận', ninhThuan('2', 400)],
  ['a small Điện Biên', dienBien('2', 400)],
  ['one dossier', dienBien('1', 1)],
])('%s', (_, plan) => {
  const { deliveries, told, figures } = deliver(plan)
  const folded = foldAll(deliveries)
  const dossiers = told?.dossiers ?? 0
  const histories = Map.groupBy(new Set(deliveries), event => event.dossier_id)

  test('folds to the figures it announces, one dossier for one', () => {
    expect(folded.size).toBe(dossiers)
    expect(figuresOf(plan, folded.values())).toEqual(figures)
  })

  test('lies in communes of the province and in the days of the sample', () => {
    const communes = new Set(communesOn(plan.province.code, plan.to).map(commune => commune.code))
    const inside = (dossier: Folded) =>
      communes.has(dossier.unit) &&
      dossier.received >= plan.from &&
      dossier.received <= plan.to &&
      (dossier.settled === null || dossier.settled <= plan.settled_to)
    expect([...folded.values()].filter(dossier => !inside(dossier))).toEqual([])
  })

  test('no dossier waited longer for a supplement than it lived', () => {
    const odd = [...folded.values()].filter(({ received, compared }) => compared !== null && compared < received)
    expect(odd).toEqual([])
  })

  test('every event passes the door as soon as the sample is over', () => {
    const units = knownUnits()
    const now_ms = Date.parse(`${plan.settled_to}T23:59:59+07:00`)
    for (const event of deliveries) {
      const refusals = judge(event, { now_ms, knownUnit: code => units.has(code), key: Buffer.from(event.dossier_id) })
      if (refusals.length > 0) expect.fail(`${JSON.stringify(refusals)} ${event.event_type} of ${event.dossier_id}`)
    }
  })

  test('says what it is: source sample, numbers with the day of reception, ids used once', () => {
    expect(new Set(deliveries.map(event => event.source))).toEqual(new Set(['sample']))
    const ids = new Map<string, DossierEvent>()
    for (const event of deliveries) {
      const same = ids.get(event.event_id)
      if (same !== undefined && same !== event) expect.fail(`two events are called ${event.event_id}`)
      ids.set(event.event_id, event)
    }
    const shape = new RegExp(`^SAMPLE\\.${plan.province.code}\\.\\d{5}-\\d{6}-\\d{4,}$`)
    for (const [dossier_id, events] of histories) {
      if (!shape.test(dossier_id)) expect.fail(dossier_id)
      const first = events
        .filter(event => event.received_at !== null)
        .sort((a, b) => (a.revision < b.revision ? -1 : 1))[0]
      const day = new Date((first?.received_at ?? 0) + 7 * 3_600_000).toISOString().slice(2, 10).replaceAll('-', '')
      if (dossier_id.split('-')[1] !== day) expect.fail(`${dossier_id} was first received on ${day}`)
    }
  })

  test('the same seed gives the same bytes in the same order, another seed others', () => {
    if (dossiers > 50_000) return // as the smaller ones, only slower
    expect(bytesOf(deliver({ ...plan }).deliveries)).toBe(bytesOf(deliveries))
    expect(bytesOf(deliver({ ...plan, seed: 'other' }).deliveries)).not.toBe(bytesOf(deliveries))
  })
})

describe.each([
  ['Ninh Thuận', ninhThuan('1')],
  ['Điện Biên', dienBien('1')],
  ['a small Ninh Thuận', ninhThuan('2', 400)],
])('%s is delivered as in life', (_, plan) => {
  const { deliveries, told } = deliver(plan)
  const events = [...new Set(deliveries)]
  const dossiers = told?.dossiers ?? 0
  const histories = Map.groupBy(events, event => event.dossier_id)
  const folded = foldAll(deliveries)
  const withType = (type: string) => [...histories].filter(([, of]) => of.some(event => event.event_type === type))

  test('at least 5 % of the events come twice, at least 1 % of the dossiers are voided beside the others', () => {
    expect(told?.events).toBe(events.length)
    expect(deliveries.length - events.length).toBeGreaterThanOrEqual(0.05 * events.length)
    const voided = withType('VOIDED').filter(([id]) => !folded.has(id))
    expect(voided.length).toBe(told?.voided)
    expect(voided.length).toBeGreaterThanOrEqual(Math.floor(0.01 * dossiers))
    expect(voided.length).toBeLessThan(0.015 * dossiers)
  })

  test('at least 5 % of the dossiers are corrected; commune, month, channel and outcome move, each in both directions', () => {
    const corrected = withType('CORRECTED').filter(([id]) => folded.has(id))
    const moves = { commune: 0, to_online: 0, from_online: 0, month_up: 0, month_down: 0, to_late: 0, from_late: 0 }
    let changed = 0
    for (const [id, of] of corrected) {
      const last = of.reduce(
        (high, event) =>
          event.event_type === 'CORRECTED' && (high === undefined || event.revision > high.revision) ? event : high,
        undefined as DossierEvent | undefined,
      )
      const before = foldAll(of.filter(event => event.revision < (last as DossierEvent).revision)).get(id)
      const after = folded.get(id) as Folded
      if (before === undefined) continue
      if (JSON.stringify(before) !== JSON.stringify(after)) changed++
      if (before.unit !== after.unit) moves.commune++
      if (before.channel !== after.channel) moves[after.channel === 'ONLINE' ? 'to_online' : 'from_online']++
      const [month, was] = [after.received.slice(0, 7), before.received.slice(0, 7)]
      if (month !== was) moves[month > was ? 'month_up' : 'month_down']++
      if ((after.outcome === 'late') !== (before.outcome === 'late'))
        moves[after.outcome === 'late' ? 'to_late' : 'from_late']++
    }
    expect(changed).toBeGreaterThanOrEqual(0.05 * dossiers)
    for (const [kind, count] of Object.entries(moves))
      if (dossiers >= 10_000) expect(count, kind).toBeGreaterThan(0.0005 * dossiers)
    const twice = corrected.filter(([, of]) => of.filter(event => event.event_type === 'CORRECTED').length > 1)
    expect(twice.length).toBeGreaterThan(0.01 * dossiers)
  })

  test('disorder: settled before received, old news after new, repeats far from the first', () => {
    const places = new Map<DossierEvent, number[]>()
    for (const [at, event] of deliveries.entries()) places.set(event, [...(places.get(event) ?? []), at])
    let settledFirst = 0
    let oldAfterNew = 0
    for (const of of histories.values()) {
      const firstOf = (type: string) =>
        Math.min(...of.filter(event => event.event_type === type).map(event => places.get(event)?.[0] ?? 0))
      if (firstOf('SETTLED') < firstOf('RECEIVED')) settledFirst++
      const inOrder = of
        .flatMap(event => (places.get(event) ?? []).map(at => ({ at, revision: event.revision })))
        .sort((a, b) => a.at - b.at)
      if (inOrder.some((one, at) => at > 0 && one.revision < (inOrder[at - 1]?.revision ?? 0n))) oldAfterNew++
    }
    const far = [...places.values()].filter(at => at.length > 1 && (at[1] ?? 0) - (at[0] ?? 0) > deliveries.length / 50)
    expect(settledFirst).toBeGreaterThan(0.03 * dossiers)
    expect(oldAfterNew).toBeGreaterThan(0.08 * dossiers)
    expect(far.length).toBeGreaterThan(0.01 * events.length)
  })

  test('some fields are emptied again, some dossiers voided by mistake come back, some events are sent anew', () => {
    if (dossiers > 1000) expect(events.some(event => event.cleared.length > 0)).toBe(true)
    expect(withType('VOIDED').some(([id]) => folded.has(id))).toBe(true)
    const anew = events.length - new Set(events.map(event => `${event.dossier_id} ${event.revision}`)).size
    expect(anew).toBeGreaterThan(0.005 * events.length)
  })

  test('a plain count is wrong, and of the right order', () => {
    const received = deliveries.filter(event => event.event_type === 'RECEIVED')
    const settled = deliveries.filter(event => event.event_type === 'SETTLED')
    for (const counted of [received.length, settled.length]) {
      expect(counted).toBeGreaterThan(1.05 * dossiers)
      expect(counted).toBeLessThan(1.3 * dossiers)
    }
    if (dossiers < 10_000) return
    const online = received.filter(event => event.channel === 'ONLINE').length / received.length
    const truth = [...folded.values()].filter(dossier => dossier.channel === 'ONLINE').length / dossiers
    expect(Math.abs(online - truth)).toBeGreaterThan(0.001)
  })

  test('few communes have much, many have little', () => {
    const sizes = [...Map.groupBy(folded.values(), dossier => dossier.unit).values()]
      .map(of => of.length)
      .sort((a, b) => b - a)
    expect(sizes[0] ?? 0).toBeGreaterThan(5 * (sizes[Math.floor(sizes.length * 0.6)] ?? 0))
    if (dossiers >= 10_000) expect(sizes.length).toBe(communesOn(plan.province.code, plan.to).length)
  })
})

test('Ninh Thuận: 16,234 of 20,000 received online, 2.06 % in the land sector, all outcomes', () => {
  const { deliveries, figures } = deliver(ninhThuan('any'))
  expect(figures).toMatchObject({ received: 20_000, received_online: 16_234, land_received: 1_942, land_online: 40 })
  expect((100 * 16_234) / 20_000).toBe(81.17)
  expect(((100 * (figures?.land_online ?? 0)) / (figures?.land_received ?? 0)).toFixed(2)).toBe('2.06')
  expect(communesOn('58', '2023-06-30').length).toBe(62)
  const folded = [...foldAll(deliveries).values()]
  expect(new Set(folded.map(dossier => dossier.outcome))).toEqual(new Set(['early', 'on_time', 'late']))
  expect(figures?.settled ?? 0).toBeGreaterThan(19_000)
})

test('Điện Biên: the row of the portal', () => {
  expect(deliver(dienBien('any')).figures).toMatchObject({
    received: 73_608,
    settled: 73_608,
    settled_on_time: 70_081,
    settled_late: 3_527,
  })
})

test('chunks do not change what is said', () => {
  const plan = ninhThuan('1', 400)
  const small = [...chunksOf(plan, 37)].flatMap(chunk => chunk.deliveries)
  const whole = [...chunksOf(plan, 400)].flatMap(chunk => chunk.deliveries)
  expect(bytesOf(small)).toBe(bytesOf(whole))
})
