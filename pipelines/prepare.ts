/** Makes a ClickHouse ready: database, schema, reference data. `npm run migrate`, and a step of `npm start`. */
import type { ClickHouseConfig } from '../services/common/clickhouse.ts'
import { createClickHouse, DATABASE } from '../services/common/clickhouse.ts'
import { loadCatalogue } from './catalogue/load.ts'
import { loadIndicators } from './indicators/views.ts'
import { loadCalendar } from './load-calendar.ts'
import { migrate } from './migrate.ts'
import { loadUnits } from './units/load.ts'

/** Idempotent. Returns what it did: names of migrations applied and of tables loaded. */
export async function prepareDatabase(
  config: ClickHouseConfig,
  database = DATABASE,
): Promise<{ migrations: string[]; loaded: string[] }> {
  const server = createClickHouse(config, 'default', { database: 'default' })
  try {
    await server.command({ query: 'CREATE DATABASE IF NOT EXISTS {database:Identifier}', query_params: { database } })
  } finally {
    await server.close()
  }
  const clickhouse = createClickHouse(config, 'default', { database })
  try {
    const migrations = await migrate(clickhouse)
    const loaded: string[] = []
    for (const load of [loadUnits, loadCalendar, loadCatalogue]) loaded.push(...(await load(clickhouse)))
    await loadIndicators(clickhouse)
    return { migrations, loaded }
  } finally {
    await clickhouse.close()
  }
}

if (import.meta.main) {
  const { commonShape, readConfig } = await import('../services/common/config.ts')
  const { z } = await import('zod')
  const { CLICKHOUSE_URL, CLICKHOUSE_USER, CLICKHOUSE_PASSWORD } = commonShape
  const config = readConfig(
    z.object({ CLICKHOUSE_URL: CLICKHOUSE_URL.default('http://127.0.0.1:8123'), CLICKHOUSE_USER, CLICKHOUSE_PASSWORD }),
    process.env,
  )
  const { migrations, loaded } = await prepareDatabase(config)
  console.log(migrations.length === 0 ? 'The schema is up to date.' : `Applied: ${migrations.join(', ')}.`)
  console.log(loaded.length === 0 ? 'The reference data are up to date.' : `Loaded: ${loaded.join(', ')}.`)
}
