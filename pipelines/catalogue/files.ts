/**
 * The files of a catalogue as rows: every cell checked by itself, every wrong one named with file, line, field, value and what
 * is allowed. What rows mean to each other is checked in `check.ts`.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'csv-parse/sync'
import { z } from 'zod'
import type { Problem } from '../problems.ts'

/** First and last day that a column of type Date holds: no day is known. */
export const ALWAYS = '1970-01-01'
export const OPEN = '2149-06-06'

const TIERS = ['MINISTRY', 'PROVINCE', 'DISTRICT', 'COMMUNE', 'OTHER']
const CHANNELS = ['ONLINE', 'COUNTER', 'POSTAL']
const TIME_UNITS = ['HOUR', 'DAY', 'WORKING_DAY', 'MONTH'] as const

const code = z.string().regex(/^\S{1,32}$/, '1 to 32 characters, no spaces')
const name = z.string().min(1, 'a name')
const text = z.string()
/** A column that a file may leave out. */
const optional = z.string().default('')
const oneOf = <const T extends readonly string[]>(values: T) =>
  z.enum([...values, ''], `${values.join(', ')}, or nothing`)
const someOf = (values: readonly string[]) =>
  text.refine(
    cell => cell === '' || (cell.split('|').every(part => values.includes(part)) && isSet(cell.split('|'))),
    `${values.join(', ')}, several with | between, or nothing`,
  )
const isSet = (parts: readonly string[]) => new Set(parts).size === parts.length
const day = (otherwise: string) =>
  optional
    .refine(
      cell => cell === '' || (z.iso.date().safeParse(cell).success && ALWAYS <= cell && cell <= OPEN),
      `a day from ${ALWAYS} to ${OPEN}, or nothing`,
    )
    .transform(cell => cell || otherwise)
const time = text
  .regex(/^(\d{1,4}(\.\d{1,2})?)?$/, 'a number from 0 to 9999, or nothing')
  .transform(cell => (cell === '' ? null : Number(cell)))
const codes = text
  .refine(
    cell => cell === '' || cell.split('|').every(part => /^\S{1,32}$/.test(part)),
    'codes with | between, or nothing',
  )
  .transform(cell => (cell === '' ? [] : cell.split('|')))

const sector = z.object({ sector_code: code, name_vi: name, name_en: text, group_code: code })
const procedure = z.object({
  procedure_code: code,
  valid_from: day(ALWAYS),
  valid_to: day(OPEN),
  name_vi: name,
  name_en: optional,
  sector_code: text,
  ministry_vi: text,
  tier: someOf(TIERS),
  // The portal's word POST is the contract's POSTAL.
  channels: text.transform(cell => cell.replace(/\bPOST\b/, 'POSTAL')).pipe(someOf(CHANNELS)),
  service_level: oneOf(['FULL', 'PARTIAL', 'INFORMATION']),
  has_fee: oneOf(['yes', 'no', 'unclear']),
  time_min: time,
  time_max: time,
  time_unit: oneOf(TIME_UNITS),
})
const title = z.object({
  number: text
    .regex(/^\d{0,3}$/, 'a number from 0 to 999, or nothing')
    .transform(cell => (cell === '' ? null : Number(cell))),
  name_vi: name,
  name_en: text,
  decision: name,
  procedure_codes: codes,
  certain: z.enum(['yes', 'no'], 'yes or no').transform(cell => cell === 'yes'),
})

export type Sector = z.output<typeof sector>
export type Procedure = z.output<typeof procedure>
export type Title = z.output<typeof title> & { group_code: string }
/** A row and where it stands; the header is line 1. */
export type Lined<Row> = Row & { file: string; line: number }
export interface Catalogue {
  sectors: Lined<Sector>[]
  procedures: Lined<Procedure>[]
  titles: Lined<Title>[]
}

export const SECTORS_FILE = 'sectors.csv'
export const PROCEDURES_FILE = 'procedures.csv'
/** The titles of the group ESSENTIAL_SERVICES. */
export const ESSENTIAL_FILE = 'essential_services.csv'
/** Titles of any other groups; may be missing. */
export const GROUPS_FILE = 'procedure_groups.csv'
export const FILES = [SECTORS_FILE, PROCEDURES_FILE, ESSENTIAL_FILE, GROUPS_FILE] as const
const ESSENTIAL_SERVICES = 'ESSENTIAL_SERVICES'

/** Columns for people, which are read past. Any other unknown column is refused: it may be a known one with a typing error. */
const FOR_PEOPLE: Record<string, readonly string[]> = {
  [SECTORS_FILE]: ['procedure_count', 'sources'],
  [PROCEDURES_FILE]: ['sector_vi', 'level_source', 'decision_no', 'agency_vi', 'status_note', 'source'],
  [ESSENTIAL_FILE]: ['lead_ministry', 'source', 'note'],
  [GROUPS_FILE]: ['lead_ministry', 'source', 'note'],
}

/** All rows without a wrong cell, and everything that is wrong with the others. */
export function readCatalogue(folder: string): { catalogue: Catalogue; problems: Problem[] } {
  const problems: Problem[] = []
  const read = <Shape extends z.ZodObject>(file: string, shape: Shape) => readFile(folder, file, shape, problems)
  const catalogue: Catalogue = {
    sectors: read(SECTORS_FILE, sector),
    procedures: read(PROCEDURES_FILE, procedure),
    titles: [
      ...read(ESSENTIAL_FILE, title).map(row => ({ ...row, group_code: ESSENTIAL_SERVICES })),
      ...(existsSync(join(folder, GROUPS_FILE)) ? read(GROUPS_FILE, title.extend({ group_code: code })) : []),
    ],
  }
  return { catalogue, problems }
}

function readFile<Shape extends z.ZodObject>(
  folder: string,
  file: string,
  shape: Shape,
  problems: Problem[],
): Lined<z.output<Shape>>[] {
  const wrong = (line: number, field: string, value: string, allowed: string) =>
    problems.push({ severity: 'error', file, line, field, value, allowed })
  const path = join(folder, file)
  let records: { record: Record<string, string>; info: { lines: number } }[]
  try {
    records = parse(readFileSync(path), { columns: true, bom: true, info: true }) as never
  } catch (error) {
    wrong(0, 'the file', path, `a CSV file with a header (${(error as Error).message})`)
    return []
  }
  const columns = Object.keys(records[0]?.record ?? {})
  const known = [...Object.keys(shape.shape), ...(FOR_PEOPLE[file] ?? [])]
  if (records.length === 0) wrong(0, 'the file', path, 'at least one row below the header')
  for (const column of columns) if (!known.includes(column)) wrong(1, 'a column', column, known.join(', '))
  const missing = Object.entries(shape.shape)
    .filter(([column, cell]) => !columns.includes(column) && !(cell as z.ZodType).safeParse(undefined).success)
    .map(([column]) => column)
  if (missing.length > 0) {
    if (records.length > 0) wrong(1, 'the header', columns.join(','), `also ${missing.join(', ')}`)
    return []
  }
  return records.flatMap(({ record, info }) => {
    const parsed = shape.safeParse(record)
    if (parsed.success) return [{ ...parsed.data, file, line: info.lines } as Lined<z.output<Shape>>]
    for (const { path: at, message } of parsed.error.issues) {
      const field = String(at[0])
      wrong(info.lines, field, record[field] ?? '', message)
    }
    return []
  })
}
