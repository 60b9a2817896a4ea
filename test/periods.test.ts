/** Named periods: their days, to date, and beside the same days of the year before. */
import { expect, test } from 'vitest'
import { rowsOf } from '../common/clickhouse.ts'
import { eventJson, eventOf } from './events.ts'
import { ownDatabase } from './own-database.ts'

const database = ownDatabase('motcua_periods')

const daysOf = async (period: string, until = '2100-01-01') =>
  Object.values(
    (
      await rowsOf<Record<string, string>>(
        database.clickhouse,
        'SELECT toString(first_day), toString(last_day), toString(year_before_first_day), toString(year_before_last_day) FROM period_days(period={period:String}, until={until:Date})',
        { period, until },
      )
    )[0] ?? {},
  )

test.each([
  ['2024', '2100-01-01', '2024-01-01', '2024-12-31', '2023-01-01', '2023-12-31'],
  ['2025-H1', '2100-01-01', '2025-01-01', '2025-06-30', '2024-01-01', '2024-06-30'],
  ['2025-H2', '2100-01-01', '2025-07-01', '2025-12-31', '2024-07-01', '2024-12-31'],
  ['2025-Q1', '2100-01-01', '2025-01-01', '2025-03-31', '2024-01-01', '2024-03-31'],
  ['2025-Q4', '2100-01-01', '2025-10-01', '2025-12-31', '2024-10-01', '2024-12-31'],
  ['2026-9M', '2100-01-01', '2026-01-01', '2026-09-30', '2025-01-01', '2025-09-30'],
  ['2024-02', '2100-01-01', '2024-02-01', '2024-02-29', '2023-02-01', '2023-02-28'],
  ['2025-12', '2100-01-01', '2025-12-01', '2025-12-31', '2024-12-01', '2024-12-31'],
  ['2025-07-03', '2100-01-01', '2025-07-03', '2025-07-03', '2024-07-03', '2024-07-03'],
  // To date: both sides are cut off at the same day.
  ['2026', '2026-10-10', '2026-01-01', '2026-10-10', '2025-01-01', '2025-10-10'],
  ['2024-Q1', '2024-02-29', '2024-01-01', '2024-02-29', '2023-01-01', '2023-02-28'],
])('%s until %s', async (period, until, ...days) => {
  expect(await daysOf(period, until)).toEqual(days)
})

test.each(['2025-H3', '2025-Q5', '2025-13', '25', '2025-07-32', '2025-02-30', 'Q1-2025', '1889', ''])(
  '"%s" is no period, and it is said what one is',
  async period => {
    await expect(daysOf(period)).rejects.toThrow(/period must be a year \(2025\), half \(2025-H1\)/)
  },
)

test('a period that has not begun is refused', async () => {
  await expect(daysOf('2026-Q4', '2026-09-30')).rejects.toThrow(/until must not be before the period begins/)
})

test('every view of a period refuses one that ends before it begins', async () => {
  const views = await rowsOf<{ name: string; statement: string }>(
    database.clickhouse,
    "SELECT name, create_table_query AS statement FROM system.tables WHERE database = currentDatabase() AND create_table_query LIKE '%{from:String}%' ORDER BY name",
  )
  expect(views.length).toBeGreaterThan(20)
  const values: Record<string, string> = {
    ...{ from: '2025-02-01', to: '2025-01-31', tier: 'commune', units: '2026-01-01', split: 'none' },
    ...{ at: '2026-01-01 00:00:00', unit: '58', least: '1' },
  }
  for (const { name, statement } of views) {
    const parameters = [...new Set([...statement.matchAll(/\{(\w+):/g)].map(([, parameter]) => parameter as string))]
    const words = parameters.map(parameter => `${parameter}='${values[parameter]}'`).join(', ')
    await expect(rowsOf(database.clickhouse, `SELECT * FROM ${name}(${words})`), name).rejects.toThrow(
      /from must not be after to/,
    )
  }
}, 60_000)

test('rates beside those of the year before, whole and to date', async () => {
  const dossier = (n: number, received_at: string, channel: 'ONLINE' | 'COUNTER') =>
    eventOf(eventJson({ dossier_id: `P-${n}`, received_at, channel, processing_unit: '58' }))
  await database.empty()
  await database.ingest([
    dossier(1, '2023-02-01T09:00:00+07:00', 'COUNTER'),
    dossier(2, '2023-03-31T23:59:59+07:00', 'ONLINE'),
    dossier(3, '2024-01-01T00:00:00+07:00', 'ONLINE'),
    dossier(4, '2024-02-15T09:00:00+07:00', 'ONLINE'),
    dossier(5, '2024-04-01T00:00:00+07:00', 'COUNTER'),
  ])
  const rates = (until: string) =>
    rowsOf(
      database.clickhouse,
      `SELECT received, received_online, online_rate, year_before_received, year_before_online_rate, received_growth, online_rate_change, on_time_rate_change
       FROM rates_of_period(period='2024-Q1', until='${until}', tier='province') WHERE unit_code = '58'`,
    )
  expect(await rates('2100-01-01')).toEqual([
    {
      received: 2,
      received_online: 2,
      online_rate: 1,
      year_before_received: 2,
      year_before_online_rate: 0.5,
      received_growth: 0,
      online_rate_change: 0.5,
      on_time_rate_change: null,
    },
  ])
  expect(await rates('2024-02-10')).toMatchObject([
    { received: 1, year_before_received: 1, year_before_online_rate: 0, online_rate_change: 1 },
  ])
})
