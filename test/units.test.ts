/**
 * Re-basing on the real lists and the real engine: every rate on the units of another day is what a plain reading of
 * the two published files says, no dossier is lost at any tier under any policy, and a new list comes in whole or not
 * at all.
 *
 * The reading below shares no code with the pipeline. It knows only what these files hold: one reform, on 1 July 2025.
 */
import { spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { rowsOf } from '../common/clickhouse.ts'
import { prepareDatabase } from '../pipelines/prepare.ts'
import { load, readLists, reportOf, standingIn } from '../pipelines/units/bring.ts'
import { clickhouseConfig, clickhouseOfTests, eventJson, eventOf } from './events.ts'
import { ownDatabase } from './own-database.ts'

const DATABASE = 'motcua_units'
const SEED = Number(process.env.UNITS_SEED ?? randomInt(2 ** 31))
const DOSSIERS = 4_000
const REFORM = '2025-07-01'
const [OLD, NEW] = ['2024-01-01', '2026-01-01']
const PERIODS = [
  ['2023-01-01', '2026-12-31'],
  ['2025-06-15', '2025-07-15'],
] as const
const TIERS = ['commune', 'district', 'province', 'country'] as const
const SPLITS = ['none', 'area', 'first'] as const
const FLOWS = ['received', 'received_online', 'settled', 'settled_early', 'settled_on_time', 'settled_late'] as const
type Tier = (typeof TIERS)[number]
type Split = (typeof SPLITS)[number]
type Flow = (typeof FLOWS)[number]

const { clickhouse, ingest } = ownDatabase(DATABASE)
const prepareAgain = () => prepareDatabase(clickhouseConfig(), DATABASE)

// --- the plain reading -----------------------------------------------------------------------------------------------

interface Row {
  code: string
  level: string
  province: string
  district: string
  from: string
  area: number
}

const folder = new URL('../pipelines/reference/', import.meta.url)
const cells = (name: string) =>
  readFileSync(new URL(`${name}.csv`, folder), 'utf8')
    .trimEnd()
    .split('\n')
    .slice(1)
    .map(line => line.split(','))
const [before, after] = ['1970-01-01', REFORM].map(
  from =>
    new Map(
      cells('administrative_units')
        .filter(row => row[6] === from)
        .map(([code, level, , , province, district, , , , , area]) => [
          code,
          { code, level, province, district, from, area: Number(area) } as Row,
        ]),
    ),
) as [Map<string, Row>, Map<string, Row>]
const became = new Map<string, string[]>()
const madeOf = new Map<string, string[]>()
for (const [, was, is] of cells('unit_successors') as [string, string, string][]) {
  became.set(was, [...(became.get(was) ?? []), is])
  madeOf.set(is, [...(madeOf.get(is) ?? []), was])
}

const recordedAs = (code: string, day: string) =>
  (day < REFORM ? (before.get(code) ?? after.get(code)) : (after.get(code) ?? before.get(code))) as Row
const keyOf = (row: Row) => `${row.code} ${row.from}`
/** The unit of a tier in which a unit lies, within its own era. */
const within = (row: Row, tier: string, era: Map<string, Row>) =>
  row.level === tier
    ? row
    : tier === 'province'
      ? era.get(row.province)
      : tier === 'district'
        ? era.get(row.district)
        : undefined
/** A new province: that of any of its communes, or of what the old province became. */
const heirProvince = (old: Row) => after.get(became.get(old.province)?.[0] as string) as Row

/** Where a unit's dossiers count as recorded. */
function asRecorded(code: string, day: string, tier: string): Row | undefined {
  const row = recordedAs(code, day)
  const own = row.from === REFORM ? after : before
  if (tier !== 'province')
    return row.from !== REFORM && day >= REFORM && tier === 'district' ? undefined : within(row, tier, own)
  return row.from !== REFORM && day >= REFORM ? heirProvince(row) : within(row, tier, own)
}

interface Placement {
  /** Where it may lie. */
  targets: Row[]
  kind: 'certain' | 'divided' | 'unknown'
}
function placement(row: Row, tier: string, day: string): Placement {
  const era = day < REFORM ? before : after
  const own = row.from === REFORM ? after : before
  const distinct = (rows: (Row | undefined)[]) => [...new Set(rows.filter(one => one !== undefined))]
  let found: Row[]
  if (own === era) found = distinct([within(row, tier, era)])
  else if (era === after) {
    if (row.level === 'district' && tier === 'province') found = [heirProvince(row)]
    else found = distinct((became.get(row.code) ?? []).map(code => within(after.get(code) as Row, tier, after)))
  } else found = distinct((madeOf.get(row.code) ?? []).map(code => within(before.get(code) as Row, tier, before)))
  return {
    targets: found,
    kind: found.length === 1 ? 'certain' : found.length > 1 && era === after ? 'divided' : 'unknown',
  }
}

/** Units and shares of a dossier; a share of 0 marks a unit that may lack it. */
function placesOf(code: string, day: string, tier: Tier, units: string, split: Split) {
  if (tier === 'country') return { certain: true, places: [['VN 1970-01-01', 1] as const] }
  const row = recordedAs(code, day)
  const { targets, kind } = placement(row, tier, units)
  const first =
    targets.find(target => target.code === row.code) ?? targets.toSorted((a, b) => (a.code < b.code ? -1 : 1))[0]
  const all = targets.reduce((sum, target) => sum + target.area, 0)
  const share = (target: Row) =>
    kind === 'certain' || (kind === 'divided' && split === 'first' && target === first)
      ? 1
      : kind === 'divided' && split === 'area' && targets.every(one => one.area > 0)
        ? target.area / all
        : 0
  const places = targets.map(target => [keyOf(target), share(target)] as const)
  const stays = asRecorded(code, day, tier) ?? (targets.length > 0 ? row : undefined)
  const placed = places.some(([, part]) => part > 0)
  return {
    certain: kind === 'certain',
    places: placed || stays === undefined ? places : [...places, [keyOf(stays), 1] as const],
  }
}

// --- the dossiers ----------------------------------------------------------------------------------------------------

interface Dossier {
  code: string
  received: string
  settled: string
  online: boolean
  /** Days from the due day to the day of settlement. */
  late: number
  /** It was told first for another unit, and as pending. */
  corrected: string | undefined
  about: (typeof SUBJECTS)[number]
}

const codes = (level: string, of: Map<string, Row>) =>
  [...of.values()].filter(row => row.level === level).map(row => row.code)
const split = [...became].filter(([, heirs]) => heirs.length > 1).map(([code]) => code)
const code = fc.oneof(
  fc.constantFrom(
    '24',
    '27',
    '26740',
    '26737',
    '26746',
    '58',
    '56',
    '15',
    '10',
    '28437',
    '318',
    '498',
    '232',
    '11948',
    '19742',
  ),
  fc.constantFrom(...split),
  fc.constantFrom(...codes('commune', before)),
  fc.constantFrom(...codes('commune', after)),
  fc.constantFrom(...codes('district', before)),
  fc.constantFrom(...codes('province', before), ...codes('province', after)),
)
const day = fc.oneof(
  fc.constantFrom('2025-06-30', '2025-07-01', '2023-03-15'),
  fc.integer({ min: 0, max: 1_350 }).map(days => shift('2023-01-01', days)),
)
const shift = (from: string, days: number) => new Date(Date.parse(from) + days * 86_400_000).toISOString().slice(0, 10)
/** What a dossier is about: the catalogue's sector of its procedure goes before the one of the event. */
const SUBJECTS = [
  { procedure_code: '1.000656', event_sector: '', sector_code: 'CIVIL_STATUS', essential: true },
  { procedure_code: '1.000889', event_sector: 'LAND', sector_code: 'IDENTITY_CARD', essential: true },
  { procedure_code: '', event_sector: 'LAND', sector_code: 'LAND', essential: false },
  { procedure_code: '9.999999', event_sector: '', sector_code: '', essential: false },
] as const
const dossier: fc.Arbitrary<Dossier> = fc
  .record({
    code,
    received: day,
    days: fc.integer({ min: 0, max: 30 }),
    online: fc.boolean(),
    late: fc.integer({ min: -2, max: 2 }),
    corrected: fc.option(code, { nil: undefined, freq: 4 }),
    about: fc.constantFrom(...SUBJECTS),
  })
  .map(({ days, ...facts }) => ({ ...facts, settled: shift(facts.received, days) }))

const dossiers = [
  ...fc.sample(dossier, { seed: SEED, numRuns: DOSSIERS }),
  ...Array.from({ length: 300 }, (_, at): Dossier => {
    const inNinhThuan = codes('commune', before).filter(one => before.get(one)?.province === '58')
    const received = shift('2023-01-01', at % 180)
    return {
      code: inNinhThuan[at % inNinhThuan.length] as string,
      received,
      settled: received,
      online: at % 5 > 0,
      late: 0,
      corrected: undefined,
      about: SUBJECTS[0],
    }
  }),
]

const FAR = '2099-01-01'
const noon = (on: string) => `${on}T12:00:00+07:00`
function eventsOf({ code: unit, received, settled, online, late, corrected, about }: Dossier, at: number) {
  const dossier_id = `U-${at}`
  const told = {
    dossier_id,
    processing_unit: unit,
    received_at: noon(received),
    channel: online ? 'ONLINE' : 'COUNTER',
    ...(about.procedure_code !== '' && { procedure_code: about.procedure_code }),
    ...(about.event_sector !== '' && { sector_code: about.event_sector }),
  } as const
  const now = eventJson({
    ...told,
    revision: 2,
    event_type: 'SETTLED',
    settled_at: noon(settled),
    due_at: noon(shift(settled, -late) < received ? received : shift(settled, -late)),
  })
  const first = eventJson({
    ...told,
    due_at: noon(FAR),
    ...(corrected !== undefined && { processing_unit: corrected }),
  })
  return corrected === undefined ? [now] : [first, now]
}

/** What a dossier adds to each flow, by the day that decides. */
function flowsOf({ received, settled, online, late }: Dossier): [string, Partial<Record<Flow, number>>][] {
  const due = shift(settled, -late) < received ? received : shift(settled, -late)
  const outcome = settled < due ? 'settled_early' : settled > due ? 'settled_late' : 'settled_on_time'
  return [
    [received, { received: 1, received_online: online ? 1 : 0 }],
    [settled, { settled: 1, [outcome]: 1 }],
  ]
}

type Figures = Record<Flow, number> & { comparable: boolean }
const ZERO = (): Figures => ({
  received: 0,
  received_online: 0,
  settled: 0,
  settled_early: 0,
  settled_on_time: 0,
  settled_late: 0,
  comparable: true,
})

function expected(
  from: string,
  to: string,
  tier: Tier,
  units: string,
  policy: Split,
  of: readonly Dossier[] = dossiers,
): Map<string, Figures> {
  const rows = new Map<string, Figures>()
  for (const one of of)
    for (const [on, flows] of flowsOf(one)) {
      if (on < from || on > to) continue
      const { certain, places } = placesOf(one.code, on, tier, units, policy)
      for (const [key, share] of places) {
        const row = rows.get(key) ?? ZERO()
        for (const [flow, count] of Object.entries(flows)) row[flow as Flow] += count * share
        row.comparable &&= certain
        rows.set(key, row)
      }
    }
  return new Map([...rows].filter(([, row]) => FLOWS.some(flow => row[flow] > 1e-12)))
}

type Answer = Record<Flow, number> & {
  unit_code: string
  unit_valid_from: string
  unit_name: string
  comparable: boolean
  online_rate: number | null
  sources: string[]
}
const rebased = (from: string, to: string, tier: string, units: string, policy: string, database = clickhouse) =>
  rowsOf<Answer>(
    database,
    `SELECT * FROM rates_rebased(from='${from}', to='${to}', tier='${tier}', units='${units}', split='${policy}')`,
  )
/** Exact sums as text: decimals must not pass through floating point. */
const sums = async (view: string) => {
  const rows = await rowsOf<Record<Flow, string>>(
    clickhouse,
    `SELECT ${FLOWS.map(flow => `toString(sum(${flow})) AS ${flow}`).join(', ')} FROM ${view}`,
  )
  return rows[0] as Record<Flow, string>
}

beforeAll(() => ingest(dossiers.flatMap(eventsOf).map(eventOf)))

/** Policies differ at communes on new units only; that they lose nothing elsewhere is the next test's business. */
const CASES: [Tier, Split, string][] = [
  ...SPLITS.map((policy): [Tier, Split, string] => ['commune', policy, NEW]),
  ['commune', 'first', OLD],
  ['district', 'none', NEW],
  ['district', 'area', OLD],
  ['province', 'first', NEW],
  ['province', 'area', OLD],
  ['country', 'none', NEW],
]

function expectRows(rows: readonly Answer[], wanted: ReadonlyMap<string, Figures>): void {
  const found = new Map(rows.map(row => [`${row.unit_code} ${row.unit_valid_from}`, row]))
  expect([...found.keys()].sort()).toEqual([...wanted.keys()].sort())
  for (const [key, row] of wanted) {
    for (const flow of FLOWS) expect(found.get(key)?.[flow], `${key}, ${flow}`).toBeCloseTo(row[flow], 5)
    expect([key, found.get(key)?.comparable]).toEqual([key, row.comparable])
  }
}

test.each(CASES)(
  `%s, split %s, on the units of %s: every row as the lists say (seed ${SEED})`,
  async (tier, policy, units) => {
    for (const [from, to] of PERIODS)
      expectRows(await rebased(from, to, tier, units, policy), expected(from, to, tier, units, policy))
  },
)

test.each([
  ['commune', 'area', NEW],
  ['commune', 'first', OLD],
  ['district', 'none', NEW],
  ['province', 'none', NEW],
  ['country', 'none', OLD],
] as const)('%s, split %s, on the units of %s: also by sector, procedure and group', async (tier, policy, units) => {
  const [from, to] = PERIODS[0]
  const words = `from='${from}', to='${to}', tier='${tier}', units='${units}', split='${policy}'`
  const by = async (view: string, column: string) =>
    Map.groupBy(
      await rowsOf<Answer & Record<string, string>>(clickhouse, `SELECT * FROM ${view}(${words})`),
      row => row[column],
    )
  const [sectors, procedures, groups] = await Promise.all([
    by('rates_by_sector_rebased', 'sector_code'),
    by('rates_by_procedure_rebased', 'procedure_code'),
    by('rates_by_procedure_group_rebased', 'group_code'),
  ])
  const about = (is: (subject: (typeof SUBJECTS)[number]) => boolean) =>
    expected(
      from,
      to,
      tier,
      units,
      policy,
      dossiers.filter(one => is(one.about)),
    )
  expect([...sectors.keys()].sort()).toEqual(['', 'CIVIL_STATUS', 'IDENTITY_CARD', 'LAND'])
  for (const [code, rows] of sectors)
    expectRows(
      rows,
      about(({ sector_code }) => sector_code === code),
    )
  expect([...procedures.keys()].sort()).toEqual(['', '1.000656', '1.000889', '9.999999'])
  for (const [code, rows] of procedures)
    expectRows(
      rows,
      about(({ procedure_code }) => procedure_code === code),
    )
  expect([...groups.keys()]).toEqual(['ESSENTIAL_SERVICES'])
  for (const rows of groups.values())
    expectRows(
      rows,
      about(({ essential }) => essential),
    )
})

test('every re-based view gives as recorded what its plain form gives', async () => {
  const rowsAsRecorded = async (view: string, words: string, key: string, counts: readonly string[], more: string) => {
    const ask = (name: string, also: string, certain: string) =>
      rowsOf(
        clickhouse,
        `SELECT unit_code, unit_valid_from, unit_name, ${key} AS of, ${counts.map(count => `toFloat64(${count}) AS n_${count}`).join(', ')}, ${more}, ${certain} AS certain
         FROM ${name}(${words}${also}) ORDER BY ALL`,
      )
    const rows = await ask(`${view}_rebased`, ", units='as_recorded', split='none'", 'comparable')
    expect(rows.length, view).toBeGreaterThan(0)
    expect(rows, view).toEqual(await ask(view, '', 'true'))
  }
  for (const tier of ['commune', 'country']) {
    const period = `from='2025-06-15', to='2025-07-15', tier='${tier}'`
    const named = `period='2025-Q3', until='2025-08-20', tier='${tier}'`
    const rates = 'online_rate, on_time_rate, sources'
    await rowsAsRecorded('rates', period, "''", FLOWS, rates)
    await rowsAsRecorded('rates_by_sector', period, 'sector_code', FLOWS, `${rates}, sector_name`)
    await rowsAsRecorded(
      'rates_by_procedure',
      period,
      'procedure_code',
      FLOWS,
      `${rates}, procedure_name, in_catalogue`,
    )
    await rowsAsRecorded('rates_by_procedure_group', period, 'group_code', [...FLOWS, 'received_uncertain'], rates)
    await rowsAsRecorded('indicator_values', period, 'indicator_code', ['numerator', 'denominator'], 'value')
    const before = FLOWS.map(flow => `year_before_${flow}`)
    const changes = 'received_growth, online_rate_change, on_time_rate_change'
    await rowsAsRecorded('rates_of_period', named, 'first_day', [...FLOWS, ...before], `${rates}, ${changes}`)
  }
}, 60_000)

test('a quarter after the reform beside the one before it, on the units of today', async () => {
  for (const [tier, policy] of [
    ['commune', 'area'],
    ['province', 'none'],
  ] as const) {
    const rows = await rowsOf<Answer & Record<string, number>>(
      clickhouse,
      `SELECT * FROM rates_of_period_rebased(period='2025-Q3', until='2100-01-01', tier='${tier}', units='${NEW}', split='${policy}')`,
    )
    const now = expected('2025-07-01', '2025-09-30', tier, NEW, policy)
    const then = expected('2024-07-01', '2024-09-30', tier, NEW, policy)
    expect(rows.length).toBe(new Set([...now.keys(), ...then.keys()]).size)
    for (const row of rows) {
      const key = `${row.unit_code} ${row.unit_valid_from}`
      const [own, old] = [now.get(key) ?? ZERO(), then.get(key) ?? ZERO()]
      for (const flow of FLOWS) expect(row[flow], `${key}, ${flow}`).toBeCloseTo(own[flow], 5)
      for (const flow of FLOWS) expect(row[`year_before_${flow}`], `${key}, ${flow}`).toBeCloseTo(old[flow], 5)
      if (old.received === 0) expect(row.received_growth).toBeNull()
      else expect(row.received_growth).toBeCloseTo(own.received / old.received - 1, 5)
    }
  }
})

test('indicators on the units of today are made of the same dossiers', async () => {
  const [from, to] = PERIODS[0]
  for (const [tier, policy] of [
    ['commune', 'area'],
    ['province', 'first'],
  ] as const) {
    const values = await rowsOf<Record<string, unknown>>(
      clickhouse,
      `SELECT indicator_code, unit_code, unit_valid_from, toFloat64(numerator) AS n, toFloat64(denominator) AS d, comparable
       FROM indicator_values_rebased(from='${from}', to='${to}', tier='${tier}', units='${NEW}', split='${policy}')
       WHERE indicator_code = 'online_submission'`,
    )
    // Of the units with a row of their own: the others have settlements only, or none of either.
    const wanted = [...expected(from, to, tier, NEW, policy)].filter(([, row]) => row.received > 1e-12)
    const found = new Map(values.map(row => [`${row.unit_code} ${row.unit_valid_from}`, row]))
    expect([...found.keys()].sort()).toEqual(wanted.map(([key]) => key).sort())
    for (const [key, row] of wanted) {
      expect(found.get(key)?.n, key).toBeCloseTo(row.received_online, 5)
      expect(found.get(key)?.d, key).toBeCloseTo(row.received, 5)
    }
  }
})

test.each(TIERS)(
  '%s: not a dossier more or less, in any flow, under any policy, on the units of any day',
  async tier => {
    const [from, to] = PERIODS[0]
    const period = `from='${from}', to='${to}', tier='${tier}'`
    const was = await sums(`rates(${period})`)
    for (const units of [OLD, NEW]) {
      // Who has no unit of the tier on the own day and may have one on the other day is all that comes in anew.
      const gained = ZERO()
      if (tier !== 'country')
        for (const one of dossiers)
          for (const [on, flows] of flowsOf(one))
            if (on >= from && on <= to && asRecorded(one.code, on, tier) === undefined)
              if (placement(recordedAs(one.code, on), tier, units).targets.length > 0)
                for (const [flow, count] of Object.entries(flows)) gained[flow as Flow] += count
      if (tier === 'country' || tier === 'province') expect(gained).toEqual(ZERO())
      for (const policy of SPLITS) {
        const now = await sums(`rates_rebased(${period}, units='${units}', split='${policy}')`)
        for (const flow of FLOWS)
          expect(now[flow], `${flow}, ${policy}, ${units}`).toBe(String(Number(was[flow]) + gained[flow]))
      }
    }
  },
)

test('every province of today has exactly what its predecessors had, in every flow and under every policy', async () => {
  const [from, to] = ['2023-01-01', '2025-06-30']
  const was = await rowsOf<Answer>(clickhouse, `SELECT * FROM rates(from='${from}', to='${to}', tier='province')`)
  for (const policy of SPLITS) {
    const now = await rebased(from, to, 'province', NEW, policy)
    expect(now.length).toBe(34)
    for (const row of now) {
      expect(row.comparable).toBe(true)
      const parts = was.filter(old => heirProvince(recordedAs(old.unit_code, OLD)).code === row.unit_code)
      for (const flow of FLOWS) expect(row[flow], flow).toBe(parts.reduce((sum, old) => sum + old[flow], 0))
    }
  }
})

test("Ninh Thuận's first half of 2023 appears under Khánh Hòa on the units of today", async () => {
  const [from, to] = ['2023-01-01', '2023-06-30']
  const old = await rowsOf<Answer>(clickhouse, `SELECT * FROM rates(from='${from}', to='${to}', tier='province')`)
  const part = (code: string) => old.find(row => row.unit_code === code) as Answer
  const rows = await rebased(from, to, 'province', NEW, 'none')
  expect(rows.find(row => row.unit_code === '58')).toBeUndefined()
  expect(part('58').received).toBeGreaterThanOrEqual(300)
  expect(rows.find(row => row.unit_code === '56')).toMatchObject({
    unit_valid_from: REFORM,
    unit_name: 'Tỉnh Khánh Hòa',
    received: part('58').received + part('56').received,
    received_online: part('58').received_online + part('56').received_online,
    comparable: true,
    sources: ['test'],
  })
})

test('one code, two places: 24 and 26740', async () => {
  const one = async (tier: string, unit: string, from: string, to: string, units: string) =>
    (await rebased(from, to, tier, units, 'none'))
      .filter(row => row.unit_code === unit)
      .map(row => `${row.unit_valid_from} ${row.unit_name} ${row.received}`)
  const count = (from: string, to: string, ...wanted: string[]) =>
    dossiers.filter(({ code: is, received }) => received >= from && received <= to && wanted.includes(is)).length
  const lies = (province: string) => (is: Dossier) =>
    is.received < REFORM && (asRecorded(is.code, is.received, 'province') as Row).code === province
  const [bacGiang, bacNinh] = ['24', '27'].map(province => dossiers.filter(lies(province)).length) as [number, number]
  expect(await one('province', '24', '2023-01-01', '2025-06-30', OLD)).toEqual([
    `1970-01-01 Tỉnh Bắc Giang ${bacGiang}`,
  ])
  expect(await one('province', '24', '2023-01-01', '2025-06-30', NEW)).toEqual([
    `${REFORM} Tỉnh Bắc Ninh ${bacGiang + bacNinh}`,
  ])
  const old = count('2023-01-01', '2025-06-30', '26740')
  expect(await one('commune', '26740', '2023-01-01', '2025-06-30', OLD)).toEqual([`1970-01-01 Phường Bến Nghé ${old}`])
  const merged = dossiers.filter(
    ({ code: is, received }) =>
      received < REFORM && (is === '26740' || (before.has(is) && became.get(is)?.join() === '26740')),
  ).length
  expect(await one('commune', '26740', '2023-01-01', '2025-06-30', NEW)).toEqual([`${REFORM} Phường Sài Gòn ${merged}`])
  // What Sài Gòn received itself was in one of several wards of old: it stays, beside Bến Nghé, and neither is
  // comparable.
  const own = count(REFORM, '2026-12-31', '26740')
  expect(await one('commune', '26740', REFORM, '2026-12-31', OLD)).toEqual([`${REFORM} Phường Sài Gòn ${own}`])
})

test('flows_rebased gives the same by day', async () => {
  const [from, to] = PERIODS[1]
  const view = (name: string, more: string) =>
    rowsOf<object>(
      clickhouse,
      `SELECT ${more}, toString(sum(received)) AS n_received, toString(sum(received_online)) AS n_online, toString(sum(settled)) AS n_settled,
         toString(sum(settled_early)) AS n_early, toString(sum(settled_late)) AS n_late, toBool(min(comparable)) AS certain
       FROM ${name} GROUP BY code, valid_from HAVING sum(received) != 0 OR sum(settled) != 0 ORDER BY code, valid_from`,
    )
  const words = `tier='commune', units='${NEW}', split='area'`
  const days = await view(
    `(SELECT * FROM flows_rebased(${words}) WHERE day BETWEEN '${from}' AND '${to}')`,
    'at_code AS code, at_valid_from AS valid_from',
  )
  expect(days.length).toBeGreaterThan(100)
  expect(days).toEqual(
    await view(
      `rates_rebased(from='${from}', to='${to}', ${words})`,
      'unit_code AS code, unit_valid_from AS valid_from',
    ),
  )
})

test.each([
  ['tier', "tier='ward', units='2026-01-01', split='none'", /tier must be commune, district, province or country/],
  ['split', "tier='commune', units='2026-01-01', split='population'", /split must be none .*, area .* or first/],
  [
    'units',
    "tier='commune', units='2026-02-30', split='none'",
    /units must be as_recorded, or a day from 1970-01-01 to 2149-06-06/,
  ],
  ['units', "tier='country', units='today', split='none'", /units must be as_recorded, or a day/],
])('a %s that does not exist is refused with what is allowed', async (_, words, message) => {
  const period = "from='2025-01-01', to='2025-12-31'"
  const views = ['rates', 'rates_by_sector', 'rates_by_procedure', 'rates_by_procedure_group', 'indicator_values']
  for (const view of [
    ...views.map(name => `${name}_rebased(${period}, ${words})`),
    `rates_of_period_rebased(period='2025', until='2100-01-01', ${words})`,
    `flows_rebased(${words})`,
  ])
    await expect(rowsOf(clickhouse, `SELECT * FROM ${view}`)).rejects.toThrow(message)
})

test('the analyst reads the agencies with their units, and rates with them', async () => {
  const analyst = clickhouseOfTests('analyst', DATABASE)
  expect(
    await rowsOf(
      analyst,
      "SELECT unit_code, unit_valid_from, unit_name, province_name FROM agencies WHERE agency_code = 'H01.101'",
    ),
  ).toEqual([
    { unit_code: '30307', unit_valid_from: REFORM, unit_name: 'Phường Long Xuyên', province_name: 'Tỉnh An Giang' },
  ])
})

// --- a new list ------------------------------------------------------------------------------------------------------

const home = mkdtempSync(join(tmpdir(), 'motcua-units-'))
afterAll(() => rmSync(home, { recursive: true, force: true }))

/** A folder with the two lists, the one of units changed. */
function listIn(name: string, change: (text: string) => string): string {
  const path = join(home, name)
  mkdirSync(path, { recursive: true })
  copyFileSync(new URL('unit_successors.csv', folder), join(path, 'unit_successors.csv'))
  const text = readFileSync(new URL('administrative_units.csv', folder), 'utf8')
  const changed = change(text)
  expect(changed).not.toBe(text)
  writeFileSync(join(path, 'administrative_units.csv'), changed)
  return path
}
const KHANH_HOA = `56,province,Tỉnh,Tỉnh Khánh Hòa,56,,${REFORM},2149-06-06`
/** Khánh Hòa becomes a city on 1 January 2027, under its code. */
const city = (text: string) =>
  text.replace(
    new RegExp(`${KHANH_HOA}(.*)`),
    `56,province,Tỉnh,Tỉnh Khánh Hòa,56,,${REFORM},2026-12-31$1\n56,province,Thành phố,Thành phố Khánh Hòa,56,,2027-01-01,2149-06-06$1`,
  )
const NO_REPORT = { compared_with: '', changes: [], pairs: { added: 0, removed: 0 }, moves: undefined }
const names = () =>
  rowsOf<{ name: string }>(
    clickhouse,
    "SELECT name FROM administrative_units WHERE unit_code = '56' ORDER BY valid_from",
  ).then(rows => rows.map(row => row.name))

test('a list with an error is refused whole, naming row, field and what is allowed', async () => {
  const standing = await standingIn(clickhouse)
  const broken = readLists(
    listIn('overlap', text => text.replace(KHANH_HOA, KHANH_HOA.replace(REFORM, '2025-06-30'))),
    standing,
  )
  expect(broken.problems.filter(problem => problem.severity === 'error')).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        file: 'administrative_units.csv',
        field: 'valid_from',
        value: '2025-06-30',
        allowed: expect.stringMatching(/^a day outside the other row of 56, 1970-01-01 to 2025-06-30 \(line \d+\)$/),
      }),
    ]),
  )
  await expect(load(clickhouse, broken, NO_REPORT)).rejects.toThrow(
    /valid_from is "2025-06-30"; allowed: a day outside/,
  )
  expect(await names()).toEqual(['Tỉnh Khánh Hòa', 'Tỉnh Khánh Hòa'])
})

