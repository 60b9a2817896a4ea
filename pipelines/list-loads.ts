/**
 * Puts new rows in the place of all rows of some tables at once, and remembers what was loaded. Whatever fails before the one
 * statement that exchanges the tables leaves everything as it was.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../common/clickhouse.ts'

export type ListName = 'units' | 'calendar' | 'catalogue' | 'indicators'
export interface ListLoad {
  checksum: string
  /** Folder it came from; empty: the files of this project. */
  source: string
}

/** The newest load of a list. */
export async function lastLoad(clickhouse: ClickHouseClient, list: ListName): Promise<ListLoad | undefined> {
  const [last] = await rowsOf<ListLoad>(
    clickhouse,
    'SELECT checksum, source FROM list_loads WHERE list = {list:String} ORDER BY loaded_at DESC LIMIT 1',
    { list },
  )
  return last
}

/** Returns the names of the tables. */
export async function loadTables(
  clickhouse: ClickHouseClient,
  list: ListName,
  tables: Record<string, readonly object[]>,
  load: ListLoad,
): Promise<string[]> {
  const names = Object.keys(tables)
  for (const name of names) {
    await clickhouse.command({ query: `CREATE OR REPLACE TABLE ${name}_new AS ${name}` })
    await clickhouse.insert({ table: `${name}_new`, values: tables[name] ?? [], format: 'JSONEachRow' })
  }
  await clickhouse.command({ query: `EXCHANGE TABLES ${names.map(name => `${name} AND ${name}_new`).join(', ')}` })
  for (const name of names) await clickhouse.command({ query: `DROP TABLE ${name}_new` })
  await clickhouse.insert({
    table: 'list_loads',
    values: [{ list, ...load }],
    columns: ['list', 'checksum', 'source'],
    format: 'JSONEachRow',
  })
  return names
}
