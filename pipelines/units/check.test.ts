/**
 * Every kind of mistake in a list is named with its line, field, value and what is allowed; the project's own list has
 * none.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Lined, RowOf } from '../reference.ts'
import { readReference, readRows } from '../reference.ts'
import { agencyRows, checkAgencies } from './agencies.ts'
import { checkUnits } from './check.ts'
import { createLists } from './lists.ts'

type UnitRow = Lined<RowOf<'administrative_units'>>
type PairRow = Lined<RowOf<'unit_successors'>>

const unit = (line: number, unit_code: string, of: Partial<UnitRow> = {}): UnitRow => ({
  line,
  unit_code,
  level: 'commune',
  kind: 'Xã',
  name: 'X',
  province_code: '01',
  district_code: '',
  valid_from: '1970-01-01',
  valid_to: '2149-06-06',
  lat: null,
  lon: null,
  area_km2: null,
  ...of,
})
const province = unit(2, '01', { level: 'province' })
const OLD = { valid_to: '2025-06-30' }
const NEW = { valid_from: '2025-07-01' }
const pair = (line: number, predecessor_code: string, successor_code: string, of: Partial<PairRow> = {}): PairRow => ({
  line,
  level: 'commune',
  predecessor_code,
  successor_code,
  effective_date: '2025-07-01',
  successor_count: 1,
  ...of,
})
const told = (units: UnitRow[], pairs: PairRow[] = []) =>
  checkUnits([province, ...units], pairs).map(
    ({ severity, file, line, field, value, allowed }) =>
      `${severity} ${file.slice(0, 6)} ${line} ${field} ${value}: ${allowed}`,
  )

test.each<[string, string[], UnitRow[], PairRow[]?]>([
  ['nothing', [], [unit(3, '00001', OLD), unit(4, '00002', NEW)], [pair(2, '00001', '00002')]],
  [
    'overlapping validity',
    ['error admini 4 valid_from 2025-06-30: a day outside the other row of 00001, 1970-01-01 to 2025-06-30 (line 3)'],
    [unit(3, '00001', OLD), unit(4, '00001', { valid_from: '2025-06-30' })],
  ],
  [
    'a row twice',
    ['error admini 4 valid_from 1970-01-01: a day outside the other row of 00001, 1970-01-01 to 2149-06-06 (line 3)'],
    [unit(3, '00001'), unit(4, '00001')],
  ],
  [
    'an end before the beginning',
    ['error admini 3 valid_to 2025-06-30: a day not before valid_from 2025-07-01'],
    [unit(3, '00001', { ...NEW, ...OLD })],
  ],
  [
    'a province that is not there',
    ['error admini 3 province_code 09: a province that is valid from 1970-01-01 to 2149-06-06'],
    [unit(3, '00001', { province_code: '09' })],
  ],
  [
    'a district that ends too early',
    ['error admini 4 district_code 001: nothing, or a district that is valid from 1970-01-01 to 2149-06-06'],
    [unit(3, '001', { ...OLD, level: 'district', district_code: '001' }), unit(4, '00001', { district_code: '001' })],
  ],
  ['a code of the wrong length', ['error admini 3 unit_code 0001: 5 digits for a commune'], [unit(3, '0001')]],
  [
    'a province under another one',
    ['error admini 3 province_code 01: its own code 02'],
    [unit(3, '02', { level: 'province' })],
  ],
  [
    'an end without a successor',
    [
      'warning admini 3 valid_to 2025-06-30: a unit that goes on, or a successor from 2025-07-01 on in unit_successors.csv; without one its dossiers stay where they are recorded',
    ],
    [unit(3, '00001', OLD)],
  ],
  [
    'a successor that is not there',
    ['error unit_s 2 successor_code 00009: a commune of administrative_units.csv'],
    [unit(3, '00001', OLD)],
    [pair(2, '00001', '00009')],
  ],
  [
    'a successor that began before',
    ['error unit_s 2 successor_code 00002: a unit that begins on 2025-07-01 (00002 begins on 1970-01-01)'],
    [unit(3, '00001', OLD), unit(4, '00002')],
    [pair(2, '00001', '00002')],
  ],
  [
    'a predecessor that goes on',
    ['error unit_s 2 effective_date 2025-07-01: the day after 00001 has ended (its rows end on 2149-06-06)'],
    [unit(3, '00001'), unit(4, '00002', NEW)],
    [pair(2, '00001', '00002')],
  ],
  [
    'a pair twice',
    ['error unit_s 3 successor_code 00002: each pair once'],
    [unit(3, '00001', OLD), unit(4, '00002', NEW)],
    [pair(2, '00001', '00002', { successor_count: 2 }), pair(3, '00001', '00002', { successor_count: 2 })],
  ],
  [
    'a wrong number of successors',
    ['error unit_s 2 successor_count 3: 1, the number of its successors'],
    [unit(3, '00001', OLD), unit(4, '00002', NEW)],
    [pair(2, '00001', '00002', { successor_count: 3 })],
  ],
  [
    'codes that change places, which is no circle',
    [],
    [unit(3, '00001', OLD), unit(4, '00002', OLD), unit(5, '00001', NEW), unit(6, '00002', NEW)],
    [pair(2, '00001', '00002'), pair(3, '00002', '00001')],
  ],
])('%s', (_, expected, units, pairs) => {
  const problems = told(units, pairs).filter(
    text => !(text.startsWith('warning') && expected.every(e => e.startsWith('error'))),
  )
  expect(problems).toEqual(expected)
})

test('a circle of successors is named', () => {
  const problems = told(
    [unit(3, '00001', OLD), unit(4, '00002', OLD)],
    [pair(2, '00001', '00002'), pair(3, '00002', '00001')],
  )
  expect(problems).toContain(
    'error unit_s 3 successor_code 00001: a unit that does not lead back to its predecessor: 00001 → 00002 → 00001',
  )
})

test('the area of a split that is not known is a warning', () => {
  const units = [unit(3, '00001', OLD), unit(4, '00002', { ...NEW, area_km2: 1 }), unit(5, '00003', NEW)]
  const pairs = ['00002', '00003'].map((code, at) => pair(2 + at, '00001', code, { successor_count: 2 }))
  expect(told(units, pairs)).toEqual([
    "warning admini 5 area_km2 : an area above 0; without it 00001 is not shared out by split = 'area'",
  ])
})

test("the project's own lists have no error, and one warning", () => {
  const problems = checkUnits(readRows('administrative_units').rows, readRows('unit_successors').rows)
  expect(problems).toMatchObject([{ severity: 'warning', field: 'area_km2', line: 13676 }])
})

const lists = createLists(readReference('administrative_units'), readReference('unit_successors'))
const agencies = readReference('agencies')

test('an agency leads to its unit, a department to the province of the agency above it', () => {
  expect(checkAgencies(agencies, lists)).toEqual([])
  const rows = new Map(agencyRows(agencies, lists).map(row => [row.agency_code, row]))
  expect(rows.get('H01.101')).toMatchObject({
    unit_code: '30307',
    unit_valid_from: '2025-07-01',
    unit_name: 'Phường Long Xuyên',
    province_code: '91',
    province_valid_from: '2025-07-01',
    province_name: 'Tỉnh An Giang',
  })
  const department = agencies.find(agency => agency.kind === 'DEPARTMENT' && agency.parent_code === 'H21')
  expect(rows.get(department?.agency_code as string)).toMatchObject({ unit_name: '', province_code: '52' })
})

test.each<[string, Partial<(typeof agencies)[number]>, string]>([
  ['agency_code', { agency_code: 'H01' }, 'each code once'],
  ['parent_code', { parent_code: 'H999' }, 'an agency of kind PROVINCE'],
  ['parent_code', { kind: 'PROVINCE', unit_code: '91' }, 'nothing: a province has no agency above it'],
  ['unit_code', { unit_code: '99999' }, 'a commune, or nothing'],
  ['unit_code', { unit_code: '91' }, 'a commune, or nothing'],
  ['unit_code', { kind: 'DEPARTMENT' }, 'nothing: a department has no unit'],
])('an agency with a wrong %s: %j', (field, change, allowed) => {
  const [first, ...others] = agencies.filter(agency => agency.parent_code !== '' || agency.agency_code.length === 3)
  const at = others.findIndex(agency => agency.kind === 'COMMUNE')
  const broken = others.with(at, { ...(others[at] as (typeof agencies)[number]), ...change })
  expect(checkAgencies([first as (typeof agencies)[number], ...broken], lists)).toMatchObject([{ field, allowed }])
})

test('a file that is not there, or lacks a column, or holds a wrong cell, is named', () => {
  const folder = mkdtempSync(join(tmpdir(), 'motcua-rows-'))
  const path = join(folder, 'list.csv')
  const told = (text: string) => {
    writeFileSync(path, text)
    return readRows('unit_successors', path).problems
  }
  try {
    expect(readRows('unit_successors', path).problems).toMatchObject([{ line: 0, field: 'the file', value: path }])
    expect(told('level,predecessor_code\ncommune,00001\n')).toMatchObject([{ line: 1, field: 'the header' }])
    expect(
      told('level,predecessor_code,successor_code,effective_date,successor_count\nward,00001,00002,2025-02-30,0\n'),
    ).toMatchObject([
      { line: 2, field: 'level', value: 'ward', allowed: 'province, district, commune' },
      { line: 2, field: 'effective_date', value: '2025-02-30', allowed: 'a day such as 2025-07-01' },
      { line: 2, field: 'successor_count', value: '0', allowed: 'a whole number from 1 to 99' },
    ])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
