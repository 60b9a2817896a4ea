/** `reference/holidays.csv` as rows. */
import { readFileSync } from 'node:fs'
import { parse } from 'csv-parse/sync'
import { z } from 'zod'
import { CalendarError, HOLIDAY_KINDS, type Holiday } from './calendar.ts'

export const HOLIDAYS = new URL('reference/holidays.csv', import.meta.url)

const row = z.object({
  date: z.iso.date('a day such as 2025-07-01'),
  weekday: z.string(),
  name: z.string().min(1, 'a name'),
  kind: z.enum(HOLIDAY_KINDS, HOLIDAY_KINDS.join(', ')),
  certain: z.enum(['yes', 'no'], 'yes or no').transform(text => text === 'yes'),
})

/** Throws {@link CalendarError} that names line, field, value and what is allowed. */
export function readHolidays(path: string | URL = HOLIDAYS): Holiday[] {
  const records: Record<string, string>[] = parse(readFileSync(path), { columns: true, bom: true })
  return records.map((record, at) => {
    const parsed = row.safeParse(record)
    if (parsed.success) return parsed.data
    const issue = parsed.error.issues[0]
    const field = String(issue?.path[0])
    throw new CalendarError(
      'CALENDAR_INVALID',
      `holidays.csv, line ${at + 2}: ${field} is ${JSON.stringify(record[field])}; allowed: ${issue?.message}`,
    )
  })
}
