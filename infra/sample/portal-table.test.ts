/** The portal's table: every row is a province of today; a bad table is told with its line and column. */
import { describe, expect, test } from 'vitest'
import { dossiersOf } from './plan.ts'
import {
  ClockError,
  checkClock,
  PORTAL_TABLE,
  parsePortalTable,
  portalPlan,
  portalRow,
  provinceOfRow,
  readPortalTable,
  TableError,
} from './portal-table.ts'

const table = readPortalTable(PORTAL_TABLE)

test('all 34 rows are different provinces of 2026-10-10, and can be replayed', () => {
  expect(table.as_of).toBe('2026-10-10')
  expect(table.rows.length).toBe(34)
  const codes = new Set(table.rows.map(row => provinceOfRow(table, row).code))
  expect(codes.size).toBe(34)
  for (const row of table.rows) {
    const plan = portalPlan(table, row, '1')
    expect(dossiersOf(plan)).toBe(row.received)
    expect(plan.outcomes.early + plan.outcomes.on_time + plan.outcomes.undated).toBe(row.on_time)
  }
  expect(provinceOfRow(table, portalRow(table, 'H18'))).toMatchObject({ code: '11', valid_from: '2025-07-01' })
  expect(provinceOfRow(table, portalRow(table, 'H05')).code).toBe('24')
})

test('an unknown province is told with those there are', () => {
  expect(() => portalRow(table, 'H99')).toThrow(/no province "H99"; allowed are[\s\S]*H18 {2}UBND tỉnh Điện Biên/)
})

describe('a limit scales the row down', () => {
  const row = portalRow(table, 'H18')
  test.each([1, 7, 400, 5_000, 73_607, 73_608])('to %i dossiers, on time and late still all of them', limit => {
    const { outcomes, published, ...plan } = portalPlan(table, row, '1', limit)
    expect(dossiersOf(plan)).toBe(limit)
    expect(outcomes.early + outcomes.on_time + outcomes.undated + outcomes.late).toBe(limit)
    expect(outcomes.late).toBe(Math.round((limit * 3_527) / 73_608))
    expect(published.settled_on_time).toBe(limit - outcomes.late)
  })
  test.each([0, -1, 2.5, 73_609])('%d is refused', limit =>
    expect(() => portalPlan(table, row, '1', limit)).toThrow(TableError),
  )
})

describe('a bad table', () => {
  const header = 'department_code\tname\tTDGQ_totalReceived\tTDGQ_totalOnTime\tTDGQ_totalOverdue'
  test.each([
    [
      'a column is missing',
      'department_code\tname\tTDGQ_totalReceived\tTDGQ_totalOverdue\nH18\tx\t1\t1',
      'line 1: the column TDGQ_totalOnTime is missing',
    ],
    [
      'no number',
      `${header}\nH18\tUBND tỉnh Điện Biên\t10\tten\t0`,
      'line 2: the column TDGQ_totalOnTime is "ten"; it must be a whole number',
    ],
    ['a cell is empty', `${header}\n\nH18\t\t10\t10\t0`, 'line 3: the column name is empty'],
    ['a row is cut off', `${header}\nH18\tUBND tỉnh Điện Biên\t10`, 'line 2: the column TDGQ_totalOnTime is empty'],
    [
      'more settled than received',
      `${header}\nH18\tUBND tỉnh Điện Biên\t10\t9\t2`,
      'line 2: TDGQ_totalOnTime and TDGQ_totalOverdue are 11 together',
    ],
    ['no rows', header, 'holds no rows'],
  ])('%s', (_, text, message) => expect(() => parsePortalTable('bad.tsv', text)).toThrow(message))

  test('a name that is no province', () => {
    const rows = parsePortalTable('x.tsv', `${header}\nH18\tUBND tỉnh Atlantis\t10\t9\t1`)
    const bad = { file: 'x.tsv', as_of: '2026-10-10', rows }
    expect(() => portalPlan(bad, portalRow(bad, 'H18'), '1')).toThrow(
      /line 2: the column name is "UBND tỉnh Atlantis", no province of 2026-10-10; there are .*Tỉnh Điện Biên/,
    )
  })

  test('a file that is not there, or names no day', () => {
    expect(() => readPortalTable('/nowhere/x-2026-10-10.tsv')).toThrow(/x-2026-10-10.tsv cannot be read/)
    expect(() => readPortalTable(PORTAL_TABLE, '2026-02-30')).toThrow(/"2026-02-30" is no day/)
  })

  test('columns in another order, other columns, Windows line ends and a byte order mark do no harm; the rest stays pending', () => {
    const rows = parsePortalTable(
      'x.tsv',
      '\uFEFFTDGQ_totalOverdue\tname\textra\tTDGQ_totalOnTime\tdepartment_code\tTDGQ_totalReceived\r\n1\tUBND tỉnh Điện Biên\t?\t7\tH18\t10\r\n',
    )
    expect(rows).toEqual([
      { line: 2, department_code: 'H18', name: 'UBND tỉnh Điện Biên', received: 10, on_time: 7, late: 1 },
    ])
    const own = { file: 'x.tsv', as_of: '2026-10-10', rows }
    expect(portalPlan(own, portalRow(own, 'H18'), '1').outcomes.pending).toBe(2)
  })
})

test('a clock before the last day of the sample ends in one message', () => {
  const plan = portalPlan(table, portalRow(table, 'H18'), '1')
  expect(() => checkClock(plan, Date.parse('2026-10-09T23:59:59+07:00'))).toThrow(ClockError)
  expect(() => checkClock(plan, Date.parse('2026-10-09T23:59:59+07:00'))).toThrow(
    /2026-10-09.*goes to 2026-10-10.*--no-sample/,
  )
  expect(() => checkClock(plan, Date.parse('2026-10-10T00:00:00+07:00'))).not.toThrow()
})
