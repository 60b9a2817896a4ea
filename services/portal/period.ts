/**
 * Periods of the page: the whole time, a year, half-year, quarter or month, or two days of the visitor's choice.
 * Written as in indicator reports: `2023`, `2023-H1`, `2025-Q3`, `2025-07`. Pure.
 */
import { day, type Language } from './format.ts'
import type { Words } from './words.ts'

/** What a Date in ClickHouse can hold. */
export const DAY_MIN = '1970-01-01'
export const DAY_MAX = '2149-06-06'

export type PeriodKind = 'whole' | 'year' | 'half' | 'quarter' | 'month' | 'free'

export interface Period {
  kind: PeriodKind
  /** As in the address: `all`, `2023`, `2023-H1`, `2025-Q3`, `2025-07`; empty for two free days. */
  key: string
  /** First and last day, both included. */
  from: string
  to: string
}

/** Days with figures: months in order, the first and the last day. */
export interface Calendar {
  months: string[]
  first: string
  last: string
}

export const WHOLE: Period = { kind: 'whole', key: 'all', from: DAY_MIN, to: DAY_MAX }

/** A day that exists, written yyyy-mm-dd, within what ClickHouse can hold. */
export function isDay(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false
  const date = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text) && text >= DAY_MIN && text <= DAY_MAX
}

/** The period a key names; undefined where it names none. */
export function periodOf(key: string): Period | undefined {
  if (key === WHOLE.key) return WHOLE
  const match = /^(\d{4})(?:-(?:H([12])|Q([1-4])|(0[1-9]|1[0-2])))?$/.exec(key)
  if (match === null) return undefined
  const [, year, half, quarter, month] = match as unknown as [string, string, string?, string?, string?]
  if (Number(year) < 1970 || Number(year) > 2148) return undefined
  if (half !== undefined) return months('half', key, year, Number(half) * 6 - 5, 6)
  if (quarter !== undefined) return months('quarter', key, year, Number(quarter) * 3 - 2, 3)
  if (month !== undefined) return months('month', key, year, Number(month), 1)
  return months('year', key, year, 1, 12)
}

function months(kind: PeriodKind, key: string, year: string, first: number, length: number): Period {
  const last = new Date(Date.UTC(Number(year), first + length - 1, 0)).toISOString().slice(0, 10)
  return { kind, key, from: `${year}-${String(first).padStart(2, '0')}-01`, to: last }
}

export interface PeriodChoices {
  years: Period[]
  halves: Period[]
  quarters: Period[]
  months: Period[]
}

/** The periods in which something counts, newest first. */
export function choicesOf(calendar: Calendar): PeriodChoices {
  const keys = (keyOf: (year: string, month: number) => string) =>
    [...new Set(calendar.months.map(month => keyOf(month.slice(0, 4), Number(month.slice(5, 7)))))]
      .sort()
      .reverse()
      .flatMap(key => periodOf(key) ?? [])
  return {
    years: keys(year => year),
    halves: keys((year, month) => `${year}-H${month <= 6 ? 1 : 2}`),
    quarters: keys((year, month) => `${year}-Q${Math.ceil(month / 3)}`),
    months: keys((year, month) => `${year}-${String(month).padStart(2, '0')}`),
  }
}

const ROMAN = ['I', 'II', 'III', 'IV']
const MONTHS_EN = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

/** `Quý III/2025`, `Q3 2025`, `01/01/2023 – 30/06/2023`. */
export function periodName(period: Period, words: Words, language: Language): string {
  const [year, month] = [period.from.slice(0, 4), Number(period.from.slice(5, 7))]
  const vi = language === 'vi'
  switch (period.kind) {
    case 'whole':
      return words.period_whole
    case 'year':
      return vi ? `Năm ${year}` : year
    case 'half':
      return vi
        ? `6 tháng ${month === 1 ? 'đầu' : 'cuối'} năm ${year}`
        : `${month === 1 ? 'First' : 'Second'} half of ${year}`
    case 'quarter':
      return vi ? `Quý ${ROMAN[(month - 1) / 3]}/${year}` : `Q${(month + 2) / 3} ${year}`
    case 'month':
      return vi ? `Tháng ${month}/${year}` : `${MONTHS_EN[month - 1]} ${year}`
    case 'free':
      return daysName(period.from, period.to)
  }
}

/** Two days as a span, one day as itself. */
export const daysName = (from: string, to: string): string => (from === to ? day(from) : `${day(from)} – ${day(to)}`)

/** The named period of two days where there is one, else the two days themselves. */
export function periodOfDays(from: string, to: string): Period {
  const [year, month] = [from.slice(0, 4), Number(from.slice(5, 7))]
  const keys = [year, `${year}-H${month <= 6 ? 1 : 2}`, `${year}-Q${Math.ceil(month / 3)}`, from.slice(0, 7)]
  const named = keys.map(periodOf).find(period => period?.from === from && period.to === to)
  return named ?? { kind: 'free', key: '', from, to }
}