test('a list without a code that dossiers carry is refused', async () => {
  const standing = await standingIn(clickhouse)
  const path = listIn('gone', text => text.replace(/\n498,.*/, '').replace(/\n20333,.*/, ''))
  writeFileSync(
    join(path, 'unit_successors.csv'),
    readFileSync(new URL('unit_successors.csv', folder), 'utf8').replace(/\ndistrict,498,.*/, ''),
  )
  const fresh = readLists(path, standing)
  expect(fresh.problems.filter(problem => problem.severity === 'error')).toEqual([])
  const report = await reportOf(fresh.lists, standing, clickhouse)
  await expect(load(clickhouse, fresh, report)).rejects.toThrow(/unit_code is "498"; allowed: a list that has it/)
})

test('a new list says what it changes, comes in, stays over a later start, and goes again', async () => {
  const standing = await standingIn(clickhouse)
  const fresh = readLists(listIn('city', city), standing)
  const report = await reportOf(fresh.lists, standing, clickhouse)
  expect(report.changes.map(({ kind, unit_code, valid_from }) => `${kind} ${unit_code} ${valid_from}`)).toEqual([
    'begins 56 2027-01-01',
    `ends 56 ${REFORM}`,
  ])
  const inKhanhHoa = dossiers.filter(one => heirProvince(recordedAs(one.code, one.received)).code === '56')
  expect(report.moves).toMatchObject({ dossiers: dossiers.length, unknown: [], moved: { province: 0 } })
  expect(report.moves?.rebased.province).toBe(inKhanhHoa.length)
  expect(await names()).toEqual(['Tỉnh Khánh Hòa', 'Tỉnh Khánh Hòa'])

  await load(clickhouse, fresh, report)
  expect(await prepareAgain()).toEqual({ schema: [], loaded: [] })
  expect(await names()).toEqual(['Tỉnh Khánh Hòa', 'Tỉnh Khánh Hòa', 'Thành phố Khánh Hòa'])
  const [row] = (await rebased('2023-01-01', '2026-12-31', 'province', '2027-06-01', 'none')).filter(
    one => one.unit_code === '56',
  )
  expect(row).toMatchObject({
    unit_name: 'Thành phố Khánh Hòa',
    unit_valid_from: '2027-01-01',
    received: inKhanhHoa.length,
    comparable: true,
  })

  await load(clickhouse, readLists(fileURLToPath(folder), standing), NO_REPORT)
  expect(await names()).toEqual(['Tỉnh Khánh Hòa', 'Tỉnh Khánh Hòa'])
  expect(await prepareAgain()).toEqual({ schema: [], loaded: [] })
})

test('npm run units -- check and load --dry-run', () => {
  const command = fileURLToPath(new URL('../pipelines/units/main.ts', import.meta.url))
  const run = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...args], {
      encoding: 'utf8',
      env: { ...process.env, CLICKHOUSE_URL: inject('clickhouseUrl') },
    })
    return { status, text: `${stdout}${stderr}` }
  }
  expect(run('load', listIn('city', city), '--dry-run')).toMatchObject({
    status: 0,
    text: expect.stringMatching(
      /0 errors[\s\S]+units that begin: 1\n {4}56 from 2027-01-01 Thành phố Khánh Hòa[\s\S]+dossiers of the ledger[\s\S]+--dry-run/,
    ),
  })
  expect(run('check', join(home, 'overlap'))).toMatchObject({
    status: 1,
    text: expect.stringMatching(
      /administrative_units.csv, line \d+: valid_from is "2025-06-30"; allowed: a day outside/,
    ),
  })
})
