/**
 * What is wrong with a list of units and a list of their successors, taken as a whole: every problem with file, line,
 * field, value and what is allowed. Pure. A list without errors gives every unit one meaning on every day.
 */
import type { Problem } from '../problems.ts'
import type { Lined, RowOf } from '../reference.ts'
import { dayAfter, LAST_DAY, type Level } from './lists.ts'

type UnitRow = Lined<RowOf<'administrative_units'>>
type PairRow = Lined<RowOf<'unit_successors'>>

const UNITS_FILE = 'administrative_units.csv'
const PAIRS_FILE = 'unit_successors.csv'
const DIGITS: Record<Level, number> = { province: 2, district: 3, commune: 5 }
/** What a unit of a level may become. */
const BECOMES: Record<Level, readonly Level[]> = {
  province: ['province'],
  district: ['district', 'commune'],
  commune: ['commune'],
}

export function checkUnits(units: readonly UnitRow[], pairs: readonly PairRow[]): Problem[] {
  const rows = Map.groupBy(
    [...units].sort((a, b) => (a.valid_from < b.valid_from ? -1 : 1)),
    unit => unit.unit_code,
  )
  return [
    ...units.flatMap(unit => problemsOfUnit(unit, rows)),
    ...[...rows.values()].flatMap(problemsOfCode),
    ...problemsOfPairs(pairs, rows),
    ...circles(pairs, rows),
    ...missingHeirs(units, pairs, rows),
  ].sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1))
}

type Rows = ReadonlyMap<string, readonly UnitRow[]>

const unitProblem = (unit: UnitRow, field: keyof RowOf<'administrative_units'>, allowed: string): Problem => ({
  severity: 'error',
  file: UNITS_FILE,
  line: unit.line,
  field,
  value: String(unit[field] ?? ''),
  allowed,
})

function problemsOfUnit(unit: UnitRow, rows: Rows): Problem[] {
  const { level, unit_code, province_code, district_code, valid_from, valid_to } = unit
  const problems: Problem[] = []
  const wrong = (...[field, allowed]: [keyof RowOf<'administrative_units'>, string]) =>
    problems.push(unitProblem(unit, field, allowed))

  if (!new RegExp(`^\\d{${DIGITS[level]}}$`).test(unit_code))
    wrong('unit_code', `${DIGITS[level]} digits for a ${level}`)
  if (valid_to < valid_from) wrong('valid_to', `a day not before valid_from ${valid_from}`)
  if (level === 'province' && province_code !== unit_code) wrong('province_code', `its own code ${unit_code}`)
  if (level !== 'province' && !holdsThroughout(rows.get(province_code), 'province', unit))
    wrong('province_code', `a province that is valid from ${valid_from} to ${valid_to}`)
  if (level === 'province' && district_code !== '') wrong('district_code', 'nothing: a province lies in no district')
  if (level === 'district' && district_code !== unit_code) wrong('district_code', `its own code ${unit_code}`)
  if (level === 'commune' && district_code !== '' && !holdsThroughout(rows.get(district_code), 'district', unit))
    wrong('district_code', `nothing, or a district that is valid from ${valid_from} to ${valid_to}`)
  return problems
}

/** Whether rows of a level hold on every day of the unit's validity, one after the other. */
function holdsThroughout(parents: readonly UnitRow[] | undefined, level: Level, unit: UnitRow): boolean {
  let from = unit.valid_from
  for (const parent of parents ?? []) {
    if (parent.level !== level || parent.valid_from > from || parent.valid_to < from) continue
    if (parent.valid_to >= unit.valid_to) return true
    from = dayAfter(parent.valid_to)
  }
  return false
}

/** Rows of one code in the order of their days must not overlap. */
function problemsOfCode(of: readonly UnitRow[]): Problem[] {
  return of.flatMap((row, at) => {
    const before = of[at - 1]
    if (before === undefined || before.valid_to < row.valid_from) return []
    const until = `${before.valid_from} to ${before.valid_to} (line ${before.line})`
    return [unitProblem(row, 'valid_from', `a day outside the other row of ${row.unit_code}, ${until}`)]
  })
}

