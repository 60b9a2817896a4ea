/** Administrative units of all times, looked up by code and day. Pure; the list comes from `administrative_units`. */
export const TIERS = ['commune', 'district', 'province', 'country'] as const
export type Tier = (typeof TIERS)[number]

export interface Unit {
  code: string
  level: Exclude<Tier, 'country'>
  name: string
  province_code: string
  district_code: string
  valid_from: string
  valid_to: string
}

export const COUNTRY_CODE = 'VN'
/** `valid_to` of a unit that still stands. */
const OPEN = '2149-06-06'

export const hasEnded = (unit: Unit): boolean => unit.valid_to !== OPEN

/** Names a place: a code alone does not (24 is Bắc Giang until 30/06/2025 and Bắc Ninh from then on). */
export const placeKey = (unit: { code: string; valid_from: string }): string => `${unit.code}@${unit.valid_from}`

export type Units = ReturnType<typeof createUnits>

export function createUnits(rows: Unit[]) {
  const byCode = new Map<string, Unit[]>()
  for (const row of rows) byCode.set(row.code, [...(byCode.get(row.code) ?? []), row])
  for (const list of byCode.values()) list.sort((a, b) => a.valid_from.localeCompare(b.valid_from))

  const of = (code: string): Unit[] => byCode.get(code) ?? []
  return {
    size: rows.length,
    /** All rows of a code, oldest first. */
    of,
    /** The row of a code that begins on a day. */
    at: (code: string, valid_from: string): Unit | undefined => of(code).find(unit => unit.valid_from === valid_from),
    /** The row valid on a day, else the last before it, else the first after it. */
    onDay: (code: string, day: string): Unit | undefined =>
      of(code).findLast(unit => unit.valid_from <= day) ?? of(code)[0],
    /** Above a unit, from the province down, as they were when it began. */
    above: (unit: Unit): Unit[] => {
      const valid = (code: string) =>
        of(code).find(other => other.valid_from <= unit.valid_from && unit.valid_from <= other.valid_to)
      const codes =
        unit.level === 'province'
          ? []
          : unit.level === 'district'
            ? [unit.province_code]
            : [unit.province_code, unit.district_code]
      return codes.filter(code => code !== '').flatMap(code => valid(code) ?? [])
    },
  }
}
