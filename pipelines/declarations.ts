/**
 * The schema as it is declared: `schema/<folder>/<object>.sql`, one statement each, which creates the object. Folders are in
 * the order of {@link FOLDERS}; an object refers to its own folder and to those before it.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { ownIndicators } from './indicators/catalogue.ts'
import { indicatorViews } from './indicators/views.ts'
import { filledIn } from './templates.ts'

export const FOLDERS = [
  'log',
  'ledger',
  'units',
  'catalogue',
  'flows',
  'rates',
  'stocks',
  'past',
  'quality',
  'records',
] as const
export type Folder = (typeof FOLDERS)[number]

export class SchemaError extends Error {
  readonly code: 'FILE_UNKNOWN' | 'DECLARATION_INVALID' | 'TABLE_DIFFERS' | 'DATABASE_UNKNOWN' | 'STATEMENT_FAILED'
  constructor(code: SchemaError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export interface Declared {
  name: string
  folder: Folder
  /**
   * `table`: keeps rows, is compared and never replaced. `window`: a table that keeps nothing (Merge, Null). `balancing`: a
   * materialized view, whose query is modified in place, so that no insert passes it by. `view`: replaced.
   */
  kind: 'table' | 'window' | 'balancing' | 'view'
  /** For one database: what it refers to is found from any other. */
  statement: string
  /** Names of the declared objects it refers to. */
  references: readonly string[]
}

const FILE = /^([a-z][a-z0-9_]*)\.sql$/
const CREATES = /^CREATE (TABLE|VIEW|MATERIALIZED VIEW) (\w+)/m
const SCHEMA = new URL('schema/', import.meta.url)

/** Every declared object, each behind those it refers to. Throws {@link SchemaError} for a file that declares nothing. */
export function readSchema(database: string, schema = SCHEMA, catalogue = ownIndicators()): Declared[] {
  const texts = [...filesOf(schema), ...indicatorViews(catalogue).map(view => ({ ...view, folder: 'rates' as const }))]
  const names = new Set(texts.map(({ name }) => name))
  const declared = texts.map(({ name, folder, text }) => {
    const statement = qualified(filledIn(text, catalogue).replaceAll('{{database}}', database), names, database)
    return {
      name,
      folder,
      kind: kindOf(name, folder, statement),
      statement,
      references: referencesIn(text, name, names),
    }
  })
  return inOrder(declared)
}

function filesOf(schema: URL): { name: string; folder: Folder; text: string }[] {
  for (const entry of readdirSync(schema))
    if (!FOLDERS.includes(entry as Folder) && entry !== 'README.md')
      throw new SchemaError(
        'FILE_UNKNOWN',
        `pipelines/schema/${entry} is no folder of the schema (${FOLDERS.join(', ')})`,
      )
  return FOLDERS.flatMap(folder =>
    readdirSync(new URL(`${folder}/`, schema)).map(file => {
      const name = FILE.exec(file)?.[1]
      if (name === undefined)
        throw new SchemaError('FILE_UNKNOWN', `pipelines/schema/${folder}/${file} is no declaration: <object>.sql`)
      return { name, folder, text: readFileSync(new URL(`${folder}/${file}`, schema), 'utf8') }
    }),
  )
}

function kindOf(name: string, folder: Folder, statement: string): Declared['kind'] {
  const [, what, created] = CREATES.exec(statement) ?? []
  if (created !== name)
    throw new SchemaError(
      'DECLARATION_INVALID',
      `pipelines/schema/${folder}/${name}.sql creates ${created ?? 'nothing'}; it must be CREATE TABLE, VIEW or MATERIALIZED VIEW ${name}`,
    )
  if (what === 'VIEW') return 'view'
  if (what === 'MATERIALIZED VIEW') return 'balancing'
  return /^ENGINE = (Merge\(|Null\b)/m.test(statement) ? 'window' : 'table'
}

const withoutText = (statement: string) => statement.replace(/--.*$/gm, '').replace(/'(?:[^']|'')*'/g, "''")

const referencesIn = (text: string, own: string, names: ReadonlySet<string>): string[] =>
  [...new Set(withoutText(text).match(/\w+/g))].filter(word => word !== own && names.has(word))

/** ClickHouse completes the names of tables with their database, but not those of views with parameters. */
const qualified = (statement: string, names: ReadonlySet<string>, database: string): string =>
  statement.replace(/\b(FROM|JOIN) (\w+)\(/g, (all, word: string, name: string) =>
    names.has(name) ? `${word} ${database}.${name}(` : all,
  )

function inOrder(declared: readonly Declared[]): Declared[] {
  const byName = new Map(declared.map(one => [one.name, one]))
  const ordered = new Set<Declared>()
  function add(one: Declared, above: readonly string[]): void {
    if (ordered.has(one)) return
    if (above.includes(one.name))
      throw new SchemaError('DECLARATION_INVALID', `${[...above, one.name].join(' refers to ')}: a circle`)
    for (const name of one.references) add(byName.get(name) as Declared, [...above, one.name])
    ordered.add(one)
  }
  for (const one of declared) add(one, [])
  return [...ordered]
}

/** The declaration of one object, as it is written for a database of any name. */
export function statementOf(name: string, schema = SCHEMA): string {
  const file = filesOf(schema).find(one => one.name === name)
  if (file === undefined) throw new SchemaError('DECLARATION_INVALID', `no object is declared as ${name}`)
  return filledIn(file.text)
}
