/**
 * What was known when, and why it differs now: `rates_as_known` gives at any past moment what the oracle says of the events
 * ingested until then, and `restatement` explains the difference to the figures of now, cause by cause, to the last dossier.
 * Causes are held against a plain classification of what the oracle says of each dossier after each batch.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { rowsOf } from '../common/clickhouse.ts'
import type { DossierEvent } from '../schemas/dossier-event/event.ts'
import { eventJson, eventOf } from './events.ts'
import { type Scenario, scenario } from './oracle/generators.ts'
import { unitOnDay } from './oracle/lists.ts'
import { countedFacts, type Facts, ratesBetween } from './oracle/oracle.ts'
import { ownDatabase } from './own-database.ts'
import { forAny } from './property.ts'

/** No history is begun after this long. */
const HISTORY_SECONDS = 8
const { clickhouse, empty, ingest } = ownDatabase('motcua_as_known')

const MEASURES = ['received', 'received_online', 'settled', 'settled_early', 'settled_on_time', 'settled_late'] as const
type Counts = Record<(typeof MEASURES)[number], number>
const TIERS = ['commune', 'district', 'province', 'country'] as const
const CAUSES = ['then', 'late_news', 'voids', 'corrections', 'moves_in', 'moves_out', 'difference', 'now'] as const
type Cause = (typeof CAUSES)[number]
interface Period {
  from: string
  to: string
}
const PERIODS: Period[] = [
  { from: '2025-06-30', to: '2025-08-01' },
  { from: '1990-01-01', to: '2099-12-31' },
]
const UNITS = ['VN', '24', '25', '232', '243', '08746', '08710']

const FIRST_MS = Date.parse('2025-09-01T00:00:00Z')
const momentOf = (batch: number) => FIRST_MS + batch * 60_000
const text = (ms: number) => new Date(ms).toISOString().slice(0, 23).replace('T', ' ')

/** A scenario's batches one after the other, a minute apart. Returns them. */
async function deliver({ deliveries, fates }: Scenario): Promise<DossierEvent[][]> {
  await empty()
  const batches = fates.map((_, at) => deliveries.filter(({ batch }) => batch === at).map(({ event }) => event))
  for (const [at, events] of batches.entries()) await ingest(events, { ingested_at_ms: momentOf(at) })
  return batches
}

const isoOf = (day: number) => new Date(day * 86_400_000).toISOString().slice(0, 10)
const ZERO = Object.fromEntries(MEASURES.map(measure => [measure, 0])) as Counts

/** What a dossier's reception and settlement add to the figures of a unit in a period, undefined where they do not exist. */
function partsOf(facts: Facts | undefined, unit: string, { from, to }: Period) {
  const here = (day: number) => {
    const on = isoOf(day)
    if (on < from || on > to) return 0
    const { commune, district, province } = unitOnDay(facts?.unit_code as string, on)
    return unit === 'VN' || [commune, district, province].some(place => place?.code === unit) ? 1 : 0
  }
  if (facts === undefined) return {}
  const { received_on, settled_on, compared_on, due_on } = facts
  const received = here(received_on)
  const reception = { ...ZERO, received, received_online: facts.channel === 'ONLINE' ? received : 0 }
  if (settled_on === null || compared_on === null) return { reception }
  const settled = here(settled_on)
  const early = due_on !== null && compared_on < due_on ? settled : 0
  const late = due_on !== null && compared_on > due_on ? settled : 0
  const settlement = {
    ...ZERO,
    settled,
    settled_early: early,
    settled_late: late,
    settled_on_time: settled - early - late,
  }
  return { reception, settlement }
}

/** The causes as the documentation has them. `states`: the dossier after each batch until then; `now`: after all. */
function causeOf(
  flow: 'reception' | 'settlement',
  states: (Facts | undefined)[],
  now: Facts | undefined,
  unit: string,
  period: Period,
): Cause {
  const then = states.at(-1)
  const part = (facts: Facts | undefined) => partsOf(facts, unit, period)[flow]
  if (!states.some(state => part(state) !== undefined)) return 'late_news'
  if (then === undefined || now === undefined) return 'voids'
  const [before, after] = [part(then), part(now)]
  if (before === undefined || after === undefined) return 'corrections'
  const counted = (parts: Counts) => parts[flow === 'reception' ? 'received' : 'settled']
  if (counted(before) === counted(after)) return 'corrections'
  return counted(after) > counted(before) ? 'moves_in' : 'moves_out'
}

