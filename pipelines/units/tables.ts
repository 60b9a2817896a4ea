/** The lists and everything derived from them, as rows of their tables. */
import type { RowOf } from '../reference.ts'
import { agencyRows } from './agencies.ts'
import { createLists } from './lists.ts'
import { unitsOnDays } from './on-days.ts'
import { rebase, WHOLE } from './rebase.ts'

export interface UnitLists {
  units: RowOf<'administrative_units'>[]
  successors: RowOf<'unit_successors'>[]
}

export function unitTables({ units, successors }: UnitLists, agencies: RowOf<'agencies'>[]) {
  const lists = createLists(units, successors)
  return {
    administrative_units: units.map(({ lat, lon, ...unit }) => ({ ...unit, latitude: lat, longitude: lon })),
    unit_successors: successors,
    unit_on_day: unitsOnDays(lists).map(({ unit_code, from_day, commune, district, province }) => ({
      unit_code,
      from_day,
      commune_code: commune.code,
      commune_valid_from: commune.valid_from,
      commune_name: commune.name,
      district_code: district.code,
      district_valid_from: district.valid_from,
      district_name: district.name,
      province_code: province.code,
      province_valid_from: province.valid_from,
      province_name: province.name,
    })),
    unit_rebased: rebase(lists).map(row => ({
      ...row,
      targets: row.targets.map(target => ({ ...target, share: (target.share / WHOLE).toFixed(9) })),
    })),
    agencies: agencyRows(agencies, lists),
  }
}
