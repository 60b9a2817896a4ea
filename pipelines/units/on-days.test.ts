import { expect, test } from 'vitest'
import { readReference } from '../reference.ts'
import { createLists, type Successor, type Unit } from './lists.ts'
import { unitsOnDays } from './on-days.ts'

const units = readReference('administrative_units')
const onDaysOf = (rows: Unit[], successors: Successor[]) => unitsOnDays(createLists(rows, successors))
const onDays = onDaysOf(units, readReference('unit_successors'))
const byCode = Map.groupBy(onDays, row => row.unit_code)

/** Where a code counts on a day. */
const at = (code: string, day: string) => {
  const row = byCode.get(code)?.findLast(candidate => candidate.from_day <= day)
  const text = (place?: { code: string; valid_from: string }) =>
    place === undefined || place.code === '' ? '-' : `${place.code} ${place.valid_from}`
  return [text(row?.commune), text(row?.district), text(row?.province)]
}

test.each([
  ['a commune before the reform', '08152', '2025-06-30', ['08152 1970-01-01', '232 1970-01-01', '25 1970-01-01']],
  ['its code after the reform', '08152', '2025-07-01', ['08152 2025-07-01', '-', '25 2025-07-01']],
  [
    'an ended commune stays where it is recorded, in the successor province',
    '08710',
    '2025-07-15',
    ['08710 1970-01-01', '-', '25 2025-07-01'],
  ],
  ['a code that came later, before its time', '19742', '2025-06-20', ['19742 2025-07-01', '-', '44 2025-07-01']],
  ['a district', '232', '2025-06-30', ['-', '232 1970-01-01', '25 1970-01-01']],
  ['an ended district counts in its province only', '243', '2025-07-01', ['-', '-', '25 2025-07-01']],
  ['an island district without communes', '318', '2026-01-01', ['-', '-', '31 2025-07-01']],
  ['a province', '26', '2025-06-30', ['-', '-', '26 1970-01-01']],
  ['an ended province counts in its successor', '26', '2025-07-01', ['-', '-', '25 2025-07-01']],
  ['one code, two places: before', '24', '2025-06-30', ['-', '-', '24 1970-01-01']],
  ['one code, two places: after', '24', '2025-07-01', ['-', '-', '24 2025-07-01']],
  ['15 was Yên Bái and is Lào Cai', '15', '2025-07-01', ['-', '-', '15 2025-07-01']],
  ['10 was Lào Cai', '10', '2025-07-01', ['-', '-', '15 2025-07-01']],
])('%s', (_, code, day, expected) => {
  expect(at(code, day)).toEqual(expected)
})

test('every unit has a province on every day, valid on that day', () => {
  for (const day of ['1990-01-01', '2025-06-30', '2025-07-01', '2026-11-22'])
    for (const code of byCode.keys()) {
      const [, , province] = at(code, day)
      expect(province, `${code} on ${day}`).not.toBe('-')
    }
})

test('in old times every commune has a district of its own province; today none has one', () => {
  for (const unit of units.filter(candidate => candidate.level === 'commune' && candidate.valid_to === '2025-06-30')) {
    expect(at(unit.unit_code, '2023-01-01')).toEqual([
      `${unit.unit_code} 1970-01-01`,
      `${unit.district_code} 1970-01-01`,
      `${unit.province_code} 1970-01-01`,
    ])
    expect(at(unit.unit_code, '2026-01-01')[1]).toBe('-')
  }
})

const unit = (change: Partial<Unit>): Unit => ({
  unit_code: '1',
  level: 'province',
  name: 'P',
  province_code: '1',
  district_code: '',
  valid_from: '2000-01-01',
  valid_to: '2010-12-31',
  ...change,
})

test('overlapping validity is refused with the unit and the rows', () => {
  expect(() => onDaysOf([unit({}), unit({ valid_from: '2010-12-31', valid_to: '2020-01-01' })], [])).toThrow(
    /unit 1: the rows from 2000-01-01 and from 2010-12-31 overlap/,
  )
})
test('a province that is in no list is refused', () => {
  expect(() => onDaysOf([unit({ unit_code: '2', level: 'commune', province_code: '9' })], [])).toThrow(
    /its province 9 is in no list/,
  )
})
