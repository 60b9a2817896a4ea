/** Loads `working_days` from `reference/holidays.csv`, when the file or the rules have changed. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ClickHouseClient } from '@clickhouse/client'
import { createCalendar } from './calendar.ts'
import { HOLIDAYS, readHolidays } from './holidays.ts'
import { lastLoad, loadTables } from './list-loads.ts'

/** Returns the names of the tables it filled. Throws CalendarError with everything that is wrong with the file. */
export async function loadCalendar(clickhouse: ClickHouseClient): Promise<string[]> {
  const hash = createHash('sha256')
  for (const file of [HOLIDAYS, new URL('calendar.ts', import.meta.url)]) hash.update(readFileSync(file))
  const checksum = hash.digest('hex')
  if ((await lastLoad(clickhouse, 'calendar'))?.checksum === checksum) return []
  const { days } = createCalendar(readHolidays())
  return loadTables(clickhouse, 'calendar', { working_days: days }, { checksum, source: '' })
}
