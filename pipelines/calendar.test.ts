/** The calendar: covered years, swaps, and the file held against a library that computes fixed and lunar days. */
import Holidays from 'date-holidays'
import { expect, test } from 'vitest'
import { CalendarError, createCalendar, problemsOf } from './calendar.ts'
import { readHolidays } from './holidays.ts'

const holidays = readHolidays()
const calendar = createCalendar(holidays)

test('the file covers 2022 to 2026, every day once, and numbers never fall', () => {
  expect(calendar.years).toEqual([2022, 2023, 2024, 2025, 2026])
  expect(calendar.days).toHaveLength(5 * 365 + 1)
  expect(new Set(calendar.days.map(({ day }) => day)).size).toBe(calendar.days.length)
  let before = 0
  for (const { number, working } of calendar.days) {
    expect(number).toBe(before + (working ? 1 : 0))
    before = number
  }
})

test.each([
  ['2026-01-02', false, 'a Friday given for a Saturday'],
  ['2026-01-10', true, 'the Saturday worked for it'],
  ['2026-02-16', false, 'the eve of Tết'],
  ['2026-02-23', true, 'the Monday after Tết'],
  ['2025-07-05', false, 'a plain Saturday'],
  ['2025-07-07', true, 'a plain Monday'],
])('%s: working %s, %s', (day, working) => {
  expect(calendar.isWorkingDay(day)).toBe(working)
})

test.each([
  ['2026-02-13', '2026-02-23', 1, 'over Tết, Friday to Monday'],
  ['2025-07-04', '2025-07-04', 0, 'the same day'],
  ['2025-07-05', '2025-07-06', 0, 'Saturday to Sunday'],
  ['2025-12-31', '2026-01-05', 1, 'over two days off and a weekend'],
  ['2026-01-09', '2026-01-12', 2, 'over a Saturday that is worked'],
])('working days from %s to %s: %i, %s', (from, to, days) => {
  expect(calendar.workingDays(from, to)).toBe(days)
  expect(calendar.workingDays(to, from)).toBe(0 - days)
})

test.each(['2021-12-31', '2027-01-01', '1970-01-01'])('%s is not covered: an error that names the years', day => {
  expect(() => calendar.isWorkingDay(day)).toThrow(/covers 2022, 2023, 2024, 2025, 2026; nothing is known of/)
  expect(() => calendar.workingDays('2025-01-01', day)).toThrow(CalendarError)
})

test('every row of the file is needed: without any one of them the list is refused', () => {
  // One Saturday of Tết that only the library has is marked as not certain, and nothing rests on it.
  const missed = holidays
    .filter(holiday => problemsOf(holidays.filter(other => other !== holiday)).length === 0)
    .map(({ date }) => date)
  expect(missed).toEqual(['2025-02-01'])
})

test.each([
  ['a wrong weekday', { date: '2025-01-01', weekday: 'Tue' }, '2025-01-01: weekday is Tue; allowed: Wed'],
  ['a day twice', { date: '2025-01-02', weekday: 'Thu' }, '2025-01-02 stands twice; allowed: once'],
])('%s is refused', (_, change, problem) => {
  const [first] = holidays.filter(({ date }) => date === '2025-01-01')
  const others = holidays.filter(other => other !== first)
  const list = change.date === '2025-01-01' ? [] : [first, { ...first, ...change }]
  expect(problemsOf([...others, ...list, { ...first, ...change }] as never)).toContain(problem)
})
test('a year between that is missing is refused, and so is an empty list', () => {
  expect(problemsOf(holidays.filter(({ date }) => !date.startsWith('2024')))).toContain('2024 lacks 2024-01-01')
  expect(() => createCalendar([])).toThrow(/no day at all/)
})

/** It computes the lunar days; it knows no swaps and no compensatory days. */
const library = new Holidays('VN', { timezone: 'Asia/Ho_Chi_Minh' })

test('every year has the fixed and lunar days that date-holidays computes', () => {
  const off = new Set(holidays.filter(({ kind }) => kind === 'HOLIDAY').map(({ date }) => date))
  for (const year of calendar.years) {
    const computed = library.getHolidays(year).filter(({ type }) => type === 'public')
    expect(computed.map(({ rule }) => rule)).toEqual(
      expect.arrayContaining(['01-01', 'vietnamese 1-0-1', 'vietnamese 3-0-10', '04-30', '05-01', '09-02']),
    )
    for (const { date } of computed) expect(off, `${date.slice(0, 10)}`).toContain(date.slice(0, 10))
  }
})
