/**
 * Every indicator of the catalogue, for any events: numerator and denominator counted dossier by dossier from what the oracle
 * says of each, by sentences written here and not read from the catalogue. One definition everywhere: the rate views show the
 * very same numbers.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { rowsOf } from '../common/clickhouse.ts'
import { readSchema } from '../pipelines/declarations.ts'
import { type Indicator, ownIndicators } from '../pipelines/indicators/catalogue.ts'
import { indicatorViews, loadIndicators } from '../pipelines/indicators/views.ts'
import { prepareDatabase } from '../pipelines/prepare.ts'
import { clickhouseConfig, eventJson, eventOf } from './events.ts'
import { scenario } from './oracle/generators.ts'
import { unitOnDay } from './oracle/lists.ts'
import { countedFacts, type Facts } from './oracle/oracle.ts'
import { ownDatabase } from './own-database.ts'
import { forAny, propertySeconds } from './property.ts'

const TIERS = ['commune', 'district', 'province', 'country'] as const
type Tier = (typeof TIERS)[number]
const DAYS = ['2024-03-01', '2025-06-30', '2025-07-01', '2025-08-04', '2026-01-01']
const SECONDS = propertySeconds(8)
const DAY_MS = 86_400_000

const database = ownDatabase('motcua_indicators')

/** A dossier seen from a period: what it is part of. */
interface View {
  facts: Facts
  received: boolean
  settled: boolean
  ended: boolean
  pending: boolean
  ended_late: boolean
  pending_late: boolean
  pending_late_766: boolean
}

function viewOf(facts: Facts, first: number, last: number): View {
  const { received_on, settled_on, compared_on, due_on, ended_on, overdue_on, waiting_on, supplement_requests } = facts
  const within = (day: number | null) => day !== null && first <= day && day <= last
  const late_on = (day: number) => overdue_on !== null && overdue_on <= day
  const waits = waiting_on !== null && waiting_on <= last
  return {
    facts,
    received: within(received_on),
    settled: within(settled_on),
    ended: within(ended_on),
    pending: received_on <= last && (ended_on === null || ended_on > last),
    ended_late:
      settled_on !== null && compared_on !== null
        ? due_on !== null && compared_on > due_on
        : ended_on !== null && late_on(ended_on),
    pending_late: late_on(last),
    pending_late_766: waits ? supplement_requests > 1 || late_on(waiting_on) : late_on(last),
  }
}

type Kind = 'received' | 'settled' | 'ended' | 'pending'
/** [kind of dossier, in the numerator, in the denominator] per indicator. */
const EXPECTED: Record<string, [Kind, (view: View) => boolean, (view: View) => boolean][]> = {
  online_submission: [['received', v => v.facts.channel === 'ONLINE', () => true]],
  online_submission_766: [['received', v => v.facts.channel === 'ONLINE' && v.facts.digital_result, () => true]],
  on_time: [['settled', v => !v.ended_late, () => true]],
  early: [
    [
      'settled',
      ({ facts: { compared_on, due_on } }) => due_on !== null && (compared_on as number) < due_on,
      () => true,
    ],
  ],
  on_time_766: [
    ['ended', v => !v.ended_late, () => true],
    ['pending', v => !v.pending_late_766, () => true],
  ],
  on_time_766_without_withdrawn: [
    [
      'ended',
      v => ['SETTLED', 'RETURNED'].includes(v.facts.ended_as) && !v.ended_late,
      v => ['SETTLED', 'RETURNED'].includes(v.facts.ended_as),
    ],
    ['pending', v => !v.pending_late_766, () => true],
  ],
  on_time_gia_lai: [
    ['ended', v => v.facts.ended_as !== 'SETTLED' || !v.ended_late, () => true],
    ['pending', v => !v.pending_late, () => true],
  ],
  full_process: [
    ['received', v => v.facts.service_level === 'FULL', v => ['FULL', 'PARTIAL'].includes(v.facts.service_level)],
  ],
  online_payment: [['received', v => v.facts.fee_due && v.facts.paid_online, v => v.facts.fee_due]],
  digital_result: [['settled', v => v.facts.digital_result, () => true]],
  digitised: [['received', v => v.facts.digitised, () => true]],
  data_reused: [['received', v => v.facts.data_reused, () => true]],
}

interface Row {
  indicator_code: string
  unit_code: string
  unit_valid_from: string
  numerator: number
  denominator: number
}

