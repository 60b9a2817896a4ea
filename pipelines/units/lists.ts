/**
 * The two administrative lists as a calendar: which row of a code is valid on a day, what became of a unit, what it
 * came from.
 *
 * Pure. Days are ISO texts. Throws where rows of a code overlap or end before they begin: nothing could be told from
 * such a list. `check.ts` names everything that is wrong with a list; this names only what would make its answers
 * arbitrary.
 */

export const LEVELS = ['province', 'district', 'commune'] as const
export type Level = (typeof LEVELS)[number]

/** A row of the administrative lists; `valid_to` is included. */
export interface Unit {
  unit_code: string
  level: Level
  name: string
  province_code: string
  district_code: string
  valid_from: string
  valid_to: string
  /** Square kilometres; null or absent: not known. */
  area_km2?: number | null
}

/** `level` is that of the predecessor; the successor may be of another one (an island district became a commune). */
export interface Successor {
  level: Level
  predecessor_code: string
  successor_code: string
  effective_date: string
}

/** A unit as a key of the rates has it; empty code: nowhere. */
export interface Place {
  code: string
  valid_from: string
  name: string
}

export const FIRST_DAY = '1970-01-01'
/** ClickHouse's Date ends here; the lists use it for "open". */
export const LAST_DAY = '2149-06-06'
export const NOWHERE: Place = { code: '', valid_from: FIRST_DAY, name: '' }

export const placeOf = (unit: Unit): Place => ({ code: unit.unit_code, valid_from: unit.valid_from, name: unit.name })
export const validOn = (unit: Unit, day: string) => unit.valid_from <= day && day <= unit.valid_to
const shifted = (day: string, days: number) =>
  new Date(Date.parse(`${day}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10)
export const dayAfter = (day: string) => shifted(day, 1)
const dayBefore = (day: string) => shifted(day, -1)

export interface Lists {
  codes: readonly string[]
  has: (code: string) => boolean
  /** First days of the periods in which one set of units holds, the first being 1970-01-01. */
  periods: readonly string[]
  on: (code: string, day: string) => Unit | undefined
  /** Contract, "Unit on a day": the row valid on the day, else the last one before it, else the first one after. */
  recorded: (code: string, day: string) => Unit
  /**
   * What became of a unit on the day after its last: the one that keeps the code first, then by code. Empty: nothing
   * known.
   */
  heirs: (unit: Unit) => readonly Unit[]
  /** What a unit was made of, by code. Empty: nothing known. */
  origins: (unit: Unit) => readonly Unit[]
  /** The province of a unit on a day from its `valid_from` on; after its end that of the province's heirs. */
  provinceOf: (unit: Unit, day: string) => Unit
}

export function createLists(units: readonly Unit[], successors: readonly Successor[]): Lists {
  const rows = Map.groupBy(
    [...units].sort((a, b) => (a.valid_from < b.valid_from ? -1 : 1)),
    unit => unit.unit_code,
  )
  for (const [code, of] of rows) refuseOverlap(code, of)
  const on = (code: string, day: string) => rows.get(code)?.find(row => validOn(row, day))

  const after = Map.groupBy(successors, pair => `${pair.level} ${pair.predecessor_code} ${pair.effective_date}`)
  const before = Map.groupBy(successors, pair => `${pair.successor_code} ${pair.effective_date}`)

  function heirs(unit: Unit): readonly Unit[] {
    if (unit.valid_to >= LAST_DAY) return []
    const day = dayAfter(unit.valid_to)
    const pairs = after.get(`${unit.level} ${unit.unit_code} ${day}`)
    // A code that goes on without a word of a successor is the same place under a new name or parent.
    const codes = pairs?.map(pair => pair.successor_code) ?? [unit.unit_code]
    const found = codes.map(code => on(code, day)).filter(heir => heir !== undefined)
    const keeps = (heir: Unit) => (heir.unit_code === unit.unit_code ? 0 : 1)
    return found.sort((a, b) => keeps(a) - keeps(b) || byCode(a, b))
  }

  function origins(unit: Unit): readonly Unit[] {
    if (unit.valid_from <= FIRST_DAY) return []
    const day = dayBefore(unit.valid_from)
    const pairs = before.get(`${unit.unit_code} ${unit.valid_from}`)
    if (pairs !== undefined)
      return pairs
        .map(pair => on(pair.predecessor_code, day))
        .filter(origin => origin !== undefined)
        .sort(byCode)
    const same = on(unit.unit_code, day)
    return same !== undefined && heirs(same).includes(unit) ? [same] : []
  }

  function provinceOf(unit: Unit, day: string): Unit {
    let at = on(unit.province_code, day < unit.valid_to ? day : unit.valid_to)
    if (at === undefined)
      throw new Error(
        `unit ${unit.unit_code} from ${unit.valid_from}: its province ${unit.province_code} is in no list then`,
      )
    while (at.valid_to < day) {
      const next: Unit | undefined = heirs(at)[0]
      if (next === undefined) break
      at = next
    }
    return at
  }

  return {
    codes: [...rows.keys()],
    has: code => rows.has(code),
    periods: periodsOf(units),
    on,
    recorded: (code, day) => {
      const of = rows.get(code)
      const row = on(code, day) ?? of?.findLast(ended => ended.valid_to < day) ?? of?.[0]
      if (row === undefined) throw new Error(`unit ${code} is in no list`)
      return row
    },
    heirs,
    origins,
    provinceOf,
  }
}

const byCode = (a: Unit, b: Unit) => (a.unit_code < b.unit_code ? -1 : 1)

function refuseOverlap(code: string, of: readonly Unit[]): void {
  of.forEach((row, at) => {
    const next = of[at + 1]
    if (row.valid_to < row.valid_from)
      throw new Error(`unit ${code}: valid_to ${row.valid_to} lies before valid_from ${row.valid_from}`)
    if (next !== undefined && next.valid_from <= row.valid_to)
      throw new Error(`unit ${code}: the rows from ${row.valid_from} and from ${next.valid_from} overlap`)
  })
}

function periodsOf(units: readonly Unit[]): string[] {
  const days = new Set([FIRST_DAY])
  for (const unit of units) {
    days.add(unit.valid_from)
    if (unit.valid_to < LAST_DAY) days.add(dayAfter(unit.valid_to))
  }
  return [...days].sort()
}
