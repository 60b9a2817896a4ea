import { describe, expect, it } from 'vitest'
import { UNITS } from './fake-figures.ts'
import { AddressError, hrefOf, languageOf, stateOf } from './state.ts'
import { createUnits, placeKey } from './units.ts'

const units = createUnits(UNITS)
const read = (query: Record<string, unknown>) => stateOf(query, undefined, units)

describe('the language', () => {
  it.each([
    [{}, undefined, 'vi'],
    [{}, 'en-GB,en;q=0.9', 'en'],
    [{}, 'fr;q=1, vi;q=0.4, en;q=0.8', 'en'],
    [{}, 'en;q=0, vi', 'vi'],
    [{}, 'fr', 'vi'],
    [{ lang: 'vi' }, 'en', 'vi'],
    [{ lang: 'en' }, 'vi', 'en'],
    [{ lang: 'xx' }, 'en', 'en'],
  ] as const)('%o with %s is %s', (query, accepted, language) => expect(languageOf(query, accepted)).toBe(language))
})

describe('the unit', () => {
  it('is the place that code and day name', () => {
    expect(read({ unit: '24@1970-01-01' }).unit?.name).toBe('Tỉnh Bắc Giang')
    expect(read({ unit: '24@2025-07-01' }).unit?.name).toBe('Tỉnh Bắc Ninh')
  })

  it('given by its code alone is the one at the end of the period', () => {
    expect(read({ unit: '24', period: '2024' }).unit?.name).toBe('Tỉnh Bắc Giang')
    expect(read({ unit: '24' }).unit?.name).toBe('Tỉnh Bắc Ninh')
    expect(read({ unit: '58' }).unit?.name).toBe('Tỉnh Ninh Thuận')
  })

  it('that does not exist is told, not guessed', () => {
    for (const unit of ['99', '24@2020-01-01', '24@', 'constructor']) expect(() => read({ unit })).toThrow(AddressError)
    expect(read({ unit: 'VN' }).unit).toBeUndefined()
  })
})

describe('the period', () => {
  it('is the whole time, a named one, or two days', () => {
    expect(read({}).period.kind).toBe('whole')
    expect(read({ period: '2023-H1' }).period).toMatchObject({ from: '2023-01-01', to: '2023-06-30' })
    expect(read({ from: '2023-01-05', to: '2023-01-06', period: '2025' }).period).toMatchObject({
      kind: 'free',
      from: '2023-01-05',
      to: '2023-01-06',
    })
    expect(read({ from: '2023-01-05' }).period.to).toBe('2149-06-06')
  })

  it('that is none is refused', () => {
    const wrong = [
      { period: '2023-H3' },
      { from: '2023-02-30', to: '2023-03-01' },
      { from: '2023-02-02', to: '2023-02-01' },
      { to: 'tomorrow' },
    ]
    for (const query of wrong) expect(() => read(query)).toThrow(AddressError)
  })
})

it('every address leads back to the same state', () => {
  for (const query of [
    {},
    { lang: 'en', unit: '24@1970-01-01', period: '2023-Q2', sort: '-on_time' },
    { lang: 'vi', from: '2023-01-05', to: '2023-02-06', sort: 'name' },
  ]) {
    const state = read(query)
    const again = read(Object.fromEntries(new URL(hrefOf(state), 'http://x').searchParams))
    expect(again).toEqual(state)
  }
})

it('breadcrumbs follow the units of their time', () => {
  const commune = units.at('22840', '1970-01-01')
  if (commune === undefined) throw new Error('no such commune')
  expect(units.above(commune).map(placeKey)).toEqual(['58@1970-01-01', '584@1970-01-01'])
})
