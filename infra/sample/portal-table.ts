/**
 * Sample (b): a row of the table that the National Public Service Portal publishes per province, year to date.
 *
 * The portal's "on time" is settled in time plus pending within the deadline; the sample takes it as settled. What the row
 * received beyond on time and overdue stays pending. The share received online is made up.
 * On failure: TableError, naming file, line, column and what is allowed.
 */
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { dayFromIso, isoDay, momentOf } from './days.ts'
import { inTime, type Plan } from './plan.ts'
import { type Province, provincesOn } from './reference.ts'

export class TableError extends Error {
  readonly code = 'TABLE_INVALID'
}

export class ClockError extends Error {
  readonly code = 'CLOCK_BEFORE_SAMPLE'
}

export const PORTAL_TABLE = new URL('data/portal-provinces-2026-10-10.tsv', import.meta.url)
export const PROVINCE_DEFAULT = 'H18'

export interface PortalRow {
  /** Of the header is 1. */
  line: number
  department_code: string
  /** UBND tỉnh Điện Biên */
  name: string
  received: number
  on_time: number
  late: number
}

export interface PortalTable {
  file: string
  /** Last day of the figures, ISO. */
  as_of: string
  rows: PortalRow[]
}

const COUNTS = { received: 'TDGQ_totalReceived', on_time: 'TDGQ_totalOnTime', late: 'TDGQ_totalOverdue' } as const
const TEXTS = ['department_code', 'name'] as const

/** The table in a file. The day comes from the file's name unless it is given. */
export function readPortalTable(file: string | URL, as_of?: string): PortalTable {
  const name = basename(file instanceof URL ? file.pathname : file)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new TableError(`${name} cannot be read: ${(cause as Error).message}`, { cause })
  }
  return { file: name, as_of: dayOfTable(name, as_of), rows: parsePortalTable(name, text) }
}

function dayOfTable(name: string, given: string | undefined): string {
  const day = given ?? /\d{4}-\d{2}-\d{2}/.exec(name)?.[0]
  if (day === undefined)
    throw new TableError(`${name} does not name the day of its figures; give it: --as-of YYYY-MM-DD`)
  if (!/^\d{4}-\d{2}-\d{2}$/.test(day) || Number.isNaN(dayFromIso(day)) || isoDay(dayFromIso(day)) !== day)
    throw new TableError(`${JSON.stringify(day)} is no day; a day looks like 2026-10-10`)
  return day
}

export function parsePortalTable(file: string, text: string): PortalRow[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/)
  const header = (lines[0] ?? '').split('\t')
  const column = (wanted: string) => {
    const at = header.indexOf(wanted)
    if (at === -1)
      throw new TableError(
        `${file}, line 1: the column ${wanted} is missing; needed are ${[...TEXTS, ...Object.values(COUNTS)].join(', ')}, with tabs between`,
      )
    return at
  }
  const columns = { department_code: column('department_code'), name: column('name') }
  const counts = { received: column(COUNTS.received), on_time: column(COUNTS.on_time), late: column(COUNTS.late) }

  const rows = lines.flatMap((content, at) => {
    if (at === 0 || content.trim() === '') return []
    const cells = content.split('\t')
    const line = at + 1
    const cell = (index: number) => {
      const value = cells[index]?.trim() ?? ''
      if (value === '') throw new TableError(`${file}, line ${line}: the column ${header[index]} is empty`)
      return value
    }
    const count = (index: number) => {
      const value = cell(index)
      if (!/^\d{1,9}$/.test(value))
        throw new TableError(
          `${file}, line ${line}: the column ${header[index]} is ${JSON.stringify(value)}; it must be a whole number`,
        )
      return Number(value)
    }
    const row: PortalRow = {
      line,
      department_code: cell(columns.department_code),
      name: cell(columns.name),
      received: count(counts.received),
      on_time: count(counts.on_time),
      late: count(counts.late),
    }
    if (row.on_time + row.late > row.received)
      throw new TableError(
        `${file}, line ${line}: ${COUNTS.on_time} and ${COUNTS.late} are ${row.on_time + row.late} together; it must be at most ${COUNTS.received}, ${row.received}`,
      )
    return [row]
  })
  if (rows.length === 0) throw new TableError(`${file} holds no rows below its header`)
  return rows
}

