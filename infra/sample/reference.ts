/** The real units and procedures that the samples are spread over, read from `pipelines/reference/`. */
import { readReference } from '../../pipelines/reference.ts'
import type { DossierEvent } from '../../schemas/dossier-event/event.ts'

export interface Commune {
  code: string
  /** Phường, Thị trấn, Xã … */
  kind: string
}

export interface Province {
  code: string
  name: string
  valid_from: string
}

export interface Procedure {
  code: string
  sector: string
  service_level: DossierEvent['service_level']
  fee: boolean
}

let units: ReturnType<typeof readReference<'administrative_units'>> | undefined
const allUnits = () => {
  units ??= readReference('administrative_units')
  return units
}
const validOn = (day: string) => (unit: { valid_from: string; valid_to: string }) =>
  unit.valid_from <= day && day <= unit.valid_to

/** Every code there ever was, as the door needs it. */
export const knownUnits = (): ReadonlySet<string> => new Set(allUnits().map(unit => unit.unit_code))

export const provincesOn = (day: string): Province[] =>
  allUnits()
    .filter(unit => unit.level === 'province' && validOn(day)(unit))
    .map(unit => ({ code: unit.unit_code, name: unit.name, valid_from: unit.valid_from }))

/** Throws where there is no such province on that day: a sample of a unit that does not exist is a mistake in the code. */
export function provinceOn(code: string, day: string): Province {
  const found = provincesOn(day).find(province => province.code === code)
  if (found === undefined) throw new Error(`there is no province ${code} on ${day} in administrative_units.csv`)
  return found
}

export const communesOn = (province: string, day: string): Commune[] =>
  allUnits()
    .filter(unit => unit.level === 'commune' && unit.province_code === province && validOn(day)(unit))
    .map(unit => ({ code: unit.unit_code, kind: unit.kind }))

/** Sectors a commune deals with, how many dossiers they bring, how readily people file them online, and the working days they take. */
const SECTORS = [
  { sector: 'CERTIFICATION', weight: 34, online: 0.9, days: [0, 1], first: ['2.000815', '2.000884'] },
  { sector: 'CIVIL_STATUS', weight: 24, online: 0.88, days: [1, 5], first: ['1.001193', '1.000894', '1.000656'] },
  { sector: 'RESIDENCE', weight: 9, online: 0.93, days: [1, 7], first: ['1.004222', '1.004194'] },
  { sector: 'SOCIAL_PROTECTION', weight: 9, online: 0.8, days: [5, 15], first: ['1.001776', '1.001731'] },
  { sector: 'HOUSEHOLD_BUSINESS', weight: 7, online: 0.86, days: [2, 3], first: [] },
  { sector: 'MERITORIOUS_PERSONS', weight: 5, online: 0.72, days: [5, 20], first: [] },
  { sector: 'CONSTRUCTION', weight: 4, online: 0.7, days: [10, 20], first: ['1.013225'] },
  { sector: 'POVERTY_REDUCTION', weight: 3, online: 0.76, days: [7, 15], first: [] },
  { sector: 'AGRICULTURE', weight: 3, online: 0.8, days: [3, 10], first: [] },
  { sector: 'MILITARY_SERVICE', weight: 2, online: 0.78, days: [1, 3], first: [] },
] as const
const LAND_DAYS = [8, 20] as const

export interface WeightedProcedure extends Procedure {
  weight: number
  /** How readily it is filed online, 0 to 1, compared with the others. */
  online: number
  /** Working days promised: at least, at most. */
  days: readonly [number, number]
}

/** Procedures of the land sector, and of all others that the samples draw from; the first of a sector are the busiest. */
export function readProcedures(): { land: WeightedProcedure[]; other: WeightedProcedure[] } {
  const rows = readReference('procedures').filter(row => row.tier === '' || row.tier.includes('COMMUNE'))
  const ofSector = (
    sector: string,
    weight: number,
    online: number,
    days: readonly [number, number],
    first: readonly string[],
  ) => {
    const rows_of = rows.filter(row => row.sector_code === sector)
    const rank = (code: string) => (first.includes(code) ? first.indexOf(code) : first.length)
    const sorted = rows_of.sort((a, b) => rank(a.procedure_code) - rank(b.procedure_code))
    const sum = sorted.reduce((so_far, _, at) => so_far + 1 / (at + 1), 0)
    return sorted.map((row, at) => ({
      code: row.procedure_code,
      sector,
      service_level: row.service_level === '' ? null : row.service_level,
      fee: row.has_fee === 'yes',
      weight: weight / (at + 1) / sum,
      online,
      days,
    }))
  }
  return {
    land: ofSector('LAND', 1, 0.5, LAND_DAYS, []),
    other: SECTORS.flatMap(({ sector, weight, online, days, first }) => ofSector(sector, weight, online, days, first)),
  }
}
