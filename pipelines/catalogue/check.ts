/**
 * What is wrong with a catalogue taken as a whole. Pure. A catalogue without problems gives every procedure at most one row on
 * every day, and one sector for all days.
 */
import type { Problem } from '../problems.ts'
import { type Catalogue, type Lined, OPEN, type Procedure, type Title } from './files.ts'

export function checkCatalogue({ sectors, procedures, titles }: Catalogue): Problem[] {
  const knownSectors = new Set(sectors.map(row => row.sector_code))
  const knownProcedures = new Set(procedures.map(row => row.procedure_code))
  return [
    ...repeated(sectors, 'sector_code', row => row.sector_code),
    ...procedures.flatMap(row => problemsOfProcedure(row, knownSectors)),
    ...[...Map.groupBy(procedures, row => row.procedure_code).values()].flatMap(problemsOfCode),
    ...titles.flatMap(row => problemsOfTitle(row, knownProcedures)),
    ...repeated(titles, 'name_vi', row => `${row.group_code} ${row.decision} ${row.name_vi}`),
  ]
}

const problem = (row: Lined<object>, field: string, value: string, allowed: string): Problem => ({
  severity: 'error',
  file: row.file,
  line: row.line,
  field,
  value,
  allowed,
})

function repeated<Row extends Lined<object>>(
  rows: readonly Row[],
  field: keyof Row & string,
  keyOf: (row: Row) => string,
): Problem[] {
  return [...Map.groupBy(rows, keyOf).values()].flatMap(([first, ...others]) =>
    others.map(row => problem(row, field, String(row[field]), `once; it stands on line ${first?.line} too`)),
  )
}

function problemsOfProcedure(row: Lined<Procedure>, sectors: ReadonlySet<string>): Problem[] {
  const { sector_code, valid_from, valid_to, time_min, time_max } = row
  const problems: Problem[] = []
  if (sector_code !== '' && !sectors.has(sector_code))
    problems.push(problem(row, 'sector_code', sector_code, 'a code of sectors.csv, or nothing'))
  if (valid_to < valid_from)
    problems.push(problem(row, 'valid_to', valid_to, `a day not before valid_from, ${valid_from}`))
  if (time_min !== null && time_max !== null && time_max < time_min)
    problems.push(problem(row, 'time_max', String(time_max), `not less than time_min, ${time_min}`))
  return problems
}

/** Rows of one code follow each other in time and stay in one sector. */
function problemsOfCode(rows: readonly Lined<Procedure>[]): Problem[] {
  const inTime = [...rows].sort((a, b) => (a.valid_from < b.valid_from ? -1 : 1))
  return inTime.flatMap((row, at) => {
    const before = inTime[at - 1]
    if (before === undefined) return []
    const problems: Problem[] = []
    const other = `the row on line ${before.line}, ${before.valid_from} to ${before.valid_to === OPEN ? 'open' : before.valid_to}`
    if (row.valid_from === before.valid_from)
      problems.push(problem(row, 'procedure_code', row.procedure_code, `a code once, or days outside ${other}`))
    else if (row.valid_from <= before.valid_to)
      problems.push(problem(row, 'valid_from', row.valid_from, `a day outside ${other}`))
    if (row.sector_code !== before.sector_code)
      problems.push(problem(row, 'sector_code', row.sector_code, `${before.sector_code || 'nothing'}, as in ${other}`))
    return problems
  })
}

function problemsOfTitle(row: Lined<Title>, procedures: ReadonlySet<string>): Problem[] {
  const { procedure_codes } = row
  return procedure_codes.flatMap((member, at) => {
    if (!procedures.has(member)) return [problem(row, 'procedure_codes', member, 'codes of procedures.csv, or nothing')]
    return procedure_codes.indexOf(member) === at ? [] : [problem(row, 'procedure_codes', member, 'each code once')]
  })
}
