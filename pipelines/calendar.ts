/**
 * The working-day calendar of the civil service, Monday to Friday, from `reference/holidays.csv`: announced days off, and
 * Saturdays worked in exchange. Pure. A year is covered when the file has its fixed and lunar holidays; of any other year
 * nothing is said, because swaps and the length of Tết are announced year by year and cannot be computed.
 *
 * Rules: Labour Code 2019, art. 111 (a holiday on a weekly day off is made up for) and 112 (which days); domain.md 2.6.
 */

export const HOLIDAY_KINDS = ['HOLIDAY', 'COMPENSATORY_OFF', 'MAKE_UP_WORKING_DAY'] as const

/** A row of holidays.csv. */
export interface Holiday {
  date: string
  /** Mon … Sun: only to be checked against `date`. */
  weekday: string
  name: string
  kind: (typeof HOLIDAY_KINDS)[number]
  certain: boolean
}

/** A day of the calendar: a row of `working_days`. */
export interface CalendarDay {
  day: string
  working: boolean
  /** Working days from the first covered day on, this one included: the difference of two days is the working days between. */
  number: number
  /** Name of the holiday or of the day worked in exchange; empty: an ordinary day. */
  name: string
  kind: Holiday['kind'] | 'WEEKEND' | 'ORDINARY'
}

export class CalendarError extends Error {
  readonly code: 'CALENDAR_INVALID' | 'DAY_NOT_COVERED'
  constructor(code: CalendarError['code'], message: string) {
    super(message)
    this.code = code
  }
}

const DAY_MS = 86_400_000
const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const weekdayOf = (day: string) => WEEKDAYS[new Date(`${day}T00:00:00Z`).getUTCDay()] as string
const isWeekend = (day: string) => ['Sat', 'Sun'].includes(weekdayOf(day))
const yearOf = (day: string) => Number(day.slice(0, 4))

/** Holidays on the same day every year; from which year on. National Day has a second day beside it, before or after. */
const FIXED = [
  { month_day: '01-01', since: 0 },
  { month_day: '04-30', since: 0 },
  { month_day: '05-01', since: 0 },
  { month_day: '09-02', since: 0 },
  { month_day: '11-24', since: 2026 },
] as const
/** Five days of Tết and one of the Hùng kings; on which days they fall is checked against a library (calendar.test.ts). */
const TET_DAYS_MIN = 5
const isTet = ({ name, kind, certain }: Holiday) => kind === 'HOLIDAY' && certain && name.includes('Tết Nguyên Đán')
const isHungKings = ({ name, kind }: Holiday) => kind === 'HOLIDAY' && name.startsWith('Giỗ Tổ')

/** What is wrong with a list of holidays, a line each; empty: it makes a calendar. */
export function problemsOf(holidays: readonly Holiday[]): string[] {
  const dates = holidays.map(holiday => holiday.date)
  const repeated = dates.filter((date, at) => dates.indexOf(date) !== at)
  const years = Map.groupBy(holidays, holiday => yearOf(holiday.date))
  return [
    ...(holidays.length === 0 ? ['no day at all; allowed: every year with its holidays'] : []),
    ...repeated.map(date => `${date} stands twice; allowed: once`),
    ...holidays.flatMap(problemsOfDay),
    ...rangeOf([...years.keys()]).flatMap(year => problemsOfYear(year, years.get(year) ?? [])),
  ]
}

function problemsOfDay({ date, weekday, kind }: Holiday): string[] {
  const is = weekdayOf(date)
  if (weekday !== is) return [`${date}: weekday is ${weekday}; allowed: ${is}`]
  if (kind === 'MAKE_UP_WORKING_DAY' && !isWeekend(date)) return [`${date}: made up for on a ${is}; allowed: Sat, Sun`]
  if (kind === 'COMPENSATORY_OFF' && isWeekend(date))
    return [`${date}: a day off in exchange on a ${is}; allowed: Mon–Fri`]
  return []
}

