/** Makes a ClickHouse ready: database, schema, reference data. `npm run migrate`, and a step of `npm start`. */
import { Command } from 'commander'
import { z } from 'zod'
import type { ClickHouseConfig } from '../common/clickhouse.ts'
import { createClickHouse, DATABASE, rowsOf } from '../common/clickhouse.ts'
import { commonShape, readConfig } from '../common/config.ts'
import { loadCatalogue } from './catalogue/load.ts'
import { loadIndicators } from './indicators/views.ts'
import { loadCalendar } from './load-calendar.ts'
import { migrate } from './migrate.ts'
import { planFor } from './plan.ts'
import { loadUnits } from './units/load.ts'

/** Longer than a slice of a rebuild takes on a slow machine. */
const REQUEST_MS_MAX = 30 * 60_000

/** Idempotent. Returns what it did: a line for each object changed, and names of tables loaded. */
export async function prepareDatabase(
  config: ClickHouseConfig,
  database = DATABASE,
): Promise<{ schema: string[]; loaded: string[] }> {
  await onServer(config, server =>
    server.command({ query: 'CREATE DATABASE IF NOT EXISTS {database:Identifier}', query_params: { database } }),
  )
  const clickhouse = createClickHouse(config, 'default', { database, request_ms_max: REQUEST_MS_MAX })
  try {
    const schema = await migrate(clickhouse)
    const loaded: string[] = []
    for (const load of [loadUnits, loadCalendar, loadCatalogue, loadIndicators])
      loaded.push(...(await load(clickhouse)))
    return { schema, loaded }
  } finally {
    await clickhouse.close()
  }
}

async function onServer<Answer>(
  config: ClickHouseConfig,
  work: (server: ReturnType<typeof createClickHouse>) => Promise<Answer>,
): Promise<Answer> {
  const server = createClickHouse(config, 'default', { database: 'default' })
  try {
    return await work(server)
  } finally {
    await server.close()
  }
}

/** What {@link prepareDatabase} would do to the schema, a line each. Changes nothing. */
async function planned(config: ClickHouseConfig, database = DATABASE): Promise<string[]> {
  const there = await onServer(config, server =>
    rowsOf(server, 'SELECT 1 FROM system.databases WHERE name = {database:String}', { database }),
  )
  if (there.length === 0) return [`create the database ${database}, with everything in it`]
  const clickhouse = createClickHouse(config, 'default', { database })
  try {
    const { changes, steps, drift, rebuild } = await planFor(clickhouse, database)
    return [
      ...drift.map(line => `NOT AS DECLARED: ${line}`),
      ...changes.map(({ name, statement }) => `change ${name}: ${statement.trim()}`),
      ...steps.map(({ says }) => says),
      ...(rebuild ? ['rebuild the ledger from the log'] : []),
    ]
  } finally {
    await clickhouse.close()
  }
}

if (import.meta.main) {
  const { plan } = new Command('npm run migrate --')
    .description('Brings database, schema and reference data to this version. Changes nothing that is right already.')
    .option('--plan', 'only print what would change')
    .parse()
    .opts<{ plan?: boolean }>()
  const { CLICKHOUSE_URL, CLICKHOUSE_USER, CLICKHOUSE_PASSWORD } = commonShape
  const config = readConfig(
    z.object({ CLICKHOUSE_URL: CLICKHOUSE_URL.default('http://127.0.0.1:8123'), CLICKHOUSE_USER, CLICKHOUSE_PASSWORD }),
    process.env,
  )
  if (plan === true) {
    const lines = await planned(config)
    console.log(lines.length === 0 ? 'The schema is up to date.' : lines.join('\n'))
  } else {
    const { schema, loaded } = await prepareDatabase(config)
    console.log(schema.length === 0 ? 'The schema is up to date.' : schema.join('\n'))
    console.log(loaded.length === 0 ? 'The reference data are up to date.' : `Loaded: ${loaded.join(', ')}.`)
  }
}
