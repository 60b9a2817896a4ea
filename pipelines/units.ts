/**
 * Unit on a day (contract, "Unit on a day"): for every code that a dossier may carry, where it counts from which day on.
 *
 * Pure. The result goes to the table `unit_on_day`; `units.test.ts` holds it against the real lists.
 */

export type Level = 'province' | 'district' | 'commune'

/** A row of the administrative lists. Days are ISO texts; `valid_to` is included. */
export interface Unit {
  unit_code: string
  level: Level
  name: string
  province_code: string
  district_code: string
  valid_from: string
  valid_to: string
}

export interface Successor {
  level: Level
  predecessor_code: string
  successor_code: string
  effective_date: string
}

/** A tier's part of the answer; empty code: it counts nowhere at this tier. */
export interface Place {
  code: string
  valid_from: string
  name: string
}

/** Where a code counts from `from_day` until the next row of the same code. */
export interface UnitOnDay {
  unit_code: string
  from_day: string
  commune: Place
  district: Place
  province: Place
}

const NOWHERE: Place = { code: '', valid_from: '1970-01-01', name: '' }
const FIRST_DAY = '1970-01-01'

/** Throws where a code's rows overlap, or a row names a province or district that does not exist at its time. */
export function unitsOnDays(units: readonly Unit[], successors: readonly Successor[]): UnitOnDay[] {
  const rows = Map.groupBy(
    [...units].sort((a, b) => (a.valid_from < b.valid_from ? -1 : 1)),
    unit => unit.unit_code,
  )
  for (const [code, of] of rows)
    of.forEach((row, at) => {
      const next = of[at + 1]
      if (row.valid_to < row.valid_from)
        throw new Error(`unit ${code}: valid_to ${row.valid_to} lies before valid_from ${row.valid_from}`)
      if (next !== undefined && next.valid_from <= row.valid_to)
        throw new Error(`unit ${code}: the rows from ${row.valid_from} and from ${next.valid_from} overlap`)
    })
  const provinceSuccessor = new Map(
    successors
      .filter(pair => pair.level === 'province')
      .map(pair => [`${pair.predecessor_code} ${pair.effective_date}`, pair.successor_code]),
  )
  const validOn = (code: string, day: string) =>
    rows.get(code)?.find(row => row.valid_from <= day && day <= row.valid_to)

  /** The province of a row on a day: the row's own, or, once that has ended, its successors one after the other. */
  function provinceOf(row: Unit, day: string): Place {
    let at = validOn(row.province_code, day < row.valid_to ? day : row.valid_to)
    if (at === undefined)
      throw new Error(
        `unit ${row.unit_code} from ${row.valid_from}: its province ${row.province_code} is in no list then`,
      )
    while (at.valid_to < day) {
      const effective = dayAfter(at.valid_to)
      const successor: string = provinceSuccessor.get(`${at.unit_code} ${effective}`) ?? at.unit_code
      const next = validOn(successor, effective)
      if (next === undefined) break
      at = next
    }
    return placeOf(at)
  }

  function onDay(of: readonly Unit[], day: string): Omit<UnitOnDay, 'unit_code' | 'from_day'> {
    const valid = of.find(row => row.valid_from <= day && day <= row.valid_to)
    const ended = of.findLast(row => row.valid_to < day)
    const row = valid ?? ended ?? (of[0] as Unit)
    const commune = row.level === 'commune' ? placeOf(row) : NOWHERE
    if (valid === undefined && ended === undefined)
      return { commune, district: NOWHERE, province: provinceOf(row, row.valid_from) }
    const district =
      valid === undefined && row.level === 'district'
        ? undefined
        : validOn(row.level === 'district' ? row.unit_code : row.district_code, day)
    return { commune, district: district === undefined ? NOWHERE : placeOf(district), province: provinceOf(row, day) }
  }

  const boundaries = [...new Set(units.flatMap(unit => [unit.valid_from, dayAfter(unit.valid_to)]))].sort()
  const days = boundaries[0] === FIRST_DAY ? boundaries : [FIRST_DAY, ...boundaries]
  const result: UnitOnDay[] = []
  for (const [unit_code, of] of rows) {
    let before = ''
    for (const from_day of days) {
      if (from_day > LAST_DAY) continue
      const places = onDay(of, from_day)
      const same = JSON.stringify(places)
      if (same !== before) result.push({ unit_code, from_day, ...places })
      before = same
    }
  }
  return result
}

/** ClickHouse's Date ends here; the lists use it for "open". */
const LAST_DAY = '2149-06-06'

const placeOf = (unit: Unit): Place => ({ code: unit.unit_code, valid_from: unit.valid_from, name: unit.name })
const dayAfter = (day: string) => new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10)
