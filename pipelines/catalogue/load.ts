/**
 * Brings a catalogue into ClickHouse, all or nothing. The project's own is loaded by `npm run migrate` whenever its files have
 * changed, unless another was loaded with `npm run catalogue -- load DIR`: that one stays until the next load.
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../../common/clickhouse.ts'
import { type ListLoad, lastLoad, loadTables } from '../list-loads.ts'
import { type Problem, refuse } from '../problems.ts'
import { type Change, changesBetween, type Readings, readingsOf } from './changes.ts'
import { checkCatalogue } from './check.ts'
import { FILES, readCatalogue } from './files.ts'
import { type CatalogueTables, tablesOf } from './tables.ts'

export const OWN_FOLDER = fileURLToPath(new URL('../reference', import.meta.url))

/** The project's own catalogue, when it is due. Returns the names of the tables it filled. Throws ReferenceDataError. */
export async function loadCatalogue(clickhouse: ClickHouseClient): Promise<string[]> {
  const last = await lastLoad(clickhouse, 'catalogue')
  if (last !== undefined && last.source !== '') return []
  const load = loadOf(OWN_FOLDER)
  if (last?.checksum === load.checksum) return []
  const { tables, problems } = readAndCheck(OWN_FOLDER)
  refuse(problems)
  return loadTables(clickhouse, 'catalogue', { ...tables }, load)
}

/** A folder's catalogue as tables, and everything that is wrong with it; with problems the tables are not whole. */
export function readAndCheck(folder: string): { tables: CatalogueTables; problems: Problem[] } {
  const { catalogue, problems } = readCatalogue(folder)
  // Where cells are wrong their rows are missing, and rows that name them would be blamed.
  return { tables: tablesOf(catalogue), problems: problems.length > 0 ? problems : checkCatalogue(catalogue) }
}

/** What a folder's catalogue would change in the database. */
export async function compare(
  clickhouse: ClickHouseClient,
  after: CatalogueTables,
): Promise<{ changes: Change[]; readings: Readings }> {
  const before = await storedTables(clickhouse)
  const counted = await rowsOf<{ procedure_code: string; dossiers: number }>(
    clickhouse,
    'SELECT procedure_code, sum(sign) AS dossiers FROM dossier_postings GROUP BY procedure_code HAVING dossiers != 0',
  )
  return { changes: changesBetween(before, after), readings: readingsOf(before, after, counted) }
}

/** Puts a checked catalogue in the place of the loaded one. */
export const bring = (clickhouse: ClickHouseClient, folder: string, tables: CatalogueTables): Promise<string[]> =>
  loadTables(clickhouse, 'catalogue', { ...tables }, loadOf(folder))

function loadOf(folder: string): ListLoad {
  const hash = createHash('sha256')
  const code = ['files.ts', 'tables.ts'].map(file => fileURLToPath(new URL(file, import.meta.url)))
  for (const path of [...FILES.map(file => join(folder, file)), ...code])
    hash.update(existsSync(path) ? readFileSync(path) : 'missing')
  return { checksum: hash.digest('hex'), source: resolve(folder) === resolve(OWN_FOLDER) ? '' : resolve(folder) }
}

async function storedTables(clickhouse: ClickHouseClient): Promise<CatalogueTables> {
  const all = <Row>(table: string) => rowsOf<Row>(clickhouse, `SELECT * FROM ${table}`)
  const [sectors, procedures, procedure_groups] = await Promise.all([
    all<CatalogueTables['sectors'][number]>('sectors'),
    all<CatalogueTables['procedures'][number]>('procedures'),
    all<CatalogueTables['procedure_groups'][number]>('procedure_groups'),
  ])
  return { sectors, procedures, procedure_groups }
}
