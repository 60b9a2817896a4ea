/** What a new list changes, told from two small lists that differ in one thing each. */
import { expect, test } from 'vitest'
import { changedPairs, changesOf, type LedgerCount, movesOf, periodsOfBoth } from './changes.ts'
import type { UnitLists } from './tables.ts'

type Row = UnitLists['units'][number]
const unit = (unit_code: string, of: Partial<Row> = {}): Row => ({
  unit_code,
  level: unit_code.length === 2 ? 'province' : 'commune',
  kind: '',
  name: `N${unit_code}`,
  province_code: unit_code.length === 2 ? unit_code : '01',
  district_code: '',
  valid_from: '1970-01-01',
  valid_to: '2149-06-06',
  lat: null,
  lon: null,
  area_km2: null,
  ...of,
})
const before: UnitLists = { units: [unit('01'), unit('02'), unit('00001'), unit('00002')], successors: [] }
const with_ = (...units: Row[]): UnitLists => ({
  units: [...before.units.filter(row => !units.some(one => one.unit_code === row.unit_code)), ...units],
  successors: [],
})
const ended: UnitLists = {
  units: [
    ...before.units.slice(0, 2),
    unit('00001', { valid_to: '2026-04-30' }),
    unit('00002', { valid_to: '2026-04-30' }),
    unit('00003', { valid_from: '2026-05-01', province_code: '02' }),
  ],
  successors: ['00001', '00002'].map(predecessor_code => ({
    level: 'commune',
    predecessor_code,
    successor_code: '00003',
    effective_date: '2026-05-01',
    successor_count: 1,
  })),
}
const kinds = (after: UnitLists) =>
  changesOf(before, after).map(({ kind, unit_code, before: was, after: is }) => [kind, unit_code, was, is].join(' '))

test.each<[string, UnitLists, string[]]>([
  ['nothing', before, []],
  ['a name', with_(unit('00001', { name: 'M' })), ['renamed 00001 N00001 M']],
  ['a parent', with_(unit('00001', { province_code: '02' })), ['parent 00001 01 02']],
  ['a merger', ended, ['begins 00003  ', 'ends 00001 2149-06-06 2026-04-30', 'ends 00002 2149-06-06 2026-04-30']],
  ['a unit less', { units: before.units.slice(0, 3), successors: [] }, ['removed 00002  ']],
  ['an area', with_(unit('00001', { area_km2: 3 })), ['other 00001 commune, , , ,  commune, , , , 3']],
])('%s', (_, after, expected) => {
  expect(kinds(after)).toEqual(expected)
})

test('pairs of successors that came and went', () => {
  expect(changedPairs(before, ended)).toEqual({ added: 2, removed: 0 })
  expect(changedPairs(ended, before)).toEqual({ added: 0, removed: 2 })
})

test('dossiers that move, and those whose code is in no row any more', () => {
  expect(periodsOfBoth(before, ended)).toEqual(['1970-01-01', '2026-05-01'])
  const ledger: LedgerCount[] = [
    { unit_code: '00001', period: '1970-01-01', dossiers: 7 },
    { unit_code: '00002', period: '2026-05-01', dossiers: 5 },
  ]
  expect(movesOf(before, ended, ledger)).toEqual({
    dossiers: 12,
    unknown: [],
    moved: { commune: 0, district: 0, province: 0 },
    provinces: [],
    rebased: { commune: 12, district: 0, province: 12 },
  })
  const elsewhere = movesOf(before, with_(unit('00002', { province_code: '02' })), ledger)
  expect(elsewhere.moved).toEqual({ commune: 0, district: 0, province: 5 })
  expect(elsewhere.provinces).toMatchObject([{ from: { code: '01' }, to: { code: '02' }, dossiers: 5 }])
  expect(movesOf(before, { units: before.units.slice(0, 3), successors: [] }, ledger).unknown).toEqual([ledger[1]])
})
