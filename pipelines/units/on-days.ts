/**
 * Unit on a day (contract, "Unit on a day"): for every code that a dossier may carry, where it counts from which day
 * on.
 *
 * Pure. The result goes to the table `unit_on_day`; `on-days.test.ts` holds it against the real lists.
 */
import { type Lists, NOWHERE, type Place, placeOf, validOn } from './lists.ts'

/**
 * Where a code counts from `from_day` until the next row of the same code; at a tier with an empty code it counts
 * nowhere.
 */
export interface UnitOnDay {
  unit_code: string
  from_day: string
  commune: Place
  district: Place
  province: Place
}

/** Throws where a row names a province that does not exist at its time. */
export function unitsOnDays(lists: Lists): UnitOnDay[] {
  const result: UnitOnDay[] = []
  for (const unit_code of lists.codes) {
    let before = ''
    for (const from_day of lists.periods) {
      const places = onDay(lists, unit_code, from_day)
      const same = JSON.stringify(places)
      if (same !== before) result.push({ unit_code, from_day, ...places })
      before = same
    }
  }
  return result
}

function onDay(lists: Lists, code: string, day: string): Omit<UnitOnDay, 'unit_code' | 'from_day'> {
  const row = lists.recorded(code, day)
  const commune = row.level === 'commune' ? placeOf(row) : NOWHERE
  if (day < row.valid_from)
    return { commune, district: NOWHERE, province: placeOf(lists.provinceOf(row, row.valid_from)) }
  const valid = validOn(row, day)
  const district = row.level === 'district' ? (valid ? row : undefined) : lists.on(row.district_code, day)
  return {
    commune,
    district: district === undefined ? NOWHERE : placeOf(district),
    province: placeOf(lists.provinceOf(row, day)),
  }
}
