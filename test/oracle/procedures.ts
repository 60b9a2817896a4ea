/**
 * What the views on working days and on procedures must give, dossier by dossier: from the counted facts of the oracle, the
 * published holidays and a small catalogue (test/data/catalogue) read with a CSV library. No SQL, no module of pipelines/.
 */
import { readFileSync } from 'node:fs'
import { parse } from 'csv-parse/sync'
import type { DossierEvent } from '../../schemas/dossier-event/event.ts'
import { unitOnDay } from './lists.ts'
import { countedFacts, type Facts, type Tier } from './oracle.ts'

const DAY_MS = 86_400_000
const dayNumber = (iso: string) => Date.parse(`${iso}T00:00:00Z`) / DAY_MS
const isoOf = (day: number) => new Date(day * DAY_MS).toISOString().slice(0, 10)
const csv = (path: string): Record<string, string>[] =>
  parse(readFileSync(new URL(path, import.meta.url)), { columns: true })

export interface Period {
  from: string
  to: string
  tier: Tier | 'country'
}
interface UnitKey {
  unit_code: string
  unit_valid_from: string
}

const placeOf = (unit_code: string, day: number, tier: Period['tier']): UnitKey | undefined => {
  if (tier === 'country') return { unit_code: 'VN', unit_valid_from: '1970-01-01' }
  const place = unitOnDay(unit_code, isoOf(day))[tier]
  return place && { unit_code: place.code, unit_valid_from: place.valid_from }
}

/** Groups under keys of text, in their order. */
function grouped<Item, Key extends object>(
  items: Iterable<Item>,
  keyOf: (item: Item) => Key | undefined,
): { key: Key; of: Item[] }[] {
  const groups = new Map<string, { key: Key; of: Item[] }>()
  for (const item of items) {
    const key = keyOf(item)
    if (key === undefined) continue
    const text = Object.values(key).join('\u0000')
    const group = groups.get(text) ?? { key, of: [] }
    group.of.push(item)
    groups.set(text, group)
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group)
}

// --- working days -----------------------------------------------------------------------------------------------------

const kinds = new Map(
  csv('../../pipelines/reference/holidays.csv').map(({ date, kind }) => [date as string, kind as string]),
)
const covered = (day: number) => '2022' <= isoOf(day).slice(0, 4) && isoOf(day).slice(0, 4) <= '2026'
const works = (day: number) => {
  const weekday = new Date(day * DAY_MS).getUTCDay()
  const kind = kinds.get(isoOf(day))
  return kind === undefined ? weekday !== 0 && weekday !== 6 : kind === 'MAKE_UP_WORKING_DAY'
}
/** Counts day by day: the first one does not count, the last one does. */
function workingDays(from: number, to: number): number {
  let days = 0
  for (let day = from + 1; day <= to; day++) if (works(day)) days++
  return days
}

/** The nearest rank, in whole numbers. */
const quantile = (sorted: readonly number[], percent: number) =>
  sorted[Math.ceil((percent * sorted.length) / 100) - 1] ?? null

export interface Times {
  settled: number
  timed: number
  mean_days: number | null
  median_days: number | null
  p90_days: number | null
  uncovered: number
  implausible: number
}

type Settled = Facts & { settled_on: number; compared_on: number }
const settledIn = (events: Iterable<DossierEvent>, { from, to }: Period) =>
  [...countedFacts(events).values()].filter(
    (facts): facts is Settled =>
      facts.settled_on !== null && dayNumber(from) <= facts.settled_on && facts.settled_on <= dayNumber(to),
  )
const isTimed = ({ received_on, compared_on }: Settled) =>
  compared_on >= received_on && covered(received_on) && covered(compared_on)
const daysOf = ({ received_on, compared_on }: Settled) => workingDays(received_on, compared_on)

function timesOf(dossiers: readonly Settled[]): Times {
  const days = dossiers
    .filter(isTimed)
    .map(daysOf)
    .sort((a, b) => a - b)
  const implausible = dossiers.filter(({ received_on, compared_on }) => compared_on < received_on).length
  return {
    settled: dossiers.length,
    timed: days.length,
    mean_days: days.length === 0 ? null : days.reduce((sum, n) => sum + n, 0) / days.length,
    median_days: quantile(days, 50),
    p90_days: quantile(days, 90),
    uncovered: dossiers.length - days.length - implausible,
    implausible,
  }
}

