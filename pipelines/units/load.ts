/**
 * Loads the project's reference data on units (lists, successors, agencies) into ClickHouse, only when a file has changed, and
 * everything checked before. A list brought in with `npm run units -- load` stays: then only the agencies are loaded anew.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ClickHouseClient } from '@clickhouse/client'
import { lastLoad, loadTables } from '../list-loads.ts'
import { refuse } from '../problems.ts'
import { pathOf, plain, readRows } from '../reference.ts'
import { checkAgencies } from './agencies.ts'
import { checkUnits } from './check.ts'
import { createLists } from './lists.ts'
import { storedLists } from './stored.ts'
import { unitTables } from './tables.ts'

const OWN_FILES = ['administrative_units', 'unit_successors', 'agencies'] as const

/** What decides what stands in the tables: the files, and the code that derives from them. */
function fingerprint(): string {
  const hash = createHash('sha256')
  for (const name of OWN_FILES) hash.update(readFileSync(pathOf(name)))
  for (const code of ['agencies', 'lists', 'on-days', 'rebase', 'tables'])
    hash.update(readFileSync(new URL(`${code}.ts`, import.meta.url)))
  return hash.digest('hex')
}

/** Loads what has changed. Returns the names of the tables it exchanged. Throws {@link ReferenceDataError}. */
export async function loadUnits(clickhouse: ClickHouseClient): Promise<string[]> {
  const checksum = fingerprint()
  const last = await lastLoad(clickhouse, 'units')
  if (last?.checksum === checksum) return []

  const source = last?.source ?? ''
  const units = source === '' ? projectLists() : await storedLists(clickhouse)
  const agencies = readRows('agencies')
  refuse([...agencies.problems, ...checkAgencies(agencies.rows, createLists(units.units, units.successors))])

  return loadTables(clickhouse, 'units', { ...unitTables(units, plain(agencies.rows)) }, { checksum, source })
}

/** The project's own lists of units, checked. */
function projectLists() {
  const units = readRows('administrative_units')
  const successors = readRows('unit_successors')
  refuse([...units.problems, ...successors.problems, ...checkUnits(units.rows, successors.rows)])
  return { units: plain(units.rows), successors: plain(successors.rows) }
}
