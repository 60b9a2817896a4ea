import { describe, expect, it } from 'vitest'
import { parseIndicatorsQuery, parseRatesQuery, problemText } from './api.ts'
import { UNITS } from './fake-figures.ts'
import { createUnits } from './units.ts'

const units = createUnits(UNITS)
const good = { tier: 'province', from: '2023-01-01', to: '2023-12-31' }
const problemsOf = (query: Record<string, unknown>) => {
  const parsed = parseRatesQuery(query, units)
  return 'problems' in parsed ? parsed.problems : []
}
const named = (query: Record<string, unknown>) => problemsOf(query).map(problem => problem.parameter)

describe('GET /api/rates', () => {
  it('takes a tier and two days', () => {
    expect(parseRatesQuery(good, units)).toEqual({ question: good })
    expect(named({ ...good, to: good.from })).toEqual([])
  })

  it('names every parameter that is wrong, its value and what is allowed', () => {
    const problems = problemsOf({ tier: 'ward', from: '2023-02-30', colour: 'red' })
    expect(problems.map(({ parameter, value }) => [parameter, value])).toEqual([
      ['tier', 'ward'],
      ['from', '2023-02-30'],
      ['to', null],
      ['colour', 'red'],
    ])
    expect(problemText(problems)).toContain('tier is "ward"; allowed: commune, district, province, country.')
    expect(problemText(problems)).toContain('to is missing; allowed: a day that exists')
    expect(problemText(problems)).toContain(
      'colour is "red"; allowed: no such parameter; there are tier, from, to, unit.',
    )
  })

  it.each([
    ['days in the wrong order', { ...good, from: '2024-01-01' }, ['from']],
    ['a time instead of a day', { ...good, from: '2023-01-01T00:00:00Z' }, ['from']],
    ['a day ClickHouse cannot hold', { ...good, to: '2150-01-01' }, ['to']],
    ['a parameter given twice', { ...good, tier: ['province', 'commune'] }, ['tier']],
    ['an empty unit', { ...good, unit: '' }, ['unit']],
    ['a unit that is in no list', { ...good, unit: '99' }, ['unit']],
    ['the name of an object property', { ...good, unit: '__proto__' }, ['unit']],
    ['a unit below the tier', { ...good, unit: '584' }, ['unit']],
  ])('refuses %s', (_, query, parameters) => expect(named(query)).toEqual(parameters))

  it('takes a unit of the tier, or one above it', () => {
    const level = (query: Record<string, unknown>) => {
      const parsed = parseRatesQuery(query, units)
      return 'question' in parsed ? parsed.question.unit?.level : undefined
    }
    expect(level({ ...good, unit: '58' })).toBe('province')
    expect(level({ ...good, tier: 'commune', unit: '58' })).toBe('province')
    expect(level({ ...good, tier: 'commune', unit: '584' })).toBe('district')
    expect(level({ ...good, tier: 'district', unit: 'VN' })).toBe('country')
    expect(level({ ...good, tier: 'country', unit: 'VN' })).toBe('country')
  })
})

describe('GET /api/indicators', () => {
  const parse = (query: Record<string, unknown>) => parseIndicatorsQuery({ ...good, ...query }, units)
  const refused = (query: Record<string, unknown>) => {
    const parsed = parse(query)
    return 'problems' in parsed ? parsed.problems : []
  }

  it('stands as recorded unless a day is asked for', () => {
    expect(parse({})).toEqual({ question: { ...good, units: 'as_recorded', split: 'none' } })
    expect(parse({ units: '2026-01-01', split: 'area', indicator: 'on_time_766', unit: '58' })).toEqual({
      question: { ...good, units: '2026-01-01', split: 'area', indicator: 'on_time_766', unit: '58' },
    })
  })

  it.each([
    ['an indicator that is none', { indicator: 'online_rate' }, 'indicator', /^online_submission, /],
    ['units of no day', { units: 'today' }, 'units', /^as_recorded, or a day that exists/],
    ['units of a day that does not exist', { units: '2026-02-30' }, 'units', /^as_recorded, or a day that exists/],
    ['a policy that is none', { split: 'population' }, 'split', /^none, area, first$/],
    ['a unit that is in no list', { unit: '99' }, 'unit', /^the code of one unit of that tier/],
    ['a unit above the tier', { tier: 'commune', unit: '58' }, 'unit', /^the code of one unit of that tier/],
    ['days in the wrong order', { from: '2024-01-01' }, 'from', /^a day not after to/],
    [
      'a word that is none',
      { period: '2023-H1' },
      'period',
      /there are tier, from, to, unit, indicator, units, split$/,
    ],
  ])('refuses %s with what is allowed', (_, query, parameter, allowed) => {
    expect(refused(query)).toEqual([
      { parameter, value: Object.values(query).at(-1), allowed: expect.stringMatching(allowed) },
    ])
  })
})
