/** What a new list of units changes against the one before, and which dossiers of the ledger it moves. Pure. */
import { createLists, LAST_DAY, type Lists, type Place } from './lists.ts'
import { unitsOnDays } from './on-days.ts'
import { rebase, TIERS, type Tier } from './rebase.ts'
import type { UnitLists } from './tables.ts'

export const CHANGES = ['begins', 'ends', 'removed', 'renamed', 'parent', 'validity', 'other'] as const
export type ChangeKind = (typeof CHANGES)[number]

export interface Change {
  kind: ChangeKind
  unit_code: string
  valid_from: string
  name: string
  /** What was and what is, where one value became another; empty otherwise. */
  before: string
  after: string
}

type Row = UnitLists['units'][number]
const keyOf = (row: Row) => `${row.unit_code} ${row.valid_from}`

/** Units by their key (code, valid_from); one that changes in several ways stands there several times. */
export function changesOf(before: UnitLists, after: UnitLists): Change[] {
  const was = new Map(before.units.map(row => [keyOf(row), row]))
  const is = new Map(after.units.map(row => [keyOf(row), row]))
  const change = (kind: ChangeKind, { unit_code, valid_from, name }: Row, old = '', fresh = ''): Change => ({
    kind,
    unit_code,
    valid_from,
    name,
    before: old,
    after: fresh,
  })
  const changes: Change[] = []
  for (const [key, row] of is) {
    const old = was.get(key)
    if (old === undefined) {
      changes.push(change('begins', row))
      continue
    }
    if (old.name !== row.name) changes.push(change('renamed', row, old.name, row.name))
    if (parentOf(old) !== parentOf(row)) changes.push(change('parent', row, parentOf(old), parentOf(row)))
    if (old.valid_to !== row.valid_to) {
      const ends = row.valid_to < old.valid_to && old.valid_to === LAST_DAY
      changes.push(change(ends ? 'ends' : 'validity', row, old.valid_to, row.valid_to))
    }
    if (restOf(old) !== restOf(row)) changes.push(change('other', row, restOf(old), restOf(row)))
  }
  for (const [key, row] of was) if (!is.has(key)) changes.push(change('removed', row))
  return changes.sort(
    (a, b) => CHANGES.indexOf(a.kind) - CHANGES.indexOf(b.kind) || (a.unit_code < b.unit_code ? -1 : 1),
  )
}

const parentOf = ({ province_code, district_code }: Row) => [district_code, province_code].filter(Boolean).join(', ')
const restOf = ({ level, kind, lat, lon, area_km2 }: Row) => [level, kind, lat, lon, area_km2].join(', ')

/** Pairs of predecessor and successor that only one of the lists has. */
export function changedPairs(before: UnitLists, after: UnitLists): { added: number; removed: number } {
  const keys = ({ successors }: UnitLists) =>
    new Set(successors.map(pair => `${pair.predecessor_code} ${pair.successor_code} ${pair.effective_date}`))
  const [was, is] = [keys(before), keys(after)]
  return { added: [...is].filter(key => !was.has(key)).length, removed: [...was].filter(key => !is.has(key)).length }
}

/** Dossiers of the ledger per code and the period of both lists in which they were received. */
export interface LedgerCount {
  unit_code: string
  /** First day of the period. */
  period: string
  dossiers: number
}

/** First days of all periods of either list: within one of them each list places a code in one way. */
export const periodsOfBoth = (before: UnitLists, after: UnitLists): string[] =>
  [...new Set([before, after].flatMap(lists => createLists(lists.units, lists.successors).periods))].sort()

export interface Moves {
  dossiers: number
  /** Dossiers whose code is in no row of the new list. */
  unknown: LedgerCount[]
  /** Dossiers that count in another unit as recorded, per tier. */
  moved: Record<Tier, number>
  /** The same between provinces, most dossiers first. */
  provinces: { from: Place; to: Place; dossiers: number }[]
  /** Dossiers whose place on the units of the newest period is another one. */
  rebased: Record<Tier, number>
}

export function movesOf(before: UnitLists, after: UnitLists, ledger: readonly LedgerCount[]): Moves {
  const [was, is] = [before, after].map(({ units, successors }) => placesIn(createLists(units, successors))) as [
    Places,
    Places,
  ]
  const known = new Set(after.units.map(unit => unit.unit_code))
  const moves: Moves = {
    dossiers: 0,
    unknown: ledger.filter(({ unit_code }) => !known.has(unit_code)),
    moved: { commune: 0, district: 0, province: 0 },
    provinces: [],
    rebased: { commune: 0, district: 0, province: 0 },
  }
  const between = new Map<string, Moves['provinces'][number]>()
  for (const { unit_code, period, dossiers } of ledger) {
    moves.dossiers += dossiers
    for (const tier of TIERS) {
      const [from, to] = [was.recorded(tier, unit_code, period), is.recorded(tier, unit_code, period)]
      if (keyOfPlace(from) !== keyOfPlace(to)) {
        moves.moved[tier] += dossiers
        if (tier === 'province') {
          const pair = `${keyOfPlace(from)} ${keyOfPlace(to)}`
          const sum = between.get(pair) ?? { from, to, dossiers: 0 }
          between.set(pair, { ...sum, dossiers: sum.dossiers + dossiers })
        }
      }
      if (was.newest(tier, unit_code, period) !== is.newest(tier, unit_code, period)) moves.rebased[tier] += dossiers
    }
  }
  moves.provinces = [...between.values()].sort((a, b) => b.dossiers - a.dossiers)
  return moves
}

const keyOfPlace = ({ code, valid_from }: Place) => `${code} ${valid_from}`

interface Places {
  recorded: (tier: Tier, code: string, day: string) => Place
  /** The answer of the newest period as a text, to be compared. */
  newest: (tier: Tier, code: string, day: string) => string
}

function placesIn(lists: Lists): Places {
  const onDays = Map.groupBy(unitsOnDays(lists), row => row.unit_code)
  const rebased = Map.groupBy(rebase(lists, lists.periods.slice(-1)), row => `${row.tier} ${row.unit_code}`)
  const nowhere: Place = { code: '', valid_from: '', name: '' }
  return {
    recorded: (tier, code, day) => onDays.get(code)?.findLast(row => row.from_day <= day)?.[tier] ?? nowhere,
    newest: (tier, code, day) => {
      const row = rebased.get(`${tier} ${code}`)?.findLast(candidate => candidate.from_day <= day)
      if (row === undefined) return ''
      const targets = row.targets.map(target => `${keyOfPlace(target)} ${target.share}`)
      return [row.fit, keyOfPlace(row.recorded), ...targets].join()
    },
  }
}
