/**
 * Brings a database to the newest schema: numbered SQL files, one statement each, applied once and in order. Idempotent; a
 * file that was applied and then changed is refused, because what stands in the database would no longer be what the file says.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../services/common/clickhouse.ts'
import { filledIn } from './templates.ts'

export class MigrationError extends Error {
  readonly code: 'MIGRATION_CHANGED' | 'MIGRATION_UNKNOWN' | 'MIGRATION_FAILED'
  constructor(code: MigrationError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export interface Migration {
  version: number
  name: string
  statement: string
  checksum: string
}

const FILE = /^(\d{4})_([a-z0-9_]+)\.up\.sql$/
const BACK = /^\d{4}_[a-z0-9_]+\.down\.sql$/

/** The migrations of a folder in order. Throws {@link MigrationError} for a file that is none: it would be skipped in silence. */
export function readMigrations(folder = new URL('migrations/', import.meta.url)): Migration[] {
  return readdirSync(folder)
    .sort()
    .flatMap(file => {
      const match = FILE.exec(file)
      if (match === null && !BACK.test(file))
        throw new MigrationError('MIGRATION_UNKNOWN', `pipelines/migrations/${file} is no migration: NNNN_name.up.sql`)
      if (match === null) return []
      const statement = filledIn(readFileSync(new URL(file, folder), 'utf8'))
      return [
        {
          version: Number(match[1]),
          name: match[2] as string,
          statement,
          checksum: createHash('sha256').update(statement).digest('hex'),
        },
      ]
    })
}

/** The statement of the newest migration of that name. */
export function newestStatement(name: string, migrations = readMigrations()): string {
  const migration = migrations.findLast(one => one.name === name)
  if (migration === undefined) throw new MigrationError('MIGRATION_UNKNOWN', `no migration is named ${name}`)
  return migration.statement
}

/**
 * Applies what is missing to the client's database, which must exist. Returns the names applied.
 * Throws {@link MigrationError} where an applied file has changed or the database is newer than this program.
 */
export async function migrate(clickhouse: ClickHouseClient, migrations = readMigrations()): Promise<string[]> {
  await clickhouse.command({
    query: `CREATE TABLE IF NOT EXISTS schema_migrations
      (
          version UInt32 COMMENT 'Number of the file in pipelines/migrations',
          name String COMMENT 'Name of the file',
          checksum String COMMENT 'SHA-256 of the statement applied',
          applied_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was applied'
      )
      ENGINE = MergeTree ORDER BY version COMMENT 'One row is a migration that was applied'`,
  })
  const rows = await rowsOf<{ version: number; name: string; checksum: string }>(
    clickhouse,
    'SELECT version, name, checksum FROM schema_migrations',
  )
  const applied = new Map(rows.map(row => [row.version, row]))
  for (const row of rows)
    if (!migrations.some(migration => migration.version === row.version))
      throw new MigrationError(
        'MIGRATION_UNKNOWN',
        `the database has migration ${row.version} ${row.name}, which this version of motcua does not know; use a newer one`,
      )
  const names: string[] = []
  for (const migration of migrations) {
    const before = applied.get(migration.version)
    if (before?.checksum === migration.checksum) continue
    if (before !== undefined)
      throw new MigrationError(
        'MIGRATION_CHANGED',
        `pipelines/migrations/${fileOf(migration)} was changed after it was applied; undo the change and add a new file instead (or begin anew: npm start -- --fresh)`,
      )
    try {
      await clickhouse.command({ query: migration.statement })
    } catch (cause) {
      throw new MigrationError(
        'MIGRATION_FAILED',
        `pipelines/migrations/${fileOf(migration)} failed: ${(cause as Error).message}`,
        { cause },
      )
    }
    await clickhouse.insert({
      table: 'schema_migrations',
      values: [{ version: migration.version, name: migration.name, checksum: migration.checksum }],
      columns: ['version', 'name', 'checksum'],
      format: 'JSONEachRow',
    })
    names.push(migration.name)
  }
  return names
}

/** Migrations that are not applied, or applied in another wording. */
export async function missingMigrations(
  clickhouse: ClickHouseClient,
  migrations = readMigrations(),
): Promise<string[]> {
  const rows = await rowsOf<{ version: number; checksum: string }>(
    clickhouse,
    'SELECT version, checksum FROM schema_migrations',
  )
  const applied = new Map(rows.map(row => [row.version, row.checksum]))
  return migrations.filter(migration => applied.get(migration.version) !== migration.checksum).map(fileOf)
}

const fileOf = (migration: Migration) => `${String(migration.version).padStart(4, '0')}_${migration.name}.up.sql`
