/** A day that does not exist is an error that names the parameter, in every view: never another day. */
import { expect, test } from 'vitest'
import { rowsOf } from '../common/clickhouse.ts'
import { ownDatabase } from './own-database.ts'

const DATABASE = 'motcua_days'
const { clickhouse } = ownDatabase(DATABASE)

const NO_DAYS = [
  '2023-02-31',
  '2023-13-01',
  '2023-00-10',
  '2023-02-29',
  '2999-12-31',
  '1899-12-31',
  '2023-2-1',
  '31/12/2023',
  '2023-01-01 00:00:00',
  '',
]
/** Parameters that are no days. */
const OTHERS: Record<string, string> = {
  tier: 'province',
  period: '2025',
  units: 'as_recorded',
  split: 'none',
  unit: '08746',
  soon: '5',
  least: '1',
  at: '2026-01-01 00:00:00',
}

test('every view that takes a day', async () => {
  const views = await rowsOf<{ name: string; text: string }>(
    clickhouse,
    `SELECT name, create_table_query AS text FROM system.tables WHERE database = '${DATABASE}' AND engine = 'View'`,
  )
  const wrong: string[] = []
  let asked = 0
  for (const { name, text } of views) {
    const parameters = [...new Set([...text.matchAll(/\{(\w+):/g)].map(([, one]) => one as string))]
    const days = parameters.filter(one => !(one in OTHERS))
    for (const day of days)
      for (const value of NO_DAYS) {
        const given = parameters.map(one => `${one} = '${one === day ? value : (OTHERS[one] ?? '2025-12-31')}'`)
        // To be refused it need not run.
        const answer = await rowsOf(clickhouse, `EXPLAIN PLAN SELECT * FROM ${name}(${given.join(', ')})`).then(
          rows => `${rows.length} rows`,
          (error: Error) => error.message,
        )
        asked++
        if (
          !answer.startsWith(`${day} must be a day such as 2025-08-04, from 1970-01-01 to 2149-06-06; it is ${value}`)
        )
          wrong.push(`${name}, ${day} = '${value}': ${answer.slice(0, 150)}`)
      }
  }
  expect(wrong).toEqual([])
  expect(asked).toBeGreaterThan(400)
}, 300_000)

test('a day may be computed, or bound as a text', async () => {
  for (const [from, to] of [
    ["'2025-01-01'", "'2025-12-31'"],
    ["'1970-01-01'", "'2149-06-06'"],
    ['today() - 30', 'today()'],
    ['{from:String}', '{to:Date}'],
  ])
    await expect(
      rowsOf(clickhouse, `SELECT * FROM rates(from=${from}, to=${to}, tier='country')`, {
        from: '2025-01-01',
        to: '2025-12-31',
      }),
    ).resolves.toEqual([])
  await expect(
    rowsOf(clickhouse, "SELECT * FROM rates(from='2025-01-01', to={to:String}, tier='country')", { to: '2025-11-31' }),
  ).rejects.toThrow(/^to must be a day/)
})