/** The row of a province. */
export function portalRow(table: PortalTable, department_code: string): PortalRow {
  const row = table.rows.find(one => one.department_code === department_code)
  if (row !== undefined) return row
  const allowed = table.rows.map(one => `  ${one.department_code}  ${one.name}`).sort()
  throw new TableError(
    `${table.file} has no province ${JSON.stringify(department_code)}; allowed are\n${allowed.join('\n')}`,
  )
}

/** The unit a row speaks of, by its name, among the provinces of the table's day. */
export function provinceOfRow(table: Pick<PortalTable, 'file' | 'as_of'>, row: PortalRow): Province {
  const provinces = provincesOn(table.as_of)
  const found = provinces.find(province => bareName(province.name) === bareName(row.name))
  if (found !== undefined) return found
  throw new TableError(
    `${table.file}, line ${row.line}: the column name is ${JSON.stringify(row.name)}, no province of ${table.as_of}; there are ${provinces.map(province => province.name).join(', ')}`,
  )
}

/** Điện Biên, from UBND tỉnh Điện Biên as from Tỉnh Điện Biên. */
const bareName = (name: string) =>
  name
    .normalize('NFC')
    .toLowerCase()
    .replace(/^ubnd\s+/, '')
    .replace(/^(tỉnh|thành phố)\s+/, '')
    .trim()

/** Shares that nobody published. */
const LAND = { share: 0.11, online: 0.58 }
const OTHER_ONLINE = 0.9

/** A row as a sample; `limit` scales it down to that many dossiers. */
export function portalPlan(table: PortalTable, row: PortalRow, seed: string, limit?: number): Plan {
  if (row.received === 0)
    throw new TableError(`${table.file}, line ${row.line}: ${row.name} received nothing; there is nothing to replay`)
  if (limit !== undefined && !(Number.isInteger(limit) && limit >= 1 && limit <= row.received))
    throw new TableError(
      `the limit is ${limit}; it must be a whole number from 1 to ${row.received}, what ${row.name} received`,
    )
  const province = provinceOfRow(table, row)
  const received = limit ?? row.received
  const pending = Math.round(((row.received - row.on_time - row.late) * received) / row.received)
  const late = Math.min(Math.round((row.late * received) / row.received), received - pending)
  const on_time = received - pending - late
  const land = Math.round(received * LAND.share)
  const year = `${table.as_of.slice(0, 4)}-01-01`
  const from = province.valid_from > year ? province.valid_from : year
  const scaled =
    received === row.received
      ? ''
      : `, scaled down to ${received.toLocaleString('en')} of ${row.received.toLocaleString('en')}`
  return {
    province,
    title: `${province.name.replace(/^(Tỉnh|Thành phố) /, '')}, ${from} to ${table.as_of}${scaled}`,
    remark: `published: line ${row.line} of ${table.file}; its "on time" holds dossiers pending within the deadline, taken as settled here; online figures are synthetic`,
    published: {
      received,
      settled_on_time: on_time,
      settled_late: late,
      ...(pending === 0 && { on_time_percent: percent(on_time, received) }),
    },
    from,
    to: table.as_of,
    settled_to: table.as_of,
    news_to: table.as_of,
    land: { dossiers: land, online: Math.round(land * LAND.online) },
    other: { dossiers: received - land, online: Math.round((received - land) * OTHER_ONLINE) },
    outcomes: { ...inTime(on_time), late, pending },
    seed,
  }
}

/** Two decimals, as the portal prints it. */
export const percent = (part: number, whole: number): string => (whole === 0 ? '–' : ((100 * part) / whole).toFixed(2))

/** A sample must not lie ahead of the clock: its dossiers would be refused as received in the future, one by one. */
export function checkClock(plan: Pick<Plan, 'title' | 'to'>, now_ms: number): void {
  if (now_ms >= momentOf(dayFromIso(plan.to))) return
  throw new ClockError(
    `the clock of this machine says ${new Date(now_ms).toISOString()}, but the sample "${plan.title}" goes to ${plan.to}. ` +
      'Set the clock right, or leave the samples out: npm start -- --no-sample',
  )
}
