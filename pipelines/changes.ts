/**
 * Changes of tables that have rows: `changes/NNNN_name.sql`, statements that end in `;`. Each statement is done once, in order,
 * and noted; it must be one that may be done twice (IF NOT EXISTS), because a process may die between the two. Files are only
 * ever added. A new database is made from the declarations, and has no need of them.
 */
import { readdirSync, readFileSync } from 'node:fs'
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../common/clickhouse.ts'
import { SchemaError } from './declarations.ts'

export interface Change {
  name: string
  /** From 0. */
  step: number
  statement: string
}

const FILE = /^\d{4}_[a-z0-9_]+\.sql$/
/** Migrations of earlier versions, from which a database is brought here: the first is that of commit 730dc37. */
const MIGRATIONS = { first: 73, last: 81 }

/** Throws {@link SchemaError} for a file that is none: it would be skipped in silence. */
export function readChanges(folder = new URL('changes/', import.meta.url)): Change[] {
  return readdirSync(folder)
    .filter(file => file !== 'README.md')
    .sort()
    .flatMap(file => {
      if (!FILE.test(file))
        throw new SchemaError('FILE_UNKNOWN', `pipelines/changes/${file} is no change: NNNN_name.sql`)
      const statements = readFileSync(new URL(file, folder), 'utf8')
        .replace(/^\s*--.*\n/gm, '')
        .split(/;\s*(?:\n|$)/)
        .filter(statement => statement.trim() !== '')
      return statements.map((statement, step) => ({ name: file.replace('.sql', ''), step, statement }))
    })
}

const DONE = new URL('schema/records/schema_changes.sql', import.meta.url)

/** Marks of a rebuild of the ledger: it is due while it was wanted more often than done. */
const [WANTED, REBUILT] = ['rebuild wanted', 'rebuild done']
const MARKS = [WANTED, REBUILT]

const note = (clickhouse: ClickHouseClient, changes: readonly Change[]) =>
  clickhouse.insert({
    table: 'schema_changes',
    values: changes.map(({ name, step }) => ({ name, step })),
    columns: ['name', 'step'],
    format: 'JSONEachRow',
  })

/** What is left to do in a database with these objects. Throws {@link SchemaError} for one that is not known. */
export async function changesLeft(
  clickhouse: ClickHouseClient,
  there: ReadonlySet<string>,
  changes = readChanges(),
): Promise<Change[]> {
  if (there.has('schema_changes')) {
    const done = await rowsOf<{ name: string; step: number }>(clickhouse, 'SELECT name, step FROM schema_changes')
    const newer = done.find(
      ({ name, step }) => !MARKS.includes(name) && !changes.some(one => one.name === name && one.step === step),
    )
    if (newer !== undefined)
      throw new SchemaError(
        'DATABASE_UNKNOWN',
        `the database has the change ${newer.name}, which this version of motcua does not know; use a newer one`,
      )
    return changes.filter(one => !done.some(({ name, step }) => name === one.name && step === one.step))
  }
  if (!there.has('dossier_events')) return []
  if (!there.has('schema_migrations'))
    throw new SchemaError(
      'DATABASE_UNKNOWN',
      'the database has a table dossier_events, but no note of what made it (schema_changes or schema_migrations); it is left as it is',
    )
  const [row] = await rowsOf<{ last: number }>(clickhouse, 'SELECT max(version) AS last FROM schema_migrations')
  const last = row?.last ?? 0
  if (last < MIGRATIONS.first || last > MIGRATIONS.last)
    throw new SchemaError(
      'DATABASE_UNKNOWN',
      `the database is at migration ${last}; this version takes over databases from migration ${MIGRATIONS.first} to ${MIGRATIONS.last}`,
    )
  return changes
}

/** Does what is left, and notes each statement when it is done. In a new database all are noted before its first table is there. */
export async function applyChanges(
  clickhouse: ClickHouseClient,
  there: ReadonlySet<string>,
  left: readonly Change[],
): Promise<void> {
  const isNew = !there.has('schema_changes') && !there.has('dossier_events')
  const made = readFileSync(DONE, 'utf8').replace('CREATE TABLE', 'CREATE TABLE IF NOT EXISTS')
  await clickhouse.command({ query: made })
  if (isNew) return void (await note(clickhouse, readChanges()))
  for (const change of left) {
    try {
      await clickhouse.command({ query: change.statement })
    } catch (cause) {
      throw new SchemaError(
        'STATEMENT_FAILED',
        `pipelines/changes/${change.name}.sql, statement ${change.step + 1}, failed: ${(cause as Error).message}`,
        { cause },
      )
    }
    await note(clickhouse, [change])
  }
}

export const wantRebuild = (clickhouse: ClickHouseClient) =>
  note(clickhouse, [{ name: WANTED, step: 0, statement: '' }])
export const rebuilt = (clickhouse: ClickHouseClient) => note(clickhouse, [{ name: REBUILT, step: 0, statement: '' }])

/** Whether a rebuild was wanted after the last one that a migration did. */
export async function rebuildIsDue(clickhouse: ClickHouseClient): Promise<boolean> {
  const [row] = await rowsOf<{ due: number }>(
    clickhouse,
    'SELECT maxIf(done_at, name = {WANTED:String}) > maxIf(done_at, name = {REBUILT:String}) AS due FROM schema_changes',
    { WANTED, REBUILT },
  )
  return row?.due === 1
}
