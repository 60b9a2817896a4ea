/** What a new catalogue changes: rows that come, go and change, and the dossiers that are read differently. Pure. */
import { type CatalogueTables, KEYS } from './tables.ts'

type TableName = keyof CatalogueTables
export interface Change {
  table: TableName
  kind: 'added' | 'removed' | 'changed'
  key: string
  /** Of a changed row: column, before, after. */
  fields: { field: string; before: string; after: string }[]
}
/** Dossiers of the ledger, by what the catalogues say of their procedure. */
export interface Readings {
  dossiers: number
  unknown_before: number
  unknown_after: number
  other_sector: number
}

const show = (value: unknown) => (value === null || value === '' ? '–' : String(value))

export function changesBetween(before: CatalogueTables, after: CatalogueTables): Change[] {
  return (Object.keys(KEYS) as TableName[]).flatMap(table => {
    const keyOf = (row: Record<string, unknown>) => KEYS[table].map(column => show(row[column])).join(' ')
    const indexed = (rows: readonly object[]) =>
      new Map(rows.map(row => [keyOf(row as Record<string, unknown>), row as Record<string, unknown>]))
    const [old, fresh] = [indexed(before[table]), indexed(after[table])]
    const change = (kind: Change['kind'], key: string, fields: Change['fields'] = []) => ({ table, kind, key, fields })
    return [
      ...[...fresh.keys()].filter(key => !old.has(key)).map(key => change('added', key)),
      ...[...old.keys()].filter(key => !fresh.has(key)).map(key => change('removed', key)),
      ...[...fresh].flatMap(([key, row]) => {
        const fields = differences(old.get(key) ?? row, row)
        return fields.length === 0 ? [] : [change('changed', key, fields)]
      }),
    ]
  })
}

const differences = (before: Record<string, unknown>, after: Record<string, unknown>): Change['fields'] =>
  Object.keys(after)
    .filter(field => before[field] !== after[field])
    .map(field => ({ field, before: show(before[field]), after: show(after[field]) }))

/** `counted`: dossiers of the ledger per procedure code, '' where none is known. */
export function readingsOf(
  before: CatalogueTables,
  after: CatalogueTables,
  counted: readonly { procedure_code: string; dossiers: number }[],
): Readings {
  const sectorsOf = ({ procedures }: CatalogueTables) =>
    new Map(procedures.map(row => [row.procedure_code, row.sector_code]))
  const [old, fresh] = [sectorsOf(before), sectorsOf(after)]
  const sum = (holds: (code: string) => boolean) =>
    counted.filter(({ procedure_code }) => holds(procedure_code)).reduce((all, { dossiers }) => all + dossiers, 0)
  return {
    dossiers: sum(() => true),
    unknown_before: sum(code => code !== '' && !old.has(code)),
    unknown_after: sum(code => code !== '' && !fresh.has(code)),
    other_sector: sum(code => (old.get(code) ?? '') !== (fresh.get(code) ?? '')),
  }
}

const EXAMPLES_MAX = 5
const WORDS: Record<TableName, string> = {
  sectors: 'sectors',
  procedures: 'procedures',
  procedure_groups: 'titles with a procedure in a group',
}

/** The changes for people. */
export function linesOf(changes: readonly Change[], readings?: Readings): string[] {
  const kinds = Map.groupBy(changes, ({ table, kind }) => `${WORDS[table]} ${kind}`)
  return [
    ...(changes.length === 0 ? ['Nothing changes.'] : ['What changes:']),
    ...[...kinds].flatMap(([words, of]) => [
      `  ${of.length.toLocaleString('en')} ${words}`,
      ...of.slice(0, EXAMPLES_MAX).map(({ key, fields }) => `    ${key}${fields.map(said).join('')}`),
      ...(of.length > EXAMPLES_MAX ? [`    … and ${(of.length - EXAMPLES_MAX).toLocaleString('en')} more`] : []),
    ]),
    ...(readings === undefined ? [] : linesOfReadings(readings)),
  ]
}

const said = ({ field, before, after }: Change['fields'][number]) => `; ${field}: ${before} → ${after}`

const linesOfReadings = ({ dossiers, unknown_before, unknown_after, other_sector }: Readings) => [
  `Of ${dossiers.toLocaleString('en')} dossiers of the ledger:`,
  `  ${other_sector.toLocaleString('en')} are read in another sector`,
  `  ${unknown_after.toLocaleString('en')} have a procedure that is not in the catalogue (so far ${unknown_before.toLocaleString('en')})`,
]
