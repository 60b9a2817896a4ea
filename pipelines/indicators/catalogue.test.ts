import { expect, test } from 'vitest'
import { type CatalogueError, ownIndicators, readIndicators } from './catalogue.ts'
import { overColumns } from './measures.ts'
import { viewOf } from './views.ts'

const entry = {
  code: 'xx',
  version: 1,
  valid_from: '2022-01-01',
  valid_to: null,
  name_vi: 'x',
  name_en: 'x',
  numerator: [{ of: 'received', where: { channel: ['ONLINE'] } }],
  denominator: [{ of: 'received' }],
  zero: 'null',
  source: 'x',
}
const read = (...rows: object[]) => readIndicators(JSON.stringify(rows))
const problemsOf = (...rows: object[]): readonly string[] => {
  try {
    read(...rows)
    return []
  } catch (error) {
    return (error as CatalogueError).problems
  }
}

test('the catalogue of this version is right, and every rate view finds its indicator', () => {
  const codes = ownIndicators().map(one => one.code)
  expect(codes).toContain('on_time_766')
  expect(overColumns('online_submission', { day: 'd' }).value).toBe(
    'if(received = 0, NULL, received_online / received)',
  )
  expect(overColumns('on_time', { day: 'd' }).value).toBe(
    'if(settled = 0, NULL, (settled_early + settled_on_time) / settled)',
  )
  expect(() => overColumns('online_rate', { day: 'd' })).toThrow(
    /there is no indicator online_rate; there are online_submission/,
  )
  expect(() => overColumns('on_time_766', { day: 'd' })).toThrow(/no rate view has as a column/)
})

test.each([
  [
    'a word that is none',
    { numerator: [{ of: 'received', where: { chanel: ['ONLINE'] } }] },
    /xx: numerator\.0\.where/,
  ],
  [
    'a channel that is none',
    { numerator: [{ of: 'received', where: { channel: ['WEB'] } }] },
    /"WEB"; allowed: one of ONLINE/,
  ],
  ['an outcome of received ones', { numerator: [{ of: 'received', where: { outcome: ['late'] } }] }, /only of settled/],
  ['the 766 rule of ended ones', { numerator: [{ of: 'ended', where: { late_766: true } }] }, /only of pending/],
  ['no denominator', { denominator: [] }, /denominator/],
  ['a day that is none', { valid_from: '2022-02-30' }, /valid_from is "2022-02-30"; allowed: a day such as/],
  ['a zero rule that is none', { zero: 'nothing' }, /one of null, zero, full/],
  ['a field too many', { target: 70 }, /xx: /],
])('%s is refused, with indicator, field, value and what is allowed', (_, change, message) => {
  const problems = problemsOf({ ...entry, ...change })
  expect(problems).toHaveLength(1)
  expect(problems[0]).toMatch(message)
})

test('versions that overlap are refused, with the day on which both are valid', () => {
  const second = { ...entry, version: 2, valid_from: '2024-01-01' }
  expect(problemsOf(entry, second)).toEqual(['xx: versions 1 and 2 are both valid on 2024-01-01'])
  expect(problemsOf({ ...entry, valid_to: '2023-12-31' }, second)).toEqual([])
  expect(problemsOf({ ...entry, valid_to: '2021-12-31' })).toEqual([
    'xx version 1: valid_to 2021-12-31 is before valid_from 2022-01-01',
  ])
})

test('a quote in a text stays a text', () => {
  expect(viewOf(read({ ...entry, zero: 'full' }))).toContain("('xx', toUInt16(1)")
})
