/**
 * Loads the reference data on units (lists, successors, agencies) into ClickHouse, only when a file has
 * changed. Everything is checked and stands in new tables before one statement puts these in the place of the old ones.
 *
 * A list of units brought in with `npm run units -- load` stays: then only the project's other files are loaded.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ClickHouseClient } from '@clickhouse/client'
import { refuse } from './problems.ts'
import { pathOf, plain, readRows } from './reference.ts'
import { checkAgencies } from './units/agencies.ts'
import { checkUnits } from './units/check.ts'
import { createLists } from './units/lists.ts'
import { lastLoad, storedLists } from './units/stored.ts'
import { unitTables } from './units/tables.ts'

const OWN_FILES = ['administrative_units', 'unit_successors', 'agencies'] as const

/** What decides what stands in the tables: the files, and the code that derives from them. */
function fingerprint(): string {
  const hash = createHash('sha256')
  for (const name of OWN_FILES) hash.update(readFileSync(pathOf(name)))
  for (const code of ['agencies', 'lists', 'on-days', 'rebase', 'tables'])
    hash.update(readFileSync(new URL(`units/${code}.ts`, import.meta.url)))
  return hash.digest('hex')
}

/** Loads what has changed. Returns the names of the tables it exchanged. Throws {@link ReferenceDataError}. */
export async function loadReference(clickhouse: ClickHouseClient): Promise<string[]> {
  const checksum = fingerprint()
  const last = await lastLoad(clickhouse)
  if (last?.checksum === checksum) return []

  const units_source = last?.units_source ?? ''
  const units = units_source === '' ? projectLists() : await storedLists(clickhouse)
  const agencies = readRows('agencies')
  refuse([...agencies.problems, ...checkAgencies(agencies.rows, createLists(units.units, units.successors))])

  return exchange(clickhouse, { ...unitTables(units, plain(agencies.rows)) }, { checksum, units_source })
}

/** The project's own lists of units, checked. */
function projectLists() {
  const units = readRows('administrative_units')
  const successors = readRows('unit_successors')
  refuse([...units.problems, ...successors.problems, ...checkUnits(units.rows, successors.rows)])
  return { units: plain(units.rows), successors: plain(successors.rows) }
}

type Tables = Record<string, readonly object[]>

/**
 * Fills new tables beside the old ones and exchanges all of them in one statement: whatever fails before it leaves
 * everything as it was. A view reads one of these tables only, so no reader sees half of a load.
 */
export async function exchange(
  clickhouse: ClickHouseClient,
  tables: Tables,
  load: { checksum: string; units_source: string },
): Promise<string[]> {
  const names = Object.keys(tables)
  for (const table of names) {
    await clickhouse.command({ query: `CREATE OR REPLACE TABLE ${table}_new AS ${table}` })
    await clickhouse.insert({ table: `${table}_new`, values: tables[table] ?? [], format: 'JSONEachRow' })
  }
  await clickhouse.command({
    query: `EXCHANGE TABLES ${names.map(table => `${table} AND ${table}_new`).join(', ')}`,
  })
  for (const table of names) await clickhouse.command({ query: `DROP TABLE ${table}_new` })
  await clickhouse.insert({
    table: 'reference_loads',
    values: [load],
    columns: ['checksum', 'units_source'],
    format: 'JSONEachRow',
  })
  return names
}
