/**
 * A new list of units, read and checked, and what it would change: what `npm run units` does, without the command line.
 */
import { existsSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ClickHouseClient } from '@clickhouse/client'
import { lastLoad, loadTables } from '../list-loads.ts'
import { type Problem, refuse } from '../problems.ts'
import { pathOf, plain, readReference, readRows } from '../reference.ts'
import { checkAgencies } from './agencies.ts'
import { type Change, changedPairs, changesOf, type Moves, movesOf, periodsOfBoth } from './changes.ts'
import { checkUnits } from './check.ts'
import { ledgerCounts } from './ledger.ts'
import { createLists } from './lists.ts'
import { storedLists } from './stored.ts'
import { type UnitLists, unitTables } from './tables.ts'

export interface NewLists {
  units_file: string
  /** The one beside the units; without it the successors that stand already. */
  successors_file: string
  problems: Problem[]
  lists: UnitLists
}

/** The lists of units that stand, and where. */
export interface Standing {
  lists: UnitLists
  where: string
}

/** The project's own lists, where ClickHouse cannot be asked. */
export const projectStanding = (): Standing => ({
  lists: { units: readReference('administrative_units'), successors: readReference('unit_successors') },
  where: 'pipelines/reference',
})

/** The lists in ClickHouse; the project's own where none is loaded yet. */
export async function standingIn(clickhouse: ClickHouseClient): Promise<Standing> {
  const lists = await storedLists(clickhouse)
  return lists.units.length === 0 ? projectStanding() : { lists, where: 'ClickHouse' }
}

/** Reads and checks a list: a file, or a folder with administrative_units.csv and unit_successors.csv. */
export function readLists(path: string, standing: Standing): NewLists {
  const folder = existsSync(path) && statSync(path).isDirectory()
  const units_file = resolve(folder ? join(path, 'administrative_units.csv') : path)
  const beside = join(dirname(units_file), 'unit_successors.csv')
  const units = readRows('administrative_units', units_file)
  const successors = existsSync(beside)
    ? readRows('unit_successors', beside)
    : { rows: standing.lists.successors.map(pair => ({ ...pair, line: 0 })), problems: [] }
  const problems = [...units.problems, ...successors.problems]
  // What rows mean to each other can be told once every row could be read.
  if (problems.length === 0) problems.push(...checkUnits(units.rows, successors.rows))
  const lists = { units: plain(units.rows), successors: plain(successors.rows) }
  if (problems.every(problem => problem.severity === 'warning')) {
    const agencies = readRows('agencies')
    problems.push(...agencies.problems, ...checkAgencies(agencies.rows, createLists(lists.units, lists.successors)))
  }
  return {
    units_file,
    successors_file: existsSync(beside) ? beside : `the one of ${standing.where}`,
    problems,
    lists,
  }
}

export interface Report {
  compared_with: string
  changes: Change[]
  pairs: { added: number; removed: number }
  /** Undefined: the ledger could not be asked. */
  moves: Moves | undefined
}

/** What a list without errors changes; `clickhouse` undefined: the ledger is not asked. */
export async function reportOf(
  lists: UnitLists,
  standing: Standing,
  clickhouse: ClickHouseClient | undefined,
): Promise<Report> {
  const before = standing.lists
  return {
    compared_with: standing.where,
    changes: changesOf(before, lists),
    pairs: changedPairs(before, lists),
    moves: clickhouse && movesOf(before, lists, await ledgerCounts(clickhouse, periodsOfBoth(before, lists))),
  }
}

/** A code that dossiers carry must be in the list, or they would count nowhere. */
export const unknownCodes = (moves: Moves | undefined): Problem[] =>
  (moves?.unknown ?? []).map(({ unit_code, dossiers }) => ({
    severity: 'error',
    file: 'administrative_units.csv',
    line: 0,
    field: 'unit_code',
    value: unit_code,
    allowed: `a list that has it, too: ${dossiers} dossiers of the ledger carry it`,
  }))

/**
 * Puts a list in the place of the one that stands, with all that is derived from it. Throws {@link ReferenceDataError}.
 */
export async function load(
  clickhouse: ClickHouseClient,
  { lists, problems, units_file }: NewLists,
  report: Report,
): Promise<string[]> {
  refuse([...problems, ...unknownCodes(report.moves)])
  const own = units_file === fileURLToPath(pathOf('administrative_units'))
  return loadTables(
    clickhouse,
    'units',
    { ...unitTables(lists, readReference('agencies')) },
    {
      // Nothing loaded yet: the next `npm run migrate` loads the rest.
      checksum: (await lastLoad(clickhouse, 'units'))?.checksum ?? '',
      source: own ? '' : units_file,
    },
  )
}
