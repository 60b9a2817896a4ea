/** What would bring a database to the declared schema. Asks, and changes nothing. */
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../common/clickhouse.ts'
import { type Change, changesLeft } from './changes.ts'
import { type Declared, readSchema, SchemaError } from './declarations.ts'
import { formatted, objectsThere, plain, plainView, type TableForm, tableForm } from './server-form.ts'

export interface Step {
  object: string
  /** One line for people. */
  says: string
  statement: string
}

export interface Plan {
  /** Names of all objects that are there. */
  there: ReadonlySet<string>
  changes: readonly Change[]
  steps: readonly Step[]
  /** Tables that are not as declared, and that no change mends: what, and both definitions. */
  drift: readonly string[]
  /** The facts that count are computed in another way than before, or the ledger is new: it has to be rebuilt from the log. */
  rebuild: boolean
}

/** The client's database. */
export async function databaseOf(clickhouse: ClickHouseClient): Promise<string> {
  const [row] = await rowsOf<{ name: string }>(clickhouse, 'SELECT currentDatabase() AS name')
  return row?.name ?? ''
}

/** Throws {@link SchemaError} for a database that is not known. */
export async function planFor(clickhouse: ClickHouseClient, database: string): Promise<Plan> {
  const declared = readSchema(database)
  const [texts, there] = [
    await formatted(
      clickhouse,
      declared.map(({ statement }) => statement),
    ),
    await objectsThere(clickhouse),
  ]
  const wanted = new Map(declared.map(({ name }, at) => [name, plain(texts[at] as string, database)]))
  const names = new Set(there.keys())
  const changes = await changesLeft(clickhouse, names)
  const steps: Step[] = []
  const drift: string[] = []
  let rebuild = false
  for (const one of declared) {
    const want = wanted.get(one.name) as string
    const have = there.get(one.name)
    if (have === undefined) {
      // Another migration, or an earlier step, may have been faster.
      const statement = one.statement.replace(CREATES, '$& IF NOT EXISTS')
      steps.push({ object: one.name, says: `create ${one.name}`, statement })
      // A log without a ledger: what it has must count.
      if (one.folder === 'ledger' && one.kind !== 'view' && names.has('dossier_events')) rebuild = true
      continue
    }
    const found = compare(one, want, plain(have, database), wanted)
    steps.push(...found.steps)
    // What a change is about to alter is compared after it.
    if (!changes.some(({ statement }) => new RegExp(`\\b${one.name}\\b`).test(statement))) drift.push(...found.drift)
    rebuild ||= found.refolded
  }
  return { there: names, changes, steps, drift, rebuild }
}

const CREATES = /^CREATE (TABLE|VIEW|MATERIALIZED VIEW)/m

interface Found {
  steps: Step[]
  drift: string[]
  refolded: boolean
}

function compare(one: Declared, want: string, have: string, wanted: ReadonlyMap<string, string>): Found {
  if (one.kind === 'view') return { steps: sameView(want, have) ? [] : [replaced(one)], drift: [], refolded: false }
  if (one.kind === 'balancing') return compareBalancing(one, want, have)
  const form = formOf(want, wanted)
  // A window has the constraints of the table whose columns it has.
  const here = one.kind === 'window' ? { ...tableForm(have), parts: form.parts } : tableForm(have)
  const drift = differences(one.name, form, here)
  const comments = commentsOf(one.name, form, here)
  if (one.kind === 'table') return { steps: drift.length > 0 ? [] : comments, drift, refolded: false }
  return { steps: drift.length + comments.length > 0 ? [replaced(one)] : [], drift: [], refolded: false }
}

/** Columns are compared where they are declared. */
const sameView = (want: string, have: string): boolean =>
  want === have || (plainView(want, '') === want && plainView(have, '') === want)

const replaced = ({ name, kind, statement }: Declared): Step => {
  const what = kind === 'view' ? 'VIEW' : 'TABLE'
  return {
    object: name,
    says: `replace ${name}`,
    statement: statement.replace(new RegExp(`^CREATE ${what}`, 'm'), `CREATE OR REPLACE ${what}`),
  }
}

/** Of a formatted materialized view: its query, and that without its fences, which decide whether something counts, not what. */
const queryOf = (text: string) => text.slice(text.search(/^AS /m) + 3)
const foldOf = (text: string) =>
  queryOf(text)
    .slice(queryOf(text).search(/^SELECT/m))
    .replace(/^WHERE .*\n/m, '')
