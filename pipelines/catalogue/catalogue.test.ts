/** A catalogue's files: what is refused, with which words; and what a new one changes. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { textOf } from '../problems.ts'
import { changesBetween, linesOf, readingsOf } from './changes.ts'
import { OWN_FOLDER, readAndCheck } from './load.ts'

const FIXTURE = fileURLToPath(new URL('../../test/data/catalogue', import.meta.url))
let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'motcua-catalogue-'))
  cpSync(FIXTURE, folder, { recursive: true })
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const change = (file: string, from: string, to: string) => {
  const path = join(folder, file)
  const text = readFileSync(path, 'utf8')
  expect(text).toContain(from)
  writeFileSync(path, text.replace(from, to))
}
const problems = () => readAndCheck(folder).problems.map(textOf)

test('the own catalogue is in order: 2,948 procedures, 176 sectors, 43 titles, 23 of them certain', () => {
  const { tables, problems: none } = readAndCheck(OWN_FOLDER)
  expect(none).toEqual([])
  expect([tables.procedures.length, tables.sectors.length]).toEqual([2_948, 176])
  const titles = Map.groupBy(tables.procedure_groups, row => `${row.decision} ${row.title_vi}`)
  expect(titles.size).toBe(43)
  expect([...titles.values()].filter(([row]) => row?.certain)).toHaveLength(23)
  expect(new Set(tables.procedure_groups.map(row => row.group_code))).toEqual(new Set(['ESSENTIAL_SERVICES']))
})

test('versions, words of the portal and empty cells become rows', () => {
  const { tables, problems: none } = readAndCheck(folder)
  expect(none).toEqual([])
  expect(tables.procedures.slice(0, 2)).toMatchObject([
    { valid_from: '1970-01-01', valid_to: '2025-06-30', time_min: 5, time_max: 10, channels: 'COUNTER', name_en: '' },
    { valid_from: '2025-07-01', valid_to: '2149-06-06', time_min: null, time_max: 3, channels: 'ONLINE|POSTAL' },
  ])
  expect(tables.procedure_groups.map(row => `${row.group_code} ${row.number} ${row.procedure_code}`)).toEqual([
    'ESSENTIAL_SERVICES 1 1.000001',
    'ESSENTIAL_SERVICES 1 1.000002',
    'ESSENTIAL_SERVICES null 1.000002',
    'ESSENTIAL_SERVICES null 1.000004',
    'ESSENTIAL_SERVICES null ',
    'INTERLINKED null 1.000003',
    'INTERLINKED null 1.000001',
  ])
})

const PROCEDURES = 'procedures.csv'
const LINE_4 = '1.000002,,,Không rõ mức,TAX,Bộ B,COMMUNE,,,,5,5,DAY'
test.each([
  [
    'an unknown sector',
    PROCEDURES,
    'mức,TAX',
    'mức,TAXES',
    'line 4: sector_code is "TAXES"; allowed: a code of sectors.csv, or nothing',
  ],
  [
    'a code twice',
    PROCEDURES,
    LINE_4,
    `${LINE_4}\n${LINE_4}`,
    'line 5: procedure_code is "1.000002"; allowed: a code once, or days outside the row on line 4, 1970-01-01 to open',
  ],
  [
    'days that overlap',
    PROCEDURES,
    '1.000001,2025-07-01',
    '1.000001,2025-06-30',
    'line 3: valid_from is "2025-06-30"; allowed: a day outside the row on line 2, 1970-01-01 to 2025-06-30',
  ],
  [
    'an end before the beginning',
    PROCEDURES,
    '1.000004,2024-06-01,',
    '1.000004,2024-06-01,2024-05-31',
    'line 6: valid_to is "2024-05-31"; allowed: a day not before valid_from, 2024-06-01',
  ],
  [
    'no day',
    PROCEDURES,
    '1.000004,2024-06-01',
    '1.000004,2024-06-31',
    'line 6: valid_from is "2024-06-31"; allowed: a day from 1970-01-01 to 2149-06-06, or nothing',
  ],
  [
    'another sector in time',
    PROCEDURES,
    '"Thủ tục, bản mới",LAND',
    '"Thủ tục, bản mới",TAX',
    'line 3: sector_code is "TAX"; allowed: LAND, as in the row on line 2, 1970-01-01 to 2025-06-30',
  ],
  [
    'an unknown level',
    PROCEDURES,
    'INFORMATION',
    'LEVEL_4',
    'line 5: service_level is "LEVEL_4"; allowed: FULL, PARTIAL, INFORMATION, or nothing',
  ],
  [
    'an unknown channel',
    PROCEDURES,
    'ONLINE|POST',
    'ONLINE|FAX',
    'line 3: channels is "ONLINE|FAX"; allowed: ONLINE, COUNTER, POSTAL, several with | between, or nothing',
  ],
  [
    'an unknown tier',
    PROCEDURES,
    'COMMUNE|PROVINCE',
    'WARD',
    'line 3: tier is "WARD"; allowed: MINISTRY, PROVINCE, DISTRICT, COMMUNE, OTHER, several with | between, or nothing',
  ],
  [
    'an unknown unit of time',
    PROCEDURES,
    '5,5,DAY',
    '5,5,WEEK',
    'line 4: time_unit is "WEEK"; allowed: HOUR, DAY, WORKING_DAY, MONTH, or nothing',
  ],
  [
    'a longest time below the shortest',
    PROCEDURES,
    '5,10,WORKING_DAY',
    '5,4,WORKING_DAY',
    'line 2: time_max is "4"; allowed: not less than time_min, 5',
  ],
  [
    'a time that is no number',
    PROCEDURES,
    '5,10,WORKING_DAY',
    '5,ten,WORKING_DAY',
    'line 2: time_max is "ten"; allowed: a number from 0 to 9999, or nothing',
  ],
  [
    'an unknown column',
    PROCEDURES,
    'valid_from',
    'valid_form',
    'line 1: a column is "valid_form"; allowed: procedure_code, valid_from',
  ],
  [
    'a missing column',
    'sectors.csv',
    'name_en',
    'sources',
    'line 1: the header is "sector_code,name_vi,sources,group_code"; allowed: also name_en',
  ],
  [
    'a sector twice',
    'sectors.csv',
    'TAX,',
    'LAND,x,x,x\nTAX,',
    'line 3: sector_code is "LAND"; allowed: once; it stands on line 2 too',
  ],
  [
    'an unknown member of a group',
    'essential_services.csv',
    '1.000001|',
    '1.999999|',
    'line 2: procedure_codes is "1.999999"; allowed: codes of procedures.csv, or nothing',
  ],
  [
    'a member twice',
    'procedure_groups.csv',
    '1.000003|1.000001',
    '1.000003|1.000003',
    'line 2: procedure_codes is "1.000003"; allowed: each code once',
  ],
  [
    'neither yes nor no',
    'essential_services.csv',
    ',,yes,',
    ',,maybe,',
    'line 2: certain is "maybe"; allowed: yes or no',
  ],
  [
    'a title twice',
    'essential_services.csv',
    'Dịch vụ ba',
    'Dịch vụ hai',
    'line 4: name_vi is "Dịch vụ hai"; allowed: once; it stands on line 3 too',
  ],
])('%s is refused', (_, file, from, to, words) => {
  change(file, from, to)
  expect(problems()).toEqual([expect.stringContaining(`error: ${file}, ${words}`)])
})

test('a file that is missing, empty or broken is refused; that of other groups may be missing', () => {
  rmSync(join(folder, 'procedure_groups.csv'))
  expect(problems()).toEqual([])
  rmSync(join(folder, 'sectors.csv'))
  writeFileSync(join(folder, PROCEDURES), 'procedure_code,name_vi\n')
  writeFileSync(join(folder, 'essential_services.csv'), 'number,name_vi\n1\n')
  expect(problems()).toEqual([
    expect.stringMatching(/^error: sectors.csv: the file is .*ENOENT/),
    expect.stringMatching(/^error: procedures.csv: the file is .*at least one row below the header/),
    expect.stringMatching(/^error: essential_services.csv: the file is .*a CSV file with a header/),
  ])
})

test('what changes: rows by their keys, fields with before and after, dossiers that are read differently', () => {
  const before = readAndCheck(folder).tables
  expect(changesBetween(before, before)).toEqual([])
  expect(linesOf([])).toEqual(['Nothing changes.'])
  change(PROCEDURES, LINE_4, LINE_4.replace('1.000002,,', '1.000002,,2026-12-31').replace('TAX', 'LAND'))
  change(PROCEDURES, '1.000004,2024', '1.000005,2024')
  change('essential_services.csv', '1.000004', '1.000005')
  const after = readAndCheck(folder).tables
  const readings = readingsOf(before, after, [
    { procedure_code: '', dossiers: 100 },
    { procedure_code: '1.000002', dossiers: 20 },
    { procedure_code: '1.000004', dossiers: 3 },
    { procedure_code: '9.999999', dossiers: 1 },
  ])
  expect(readings).toEqual({ dossiers: 124, unknown_before: 1, unknown_after: 4, other_sector: 23 })
  expect(linesOf(changesBetween(before, after), readings)).toEqual([
    'What changes:',
    '  1 procedures added',
    '    1.000005 2024-06-01',
    '  1 procedures removed',
    '    1.000004 2024-06-01',
    '  1 procedures changed',
    '    1.000002 1970-01-01; valid_to: 2149-06-06 → 2026-12-31; sector_code: TAX → LAND',
    '  1 titles with a procedure in a group added',
    '    ESSENTIAL_SERVICES 422/QĐ-TTg Dịch vụ hai 1.000005',
    '  1 titles with a procedure in a group removed',
    '    ESSENTIAL_SERVICES 422/QĐ-TTg Dịch vụ hai 1.000004',
    'Of 124 dossiers of the ledger:',
    '  23 are read in another sector',
    '  4 have a procedure that is not in the catalogue (so far 1)',
  ])
})