/** The rows of processing_times(from=, to=, tier=). */
export const processingTimes = (events: Iterable<DossierEvent>, period: Period): (UnitKey & Times)[] =>
  grouped(settledIn(events, period), facts => placeOf(facts.unit_code, facts.settled_on, period.tier)).map(
    ({ key, of }) => ({ ...key, ...timesOf(of) }),
  )

// --- the catalogue ----------------------------------------------------------------------------------------------------

interface Version {
  code: string
  from: string
  to: string
  level: string
  tiers: string[]
  time_min: number | null
  time_max: number | null
  time_unit: string
}
const FOLDER = '../data/catalogue'
const numberOf = (text: string | undefined) => (text === '' || text === undefined ? null : Number(text))
const versions: Version[] = csv(`${FOLDER}/procedures.csv`).map(row => ({
  code: row.procedure_code as string,
  from: row.valid_from || '0000',
  to: row.valid_to || '9999',
  level: row.service_level as string,
  tiers: (row.tier as string).split('|'),
  time_min: numberOf(row.time_min),
  time_max: numberOf(row.time_max),
  time_unit: row.time_unit as string,
}))
const versionOn = (code: string, day: string) =>
  versions.find(row => row.code === code && row.from <= day && day <= row.to)
const isListed = (code: string) => versions.some(row => row.code === code)
const titles = [
  ...csv(`${FOLDER}/essential_services.csv`).map(
    (row): Record<string, string> => ({ ...row, group_code: 'ESSENTIAL_SERVICES' }),
  ),
  ...csv(`${FOLDER}/procedure_groups.csv`),
].map(row => ({
  group: row.group_code as string,
  codes: row.procedure_codes?.split('|') ?? [],
  certain: row.certain === 'yes',
}))

/** The rows of processing_times_by_procedure(from=, to=, tier=). */
export const processingTimesByProcedure = (events: Iterable<DossierEvent>, period: Period) =>
  grouped(settledIn(events, period), facts => {
    const unit = placeOf(facts.unit_code, facts.settled_on, period.tier)
    return unit && { ...unit, procedure_code: facts.procedure_code }
  }).map(({ key, of }) => {
    const now = versionOn(key.procedure_code, period.to)
    const limited = of.filter(isTimed).flatMap(facts => {
      const then = versionOn(facts.procedure_code, isoOf(facts.received_on))
      return then?.time_unit === 'WORKING_DAY' && then.time_max !== null ? [{ facts, limit: then.time_max }] : []
    })
    return {
      ...key,
      ...timesOf(of),
      time_min: now?.time_min ?? null,
      time_max: now?.time_max ?? null,
      time_unit: now?.time_unit ?? '',
      comparable: limited.length,
      over_time_max: limited.filter(({ facts, limit }) => daysOf(facts) > limit).length,
    }
  })

interface Flow {
  facts: Facts
  flow: 'received' | 'settled'
  day: number
}
const flowsIn = (events: Iterable<DossierEvent>, { from, to }: Period): Flow[] =>
  [...countedFacts(events).values()]
    .flatMap((facts): Flow[] => [
      { facts, flow: 'received', day: facts.received_on },
      ...(facts.settled_on === null ? [] : [{ facts, flow: 'settled' as const, day: facts.settled_on }]),
    ])
    .filter(({ day }) => dayNumber(from) <= day && day <= dayNumber(to))

function countsOf(flows: readonly Flow[]) {
  const received = flows.filter(({ flow }) => flow === 'received')
  const settled = flows.filter(({ flow }) => flow === 'settled').map(({ facts }) => facts as Settled)
  const online = received.filter(({ facts }) => facts.channel === 'ONLINE').length
  const early = settled.filter(({ due_on, compared_on }) => due_on !== null && compared_on < due_on).length
  const late = settled.filter(({ due_on, compared_on }) => due_on !== null && compared_on > due_on).length
  return {
    received: received.length,
    received_online: online,
    online_rate: received.length === 0 ? null : online / received.length,
    settled: settled.length,
    settled_early: early,
    settled_on_time: settled.length - early - late,
    settled_late: late,
    on_time_rate: settled.length === 0 ? null : (settled.length - late) / settled.length,
  }
}

