import { describe, expect, it } from 'vitest'
import { compareNames, count, day, dayOf, moment, percent, threshold } from './format.ts'

const plain = (text: string | undefined) => text?.replaceAll('\u00a0', ' ')

describe('percent', () => {
  it('has two decimals, in the language of the reader', () => {
    expect(plain(percent(16_234, 20_000, 'vi'))).toBe('81,17 %')
    expect(plain(percent(16_234, 20_000, 'en'))).toBe('81.17 %')
    expect(plain(percent(2, 3, 'en'))).toBe('66.67 %')
    expect(plain(percent(1, 800, 'en'))).toBe('0.13 %')
  })

  it('never says 100 % or 0 % of what is neither', () => {
    expect(plain(percent(999_999, 1_000_000, 'vi'))).toBe('> 99,99 %')
    expect(plain(percent(1, 1_000_000, 'en'))).toBe('< 0.01 %')
    expect(plain(percent(99_994, 100_000, 'vi'))).toBe('99,99 %')
    expect(plain(percent(7, 7, 'vi'))).toBe('100,00 %')
    expect(plain(percent(0, 7, 'vi'))).toBe('0,00 %')
  })

  it('is nothing where nothing was counted', () => expect(percent(0, 0, 'vi')).toBeUndefined())
})

it('writes counts, thresholds, days and moments as people read them', () => {
  expect([count(20_000, 'vi'), count(20_000, 'en')]).toEqual(['20.000', '20,000'])
  expect([plain(threshold(0.1, 'vi')), plain(threshold(0.125, 'vi')), plain(threshold(0.125, 'en'))]).toEqual([
    '10 %',
    '12,5 %',
    '12.5 %',
  ])
  expect(day('2025-06-30')).toBe('30/06/2025')
  // 17:00 UTC is the next day in Vietnam.
  expect(dayOf(Date.UTC(2025, 5, 30, 17))).toBe('2025-07-01')
  expect(moment(Date.UTC(2025, 5, 30, 17, 5))).toBe('01/07/2025 00:05')
})

it('sorts names as a Vietnamese reader expects', () => {
  expect(['Xã Đông', 'Xã Em', 'Xã Dông', 'Phường 10', 'Phường 2'].sort(compareNames)).toEqual([
    'Phường 2',
    'Phường 10',
    'Xã Dông',
    'Xã Đông',
    'Xã Em',
  ])
})
