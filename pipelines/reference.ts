/**
 * The reference files as rows: read from CSV, column by column checked. What rows mean to each other is checked
 * elsewhere.
 */
import { readFileSync } from 'node:fs'
import { parse } from 'csv-parse/sync'
import { z } from 'zod'
import { type Problem, refuse } from './problems.ts'
import { FIRST_DAY, LAST_DAY, LEVELS } from './units/lists.ts'

const day = z.iso
  .date('a day such as 2025-07-01')
  .refine(text => FIRST_DAY <= text && text <= LAST_DAY, `a day from ${FIRST_DAY} to ${LAST_DAY} (which means: open)`)
const code = z.string().regex(/^\S{1,32}$/, '1 to 32 characters, no spaces')
const name = z.string().min(1, 'a name')
const number = z.string().transform((text, context) => {
  if (text === '') return null
  if (!Number.isFinite(Number(text))) context.addIssue('a number, or nothing')
  return Number(text)
})
const level = z.enum(LEVELS, LEVELS.join(', '))
const KINDS = ['PROVINCE', 'DEPARTMENT', 'COMMUNE'] as const

/** The columns this project reads of each file. */
export const FILES = {
  administrative_units: z.object({
    unit_code: code,
    level,
    kind: z.string(),
    name,
    province_code: code,
    district_code: z.string(),
    valid_from: day,
    valid_to: day,
    lat: number,
    lon: number,
    // No unit has no area: the source has 0.0 where it waits for a figure.
    area_km2: number.transform(area => (area !== null && area > 0 ? area : null)),
  }),
  unit_successors: z.object({
    level,
    predecessor_code: code,
    successor_code: code,
    effective_date: day,
    successor_count: z
      .string()
      .regex(/^[1-9]\d{0,1}$/, 'a whole number from 1 to 99')
      .transform(Number),
  }),
  // Loaded by catalogue/, which reads more of them; the samples read these.
  sectors: z.object({ sector_code: code, name_vi: name, name_en: z.string(), group_code: z.string() }),
  procedures: z.object({
    procedure_code: code,
    name_vi: name,
    sector_code: z.string(),
    ministry_vi: z.string(),
    tier: z.string(),
    service_level: z.enum(['FULL', 'PARTIAL', 'INFORMATION', ''], 'FULL, PARTIAL, INFORMATION, or nothing'),
    has_fee: z.enum(['yes', 'no', 'unclear', ''], 'yes, no, unclear, or nothing'),
  }),
  agencies: z.object({
    agency_code: code,
    name,
    kind: z.enum(KINDS, KINDS.join(', ')),
    parent_code: z.string(),
    unit_code: z.string(),
  }),
}
export type FileName = keyof typeof FILES
export type RowOf<Name extends FileName> = z.output<(typeof FILES)[Name]>
/** A row and where it stands. */
export type Lined<Row> = Row & { line: number }

export const pathOf = (file: FileName) => new URL(`reference/${file}.csv`, import.meta.url)

/** Rows of a file with their lines, and every cell that is not allowed; rows with such a cell are left out. */
export function readRows<Name extends FileName>(
  file: Name,
  path: string | URL = pathOf(file),
): { rows: Lined<RowOf<Name>>[]; problems: Problem[] } {
  const problems: Problem[] = []
  const rows: Lined<RowOf<Name>>[] = []
  const at = (line: number, field: string, value: string, allowed: string) =>
    problems.push({ severity: 'error', file: `${file}.csv`, line, field, value, allowed })

  let records: { record: Record<string, string>; info: { lines: number } }[]
  try {
    records = parse(readFileSync(path), { columns: true, bom: true, info: true }) as never
  } catch (error) {
    const { message, lines } = error as Error & { lines?: number }
    at(lines ?? 0, 'the file', String(path), `a CSV file with a header (${message})`)
    return { rows, problems }
  }
  const columns = Object.keys(FILES[file].shape)
  const missing = columns.filter(column => !(column in (records[0]?.record ?? {})))
  if (missing.length > 0) {
    at(1, 'the header', Object.keys(records[0]?.record ?? {}).join(','), `the columns ${columns.join(', ')}`)
    return { rows, problems }
  }
  for (const { record, info } of records) {
    const parsed = FILES[file].safeParse(record)
    if (parsed.success) rows.push({ ...(parsed.data as RowOf<Name>), line: info.lines })
    else
      for (const { path: field, message } of parsed.error.issues)
        at(info.lines, field.join('.'), record[String(field[0])] ?? '', message)
  }
  return { rows, problems }
}

/** Rows of the project's own file. Throws {@link ReferenceDataError} naming file, line, column and what is allowed. */
export function readReference<Name extends FileName>(file: Name): RowOf<Name>[] {
  const { rows, problems } = readRows(file)
  refuse(problems)
  return plain(rows) as RowOf<Name>[]
}

/** Rows without their lines. */
export const plain = <Row extends { line: number }>(rows: readonly Row[]): Omit<Row, 'line'>[] =>
  rows.map(({ line, ...row }) => row)