function levelOf(code: string, flows: readonly Flow[], day: string): { level: string; level_from: string } {
  const listed = versionOn(code, day)?.level ?? ''
  if (listed !== '') return { level: listed, level_from: 'catalogue' }
  const said = flows.filter(({ flow }) => flow === 'received').map(({ facts }) => facts.service_level)
  const level = ['FULL', 'PARTIAL', 'INFORMATION'].find(one => said.includes(one)) ?? ''
  return { level, level_from: level === '' ? '' : 'events' }
}

/** The rows of rates_by_procedure(from=, to=, tier=). */
export const ratesByProcedure = (events: Iterable<DossierEvent>, period: Period) =>
  grouped(flowsIn(events, period), ({ facts, day }) => {
    const unit = placeOf(facts.unit_code, day, period.tier)
    return unit && { ...unit, procedure_code: facts.procedure_code }
  }).map(({ key, of }) => ({
    ...key,
    in_catalogue: isListed(key.procedure_code),
    ...levelOf(key.procedure_code, of, period.to),
    ...countsOf(of),
  }))

/** The rows of rates_by_procedure_group(from=, to=, tier=). */
export const ratesByGroup = (events: Iterable<DossierEvent>, period: Period) => {
  const inGroups = flowsIn(events, period).flatMap(one =>
    [...new Set(titles.map(({ group }) => group))].flatMap(group => {
      const member = titles.filter(title => title.group === group && title.codes.includes(one.facts.procedure_code))
      return member.length === 0 || one.facts.procedure_code === ''
        ? []
        : [{ ...one, group, sure: member.some(title => title.certain) }]
    }),
  )
  return grouped(inGroups, ({ facts, day, group }) => {
    const unit = placeOf(facts.unit_code, day, period.tier)
    return unit && { ...unit, group_code: group }
  }).map(({ key, of }) => ({
    ...key,
    ...countsOf(of),
    received_uncertain: of.filter(({ flow, sure }) => flow === 'received' && !sure).length,
  }))
}

/** The rows of procedure_rates(from=, to=, tier=). */
export function procedureRates(events: Iterable<DossierEvent>, period: Period) {
  const rows = ratesByProcedure(events, period).filter(row => row.procedure_code !== '' && row.received > 0)
  const listed = versions.filter(
    row =>
      row.from <= period.to &&
      period.to <= row.to &&
      row.level !== '' &&
      (period.tier === 'country' || row.tiers.includes(period.tier.toUpperCase())),
  )
  const share = (n: number, of: number) => (of === 0 ? null : n / of)
  const full = (of: readonly { level: string }[]) => of.filter(({ level }) => level === 'FULL').length
  return grouped(rows, ({ unit_code, unit_valid_from }) => ({ unit_code, unit_valid_from })).map(({ key, of }) => {
    const online = of.filter(row => row.received_online > 0).length
    const known = of.filter(row => row.level !== '')
    return {
      ...key,
      procedures: of.length,
      procedures_online: online,
      online_share: share(online, of.length),
      procedures_unknown: of.filter(row => !row.in_catalogue).length,
      procedures_level_known: known.length,
      procedures_full: full(known),
      full_share: share(full(known), known.length),
      catalogue_level_known: listed.length,
      catalogue_full: full(listed),
      catalogue_full_share: share(full(listed), listed.length),
    }
  })
}

/** The rows of busy_procedures(from=, to=, tier=, least=). */
export const busyProcedures = (events: Iterable<DossierEvent>, period: Period, least: number) =>
  ratesByProcedure(events, period)
    .filter(row => row.procedure_code !== '' && row.received >= least && row.level !== 'FULL')
    .map(
      ({ unit_code, unit_valid_from, procedure_code, level, level_from, received, received_online, online_rate }) => ({
        unit_code,
        unit_valid_from,
        procedure_code,
        level,
        level_from,
        received,
        received_online,
        online_rate,
      }),
    )