function expectedRestatement(batches: DossierEvent[][], last: number, unit: string, period: Period) {
  const sums = new Map(CAUSES.map(cause => [cause, { ...ZERO, dossiers: new Set<string>() }]))
  const add = (cause: Cause, dossier: string, counts: Counts, sign: number) => {
    const sum = sums.get(cause) as Counts & { dossiers: Set<string> }
    for (const measure of MEASURES) sum[measure] += sign * counts[measure]
    if (MEASURES.some(measure => counts[measure] !== 0)) sum.dossiers.add(dossier)
  }
  const statesAfter = batches.map((_, at) => countedFacts(batches.slice(0, at + 1).flat()))
  for (const dossier of new Set(batches.flat().map(event => event.dossier_id))) {
    const states = statesAfter.slice(0, last + 1).map(state => state.get(dossier))
    const [then, now] = [states.at(-1), statesAfter.at(-1)?.get(dossier)]
    for (const flow of ['reception', 'settlement'] as const) {
      const before = partsOf(then, unit, period)[flow] ?? ZERO
      const after = partsOf(now, unit, period)[flow] ?? ZERO
      const change = Object.fromEntries(MEASURES.map(name => [name, after[name] - before[name]])) as Counts
      add('then', dossier, before, 1)
      add('now', dossier, after, 1)
      add('difference', dossier, change, 1)
      add(causeOf(flow, states, now, unit, period), dossier, change, 1)
    }
  }
  return CAUSES.map(cause => {
    const { dossiers, ...counts } = sums.get(cause) as Counts & { dossiers: Set<string> }
    return { cause, ...counts, dossiers: cause === 'then' || cause === 'now' ? null : dossiers.size }
  })
}

const restatement = (at_ms: number, unit: string, { from, to }: Period) =>
  rowsOf<Counts & { cause: Cause }>(
    clickhouse,
    `SELECT * FROM restatement(at='${text(at_ms)}', from='${from}', to='${to}', unit='${unit}')`,
  )
const asKnown = (at_ms: number, tier: string, { from, to }: Period) =>
  rowsOf<Counts>(
    clickhouse,
    `SELECT unit_code, toString(unit_valid_from) AS unit_valid_from, ${MEASURES.join(', ')}
     FROM rates_as_known(at='${text(at_ms)}', from='${from}', to='${to}', tier='${tier}') ORDER BY unit_code, unit_valid_from`,
  )

test('for any history, the rates of any past moment and the causes of the difference are the oracle’s', async () => {
  let explained = 0
  await forAny(
    { seconds: HISTORY_SECONDS, numRuns: 12, endOnFailure: true },
    [
      scenario(1, 40),
      fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6], { minLength: 2, maxLength: 2 }),
      fc.shuffledSubarray(UNITS, { minLength: 3, maxLength: 3 }),
      fc.constantFrom(...PERIODS),
    ],
    async (one, moments, units, period) => {
      const batches = await deliver(one)
      for (const at of moments) {
        const known = batches.slice(0, at + 1).flat()
        for (const tier of TIERS)
          expect(await asKnown(momentOf(at), tier, period)).toEqual(ratesBetween(known, { ...period, tier }))
        for (const unit of units) {
          const rows = await restatement(momentOf(at), unit, period)
          expect(rows).toEqual(expectedRestatement(batches, at, unit, period))
          explained += rows.slice(1, 6).filter(row => MEASURES.some(measure => row[measure] !== 0)).length
        }
      }
    },
  )
  expect(explained).toBeGreaterThan(0)
})

test('each cause by name', async () => {
  const period = { from: '2025-08-01', to: '2025-08-31' }
  const unit = '08746'
  const elsewhere = { processing_unit: '08710' }
  const of = (dossier_id: string, revision: number, change: Parameters<typeof eventJson>[0] = {}) =>
    eventOf(eventJson({ dossier_id, revision, ...change }))
  const settled = { event_type: 'SETTLED', settled_at: '2025-08-20T09:00:00+07:00' } as const
  const before = [
    of('corrected', 1),
    of('voided', 1),
    of('moved-out', 1),
    of('moved-in', 1, elsewhere),
    of('month-in', 1, { received_at: '2025-07-31T09:00:00+07:00' }),
    of('settled-late', 1),
    of('untouched', 1, settled),
  ]
  const after = [
    of('new', 1),
    of('corrected', 2, { channel: 'COUNTER' }),
    of('voided', 2, { event_type: 'VOIDED' }),
    of('moved-out', 2, elsewhere),
    of('moved-in', 2),
    of('month-in', 2),
    of('settled-late', 2, settled),
  ]
  await deliver({
    deliveries: [before, after].flatMap((events, batch) =>
      events.map((event, place) => ({ event, batch, place, partition: 0 })),
    ),
    fates: ['done', 'done'],
  })
  const rows = await restatement(momentOf(0), unit, period)
  const line = (...[received, received_online, settled, settled_on_time]: number[]) => ({
    received,
    received_online,
    settled,
    settled_early: 0,
    settled_on_time,
    settled_late: 0,
  })
  expect(rows).toEqual([
    { cause: 'then', ...line(5, 5, 1, 1), dossiers: null },
    { cause: 'late_news', ...line(1, 1, 1, 1), dossiers: 2 },
    { cause: 'voids', ...line(-1, -1, 0, 0), dossiers: 1 },
    { cause: 'corrections', ...line(0, -1, 0, 0), dossiers: 1 },
    { cause: 'moves_in', ...line(2, 2, 0, 0), dossiers: 2 },
    { cause: 'moves_out', ...line(-1, -1, 0, 0), dossiers: 1 },
    { cause: 'difference', ...line(1, 0, 1, 1), dossiers: 7 },
    { cause: 'now', ...line(6, 5, 2, 2), dossiers: null },
  ])
  await expect(restatement(momentOf(0), '99999', period)).rejects.toThrow(/unit must be the code/)
  await expect(asKnown(momentOf(0), 'village', period)).rejects.toThrow(/tier must be/)
})