function expectedRows(counted: Iterable<Facts>, { from, to, tier }: { from: string; to: string; tier: Tier }): Row[] {
  const [first, last] = [from, to].map(day => Date.parse(`${day}T00:00:00Z`) / DAY_MS) as [number, number]
  const rows = new Map<string, Row>()
  for (const facts of counted) {
    const view = viewOf(facts, first, last)
    const dayOf: Record<Kind, number | null> = {
      received: facts.received_on,
      settled: facts.settled_on,
      ended: facts.ended_on,
      pending: last,
    }
    for (const [indicator_code, parts] of Object.entries(EXPECTED))
      for (const [kind, above, below] of parts) {
        if (!view[kind]) continue
        const day = new Date((dayOf[kind] as number) * DAY_MS).toISOString().slice(0, 10)
        const place =
          tier === 'country' ? { code: 'VN', valid_from: '1970-01-01' } : unitOnDay(facts.unit_code, day)[tier]
        if (place === undefined) continue
        const key = `${indicator_code} ${place.code} ${place.valid_from}`
        const row = rows.get(key) ?? {
          indicator_code,
          unit_code: place.code,
          unit_valid_from: place.valid_from,
          numerator: 0,
          denominator: 0,
        }
        row.numerator += above(view) ? 1 : 0
        row.denominator += below(view) ? 1 : 0
        rows.set(key, row)
      }
  }
  return [...rows]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, row]) => row)
    .filter(row => row.denominator !== 0 || row.numerator !== 0)
}

const values = (from: string, to: string, tier: Tier) =>
  rowsOf<Row & { value: number | null }>(
    database.clickhouse,
    `SELECT indicator_code, unit_code, toString(unit_valid_from) AS unit_valid_from, numerator, denominator, value
     FROM indicator_values(from='${from}', to='${to}', tier='${tier}')
     ORDER BY concat(indicator_code, ' ', unit_code, ' ', unit_valid_from)`,
  )

test('every indicator of the catalogue is expected here', () => {
  expect(Object.keys(EXPECTED).sort()).toEqual(
    ownIndicators()
      .map(one => one.code)
      .sort(),
  )
})

test(
  'for any events every indicator is what its sentence says, and the rate views show the same',
  async () => {
    const runs = await forAny(
      { seconds: SECONDS, numRuns: Math.max(20, SECONDS) },
      [scenario(60, 140), fc.constantFrom(...DAYS), fc.constantFrom(...DAYS), fc.constantFrom(...TIERS)],
      async ({ deliveries }, one, other, tier) => {
        const [from, to] = [one, other].sort() as [string, string]
        await database.empty()
        await database.deliver(deliveries)
        const got = await values(from, to, tier)
        const counted = countedFacts(deliveries.map(({ event }) => event)).values()
        // An indicator speaks of periods that end when it is valid, and 766 began in 2022: all of these do.
        expect(got.map(({ value, ...row }) => row)).toEqual(expectedRows(counted, { from, to, tier }))
        for (const { value, numerator, denominator } of got)
          expect(value).toBe(denominator === 0 ? null : numerator / denominator)
        const rates = await rowsOf<{ unit: string; online_rate: number | null; on_time_rate: number | null }>(
          database.clickhouse,
          `SELECT concat(unit_code, ' ', toString(unit_valid_from)) AS unit, online_rate, on_time_rate
           FROM rates(from='${from}', to='${to}', tier='${tier}')`,
        )
        const valueAt = new Map(
          got.map(row => [`${row.indicator_code} ${row.unit_code} ${row.unit_valid_from}`, row.value]),
        )
        for (const { unit, online_rate, on_time_rate } of rates) {
          expect(online_rate).toBe(valueAt.get(`online_submission ${unit}`) ?? null)
          expect(on_time_rate).toBe(valueAt.get(`on_time ${unit}`) ?? null)
        }
      },
    )
    expect(runs).toBeGreaterThan(2)
  },
  (SECONDS + 120) * 1_000,
)

/** Table and views as npm run migrate makes them from a catalogue. */
async function catalogueIs(catalogue?: readonly Indicator[]): Promise<void> {
  await loadIndicators(database.clickhouse, catalogue)
  for (const { text } of indicatorViews(catalogue))
    await database.clickhouse.command({ query: text.replace('CREATE VIEW', 'CREATE OR REPLACE VIEW') })
}