function problemsOfPairs(pairs: readonly PairRow[], rows: Rows): Problem[] {
  const keyOf = ({ level, predecessor_code, effective_date }: PairRow) =>
    `${level} ${predecessor_code} ${effective_date}`
  const siblings = Map.groupBy(pairs, keyOf)
  return pairs.flatMap(pair => {
    const problems: Problem[] = []
    const wrong = (field: keyof RowOf<'unit_successors'>, allowed: string) =>
      problems.push(pairProblem(pair, field, allowed))
    const { level, predecessor_code, successor_code, effective_date, successor_count } = pair
    const of = siblings.get(keyOf(pair)) ?? []
    const ended = rows.get(predecessor_code)?.filter(row => row.level === level)
    const begun = rows.get(successor_code)?.filter(row => BECOMES[level].includes(row.level))

    if (of.find(other => other.successor_code === successor_code) !== pair) wrong('successor_code', 'each pair once')
    if (ended === undefined || ended.length === 0) wrong('predecessor_code', `a ${level} of administrative_units.csv`)
    else if (!ended.some(row => row.valid_to < LAST_DAY && dayAfter(row.valid_to) === effective_date))
      wrong(
        'effective_date',
        `the day after ${predecessor_code} has ended (its rows end on ${ended.map(row => row.valid_to).join(', ')})`,
      )
    if (begun === undefined || begun.length === 0)
      wrong('successor_code', `a ${BECOMES[level].join(' or ')} of administrative_units.csv`)
    else if (!begun.some(row => row.valid_from === effective_date))
      wrong(
        'successor_code',
        `a unit that begins on ${effective_date} (${successor_code} begins on ${begun.map(row => row.valid_from).join(', ')})`,
      )
    if (successor_count !== of.length) wrong('successor_count', `${of.length}, the number of its successors`)
    return problems
  })
}

const textOfPair = ({ predecessor_code, successor_code, effective_date }: PairRow) =>
  `${predecessor_code} → ${successor_code} on ${effective_date}`

const pairProblem = (pair: PairRow, field: keyof RowOf<'unit_successors'>, allowed: string): Problem => ({
  severity: 'error',
  file: PAIRS_FILE,
  line: pair.line,
  field,
  value: pair.line === 0 ? `${pair[field]} (${textOfPair(pair)})` : String(pair[field]),
  allowed,
})

/**
 * Successors that lead back to where they began. Two codes that change places are none: their rows are different units.
 */
function circles(pairs: readonly PairRow[], rows: Rows): Problem[] {
  const rowOn = (code: string, day: string) => {
    const of = rows.get(code) ?? []
    return (
      of.find(row => row.valid_from <= day && day <= row.valid_to) ?? of.findLast(row => row.valid_from <= day) ?? of[0]
    )
  }
  const edges = new Map<UnitRow, { pair: PairRow; to: UnitRow }[]>()
  for (const pair of pairs) {
    const of = rows.get(pair.predecessor_code) ?? []
    const from = of.findLast(row => row.valid_to < pair.effective_date) ?? of[0]
    const to = rowOn(pair.successor_code, pair.effective_date)
    if (from !== undefined && to !== undefined) edges.set(from, [...(edges.get(from) ?? []), { pair, to }])
  }
  const problems: Problem[] = []
  const done = new Set<UnitRow>()
  function visit(row: UnitRow, path: readonly UnitRow[]) {
    if (done.has(row)) return
    for (const { pair, to } of edges.get(row) ?? []) {
      const back = [...path, row].indexOf(to)
      if (back === -1) visit(to, [...path, row])
      else {
        const circle = [...[...path, row].slice(back), to].map(unit => unit.unit_code).join(' → ')
        problems.push(
          pairProblem(pair, 'successor_code', `a unit that does not lead back to its predecessor: ${circle}`),
        )
      }
    }
    done.add(row)
  }
  for (const row of edges.keys()) visit(row, [])
  return problems
}

/**
 * What re-basing will not know: an ended unit without heirs stays where it is recorded, and a divided one whose heirs'
 * areas are not known is not shared out. A district may end without heirs: its province is followed.
 */
function missingHeirs(units: readonly UnitRow[], pairs: readonly PairRow[], rows: Rows): Problem[] {
  const heirs = Map.groupBy(pairs, pair => `${pair.level} ${pair.predecessor_code} ${pair.effective_date}`)
  const warning = (problem: Problem): Problem => ({ ...problem, severity: 'warning' })
  return units.flatMap(unit => {
    if (unit.valid_to >= LAST_DAY) return []
    const day = dayAfter(unit.valid_to)
    const beginning = (code: string) => rows.get(code)?.find(row => row.valid_from === day)
    const codes = heirs.get(`${unit.level} ${unit.unit_code} ${day}`)?.map(pair => pair.successor_code)
    if (codes === undefined) {
      if (unit.level === 'district' || beginning(unit.unit_code) !== undefined) return []
      const allowed = `a unit that goes on, or a successor from ${day} on in unit_successors.csv; without one its dossiers stay where they are recorded`
      return [warning(unitProblem(unit, 'valid_to', allowed))]
    }
    if (codes.length < 2 || unit.level !== 'commune') return []
    return codes
      .map(beginning)
      .filter(heir => heir !== undefined)
      .filter(heir => heir.area_km2 === null)
      .map(heir =>
        warning(
          unitProblem(
            heir,
            'area_km2',
            `an area above 0; without it ${unit.unit_code} is not shared out by split = 'area'`,
          ),
        ),
      )
  })
}