function problemsOfYear(year: number, holidays: readonly Holiday[]): string[] {
  const off = new Set(holidays.filter(({ kind }) => kind === 'HOLIDAY').map(({ date }) => date))
  const problems: string[] = FIXED.filter(
    ({ month_day, since }) => year >= since && !off.has(`${year}-${month_day}`),
  ).map(({ month_day }) => `${year} lacks ${year}-${month_day}`)
  if (!off.has(`${year}-09-01`) && !off.has(`${year}-09-03`))
    problems.push(`${year} lacks the day beside National Day; allowed: ${year}-09-01 or ${year}-09-03`)
  if (holidays.filter(isTet).length < TET_DAYS_MIN)
    problems.push(`${year} lacks days of Tết; allowed: ${TET_DAYS_MIN} or more`)
  if (holidays.filter(isHungKings).length !== 1) problems.push(`${year} lacks the day of the Hùng kings; allowed: one`)
  // What a weekend swallows is given back, and what is worked in exchange is taken from another day: a row that was
  // forgotten shows here.
  const owed = holidays.filter(
    ({ date, kind, certain }) => kind === 'MAKE_UP_WORKING_DAY' || (kind === 'HOLIDAY' && certain && isWeekend(date)),
  ).length
  const given = holidays.filter(({ kind }) => kind === 'COMPENSATORY_OFF').length
  if (owed !== given)
    problems.push(
      `${year} has ${given} days off in exchange; allowed: ${owed}, one for each holiday on a weekend and each Saturday worked`,
    )
  return problems
}

const rangeOf = (years: readonly number[]) =>
  years.length === 0
    ? []
    : Array.from({ length: Math.max(...years) - Math.min(...years) + 1 }, (_, at) => Math.min(...years) + at)

export interface Calendar {
  /** Covered years, one after the other without a gap. */
  years: number[]
  /** Every day of them in order. */
  days: CalendarDay[]
  /** Throws {@link CalendarError} for a day of a year that is not covered. */
  isWorkingDay(day: string): boolean
  /** Working days after `from` until and with `to`; below 0 where `to` is earlier. Throws like {@link isWorkingDay}. */
  workingDays(from: string, to: string): number
}

/** Throws {@link CalendarError} with everything that is wrong with the list. */
export function createCalendar(holidays: readonly Holiday[]): Calendar {
  const problems = problemsOf(holidays)
  if (problems.length > 0) throw new CalendarError('CALENDAR_INVALID', `holidays.csv: ${problems.join('; ')}`)
  const years = rangeOf(holidays.map(({ date }) => yearOf(date)))
  const days = daysOf(years, new Map(holidays.map(holiday => [holiday.date, holiday])))
  const byDay = new Map(days.map(day => [day.day, day]))
  const at = (day: string): CalendarDay => {
    const found = byDay.get(day)
    if (found === undefined)
      throw new CalendarError('DAY_NOT_COVERED', `the calendar covers ${years.join(', ')}; nothing is known of ${day}`)
    return found
  }
  return {
    years,
    days,
    isWorkingDay: day => at(day).working,
    workingDays: (from, to) => at(to).number - at(from).number,
  }
}

function daysOf(years: readonly number[], holidays: ReadonlyMap<string, Holiday>): CalendarDay[] {
  const days: CalendarDay[] = []
  let number = 0
  const end_ms = Date.UTC(Math.max(...years) + 1, 0, 1)
  for (let ms = Date.UTC(Math.min(...years), 0, 1); ms < end_ms; ms += DAY_MS) {
    const day = new Date(ms).toISOString().slice(0, 10)
    const holiday = holidays.get(day)
    const kind = holiday?.kind ?? (isWeekend(day) ? 'WEEKEND' : 'ORDINARY')
    const working = kind === 'ORDINARY' || kind === 'MAKE_UP_WORKING_DAY'
    if (working) number++
    days.push({ day, working, number, name: holiday?.name ?? '', kind })
  }
  return days
}