test('a version counts for periods that end while it is valid; the table tells them apart', async () => {
  const [first] = ownIndicators() as [Indicator]
  const next = { ...first, version: 2, valid_from: '2025-08-01', zero: 'zero' as const, numerator: first.denominator }
  await catalogueIs([{ ...first, valid_to: '2025-07-31' }, next])
  try {
    const versions = async (to: string) =>
      rowsOf<{ v: number }>(
        database.clickhouse,
        `SELECT DISTINCT indicator_version AS v FROM indicator_values(from='1990-01-01', to='${to}', tier='country')`,
      )
    expect(await versions('2025-07-31')).toEqual([{ v: 1 }])
    expect(await versions('2025-08-04')).toEqual([{ v: 2 }])
    expect(
      await rowsOf(database.clickhouse, 'SELECT indicator_code, version, numerator FROM indicators ORDER BY version'),
    ).toEqual([
      { indicator_code: 'online_submission', version: 1, numerator: 'received, channel ONLINE' },
      { indicator_code: 'online_submission', version: 2, numerator: 'received' },
    ])
  } finally {
    await catalogueIs()
  }
})

test('a rate that is defined anew takes effect by period, in every view and for the past as well', async () => {
  const catalogue = ownIndicators().flatMap(one => {
    if (one.code !== 'on_time') return [one]
    const numerator = [{ of: 'settled' as const, where: { outcome: ['early' as const] } }]
    return [
      { ...one, valid_to: '2025-06-30' },
      { ...one, version: 2, valid_from: '2025-07-01', numerator },
    ]
  })
  const { clickhouse } = database
  await database.empty()
  const settled = (month: string, due: string) =>
    eventOf(
      eventJson({
        processing_unit: '24',
        received_at: `2025-${month}-02T09:00:00+07:00`,
        due_at: `2025-${month}-${due}T09:00:00+07:00`,
        settled_at: `2025-${month}-10T09:00:00+07:00`,
      }),
    )
  // In each month one that is early and one on the very day.
  await database.ingest(['06', '08'].flatMap(month => [settled(month, '20'), settled(month, '10')]))
  const declared = readSchema('motcua_indicators', undefined, catalogue).filter(({ kind }) => kind === 'view')
  await loadIndicators(clickhouse, catalogue)
  for (const { statement } of declared)
    await clickhouse.command({ query: statement.replace(/^CREATE VIEW/m, 'CREATE OR REPLACE VIEW') })
  try {
    const rateOf = async (view: string, column = 'on_time_rate', where = '1') =>
      (await rowsOf<{ r: number }>(clickhouse, `SELECT ${column} AS r FROM ${view} WHERE ${where}`)).map(({ r }) => r)
    const [june, august, both] = [
      "'2025-06-01', to='2025-06-30'",
      "'2025-08-01', to='2025-08-31'",
      "'2025-06-01', to='2025-08-31'",
    ]
    for (const [period, rate] of [
      [june, 1],
      [august, 0.5],
      [both, 0.5],
    ] as const) {
      const words = `from=${period}, tier='country'`
      expect(await rateOf(`rates(${words})`), words).toEqual([rate])
      expect(await rateOf(`rates_by_sector(${words})`), words).toEqual([rate])
      expect(await rateOf(`rates_by_procedure(${words})`), words).toEqual([rate])
      expect(await rateOf(`rates_rebased(${words}, units='as_recorded', split='none')`), words).toEqual([rate])
      expect(await rateOf(`indicator_values(${words})`, 'value', "indicator_code = 'on_time'"), words).toEqual([rate])
    }
    expect(await rateOf("rates_by_month(tier='country')", 'on_time_rate', '1 ORDER BY month')).toEqual([1, 0.5])
    const period = (name: string) => `rates_of_period(period='${name}', until='2100-01-01', tier='country')`
    expect([await rateOf(period('2025-06')), await rateOf(period('2025-08'))]).toEqual([[1], [0.5]])
    expect(await rateOf(period('2026-06'), 'year_before_on_time_rate')).toEqual([1])
    expect(await rateOf(period('2026-08'), 'year_before_on_time_rate')).toEqual([0.5])
  } finally {
    await prepareDatabase(clickhouseConfig(), 'motcua_indicators')
  }
}, 120_000)
