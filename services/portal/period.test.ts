import { describe, expect, it } from 'vitest'
import { choicesOf, isDay, periodName, periodOf, periodOfDays } from './period.ts'
import { WORDS } from './words.ts'

describe('periodOf', () => {
  it.each([
    ['2023', '2023-01-01', '2023-12-31'],
    ['2023-H1', '2023-01-01', '2023-06-30'],
    ['2023-H2', '2023-07-01', '2023-12-31'],
    ['2025-Q3', '2025-07-01', '2025-09-30'],
    ['2024-02', '2024-02-01', '2024-02-29'],
    ['2025-12', '2025-12-01', '2025-12-31'],
  ])('%s is %s to %s', (key, from, to) => {
    expect(periodOf(key)).toMatchObject({ key, from, to })
    expect(periodOfDays(from, to).key).toBe(key)
  })

  it.each(['2023-H3', '2023-Q0', '2023-13', '23', '2023-1', 'H1', '1969', '2149', '', '2023-H1 '])(
    'refuses "%s"',
    key => expect(periodOf(key)).toBeUndefined(),
  )
})

it('knows which days exist', () => {
  expect(['2024-02-29', '1970-01-01', '2149-06-06'].map(isDay)).toEqual([true, true, true])
  expect(
    ['2023-02-29', '2023-2-1', '2023-04-31', '1969-12-31', '2149-06-07', '20230101', '2023-01-01T00:00', ''].map(isDay),
  ).toEqual(Array(8).fill(false))
})

it('offers exactly the periods that hold dossiers, newest first', () => {
  const { years, halves, quarters, months } = choicesOf({
    months: ['2023-02-01', '2023-03-01', '2025-08-01'],
    first: '',
    last: '',
  })
  expect([years, halves, quarters, months].map(list => list.map(period => period.key))).toEqual([
    ['2025', '2023'],
    ['2025-H2', '2023-H1'],
    ['2025-Q3', '2023-Q1'],
    ['2025-08', '2023-03', '2023-02'],
  ])
})

it('names periods in both languages', () => {
  const names = (key: string) => [
    periodName(periodOfKey(key), WORDS.vi, 'vi'),
    periodName(periodOfKey(key), WORDS.en, 'en'),
  ]
  expect(names('2023-H1')).toEqual(['6 tháng đầu năm 2023', 'First half of 2023'])
  expect(names('2023-H2')).toEqual(['6 tháng cuối năm 2023', 'Second half of 2023'])
  expect(names('2025-Q4')).toEqual(['Quý IV/2025', 'Q4 2025'])
  expect(names('2025-07')).toEqual(['Tháng 7/2025', 'July 2025'])
  expect(names('2025')).toEqual(['Năm 2025', '2025'])
  expect(periodName(periodOfDays('2025-05-02', '2025-06-01'), WORDS.vi, 'vi')).toBe('02/05/2025 – 01/06/2025')
})

function periodOfKey(key: string) {
  const period = periodOf(key)
  if (period === undefined) throw new Error(key)
  return period
}
