/** Days at +07:00 as whole numbers (days since 1970-01-01), and Việt Nam's working days. */
import { readFileSync } from 'node:fs'
import { parse } from 'csv-parse/sync'

export const DAY_MS = 86_400_000
export const MINUTE_MS = 60_000
const OFFSET_MS = 7 * 3_600_000

/** The local day of a moment. */
export const dayOf = (time_ms: number): number => Math.floor((time_ms + OFFSET_MS) / DAY_MS)
/** A local day plus minutes as a moment. */
export const momentOf = (day: number, minutes = 0): number => day * DAY_MS - OFFSET_MS + minutes * MINUTE_MS
export const dayFromIso = (iso: string): number => Date.parse(`${iso}T00:00:00Z`) / DAY_MS
export const isoDay = (day: number): string => new Date(day * DAY_MS).toISOString().slice(0, 10)
/** The part of a dossier number that names its day. */
export const yymmdd = remembered((day: number): string => isoDay(day).slice(2).replaceAll('-', ''))
/** Months since year 0, to compare months of days. */
export const monthOf = (day: number): number => {
  const date = new Date(day * DAY_MS)
  return date.getUTCFullYear() * 12 + date.getUTCMonth()
}

export interface Calendar {
  works(day: number): boolean
  saturday(day: number): boolean
  /** The working day `count` working days after a day. */
  after(day: number, count: number): number
}

/** Working days from the official holidays of `pipelines/reference/holidays.csv`, make-up days included. */
export function readCalendar(): Calendar {
  const file = new URL('../../pipelines/reference/holidays.csv', import.meta.url)
  const rows: Record<string, string>[] = parse(readFileSync(file), { columns: true, bom: true })
  const kinds = new Map(rows.map(row => [dayFromIso(row.date ?? ''), row.kind]))
  // Day 0 was a Thursday.
  const weekday = (day: number) => (day + 4) % 7
  const works = remembered(day => {
    const kind = kinds.get(day)
    if (kind === 'MAKE_UP_WORKING_DAY') return true
    return kind === undefined && weekday(day) !== 0 && weekday(day) !== 6
  })
  return {
    works,
    saturday: day => weekday(day) === 6,
    after(day, count) {
      let at = day
      for (let left = count; left > 0; ) if (works(++at)) left--
      return at
    },
  }
}

/** Asked some millions of times about the same few hundred days. */
function remembered<T>(judge: (day: number) => T): (day: number) => T {
  const known: T[] = []
  return day => {
    known[day] ??= judge(day)
    return known[day] as T
  }
}