const commentOf = (text: string) => /^COMMENT (.*)$/m.exec(text)?.[1] ?? "''"

/** Puts the query of a declaration into the materialized view there is: at no moment there is none. */
export function modifyQuery(name: string, declaration: string): string {
  const query = /^CREATE MATERIALIZED VIEW \w+ TO \w+\s+AS\b([\s\S]*)\nCOMMENT [^\n]*\s*$/m.exec(declaration)?.[1]
  if (query === undefined)
    throw new SchemaError('DECLARATION_INVALID', `${name} must be CREATE MATERIALIZED VIEW … TO … AS … COMMENT …`)
  return `ALTER TABLE ${name} MODIFY QUERY${query}`
}

function compareBalancing({ name, statement }: Declared, want: string, have: string): Found {
  const steps: Step[] = []
  const [wantPlain, havePlain] = [plainView(want, ''), plainView(have, '')]
  if (queryOf(wantPlain) !== queryOf(havePlain))
    steps.push({ object: name, says: `modify the query of ${name}`, statement: modifyQuery(name, statement) })
  if (commentOf(wantPlain) !== commentOf(havePlain))
    steps.push({
      object: name,
      says: `change the comment of ${name}`,
      statement: `ALTER TABLE ${name} MODIFY COMMENT ${commentOf(wantPlain)}`,
    })
  return { steps, drift: [], refolded: foldOf(wantPlain) !== foldOf(havePlain) }
}

/** `CREATE TABLE a AS b` has the columns of b, and nothing else of it. */
function formOf(want: string, wanted: ReadonlyMap<string, string>): TableForm {
  const [, other, tail] = /^CREATE TABLE \w+ AS (\w+)\n([\s\S]*)$/.exec(want) ?? []
  if (other === undefined) return tableForm(want)
  const { columns } = tableForm(wanted.get(other) ?? '')
  return { ...tableForm(`CREATE TABLE x\n(\n\n)\n${tail}`), columns, parts: new Map() }
}

const oneLine = (text = 'nothing') => text.replace(/\s+/g, ' ')

function differences(table: string, want: TableForm, have: TableForm): string[] {
  const pairs = (of: (form: TableForm) => [string, string][]) => {
    const [wanted, here] = [new Map(of(want)), new Map(of(have))]
    return [...new Set([...wanted.keys(), ...here.keys()])]
      .filter(key => wanted.get(key) !== here.get(key))
      .map(key => `${table}, ${key}: declared ${oneLine(wanted.get(key))}; here ${oneLine(here.get(key))}`)
  }
  return [
    ...pairs(form => [...form.columns].map(([name, { definition }]) => [`column ${name}`, definition])),
    ...pairs(form => [...form.parts]),
    ...pairs(form => [['engine', form.engine]]),
  ]
}

function commentsOf(table: string, want: TableForm, have: TableForm): Step[] {
  const steps = [...want.columns]
    .filter(([name, { comment }]) => have.columns.has(name) && have.columns.get(name)?.comment !== comment)
    .map(([name, { comment }]) => ({
      object: table,
      says: `change the comment of ${table}.${name}`,
      statement: `ALTER TABLE ${table} COMMENT COLUMN ${name} ${comment}`,
    }))
  if (want.comment === have.comment) return steps
  const statement = `ALTER TABLE ${table} MODIFY COMMENT ${want.comment}`
  return [...steps, { object: table, says: `change the comment of ${table}`, statement }]
}

/** One error for all that differs. */
export const driftError = (drift: readonly string[]): SchemaError =>
  new SchemaError(
    'TABLE_DIFFERS',
    `tables are not as pipelines/schema declares them, and nothing was changed:\n${drift.map(line => `  ${line}`).join('\n')}\nAlter them back, or write the change down in pipelines/changes`,
  )

/** Objects that differ from what this version declares; empty: the database is at its schema. */
export async function objectsThatDiffer(clickhouse: ClickHouseClient): Promise<string[]> {
  const { changes, steps, drift } = await planFor(clickhouse, await databaseOf(clickhouse))
  return [...new Set([...changes.map(({ name }) => name), ...steps.map(({ object }) => object), ...drift])]
}
