/** A database is brought to the declared schema: what differs is named, what can be replaced is replaced, rows are never touched. */
import { afterEach, beforeAll, expect, test } from 'vitest'
import { rowsOf } from '../common/clickhouse.ts'
import { compareLedger } from '../pipelines/audit/ledger.ts'
import { applyChanges, type Change, changesLeft, readChanges, wantRebuild } from '../pipelines/changes.ts'
import { statementOf } from '../pipelines/declarations.ts'
import { migrate } from '../pipelines/migrate.ts'
import { modifyQuery, objectsThatDiffer, planFor } from '../pipelines/plan.ts'
import { prepareDatabase } from '../pipelines/prepare.ts'
import { clickhouseConfig, clickhouseOfTests, eventJson, eventOf } from './events.ts'
import { ownDatabase } from './own-database.ts'

const DATABASE = 'motcua_migrate'
const { clickhouse, ingest } = ownDatabase(DATABASE)
const run = (query: string) => clickhouse.command({ query })
const objects = () =>
  rowsOf<object>(
    clickhouse,
    `SELECT name, create_table_query, metadata_modification_time FROM system.tables WHERE database = '${DATABASE}' ORDER BY name`,
  )

beforeAll(() => ingest([eventOf(eventJson({ channel: 'ONLINE' }))]))
// Whatever a test has done to it: the next one begins at the schema.
afterEach(async () => expect(await objectsThatDiffer(clickhouse)).toEqual([]))

test('a new database is at its schema, and preparing it again does nothing', async () => {
  expect(await prepareDatabase(clickhouseConfig(), DATABASE)).toEqual({ schema: [], loaded: [] })
})

test('a view that was changed, or dropped, comes back, and with it a table that keeps nothing', async () => {
  await run('CREATE OR REPLACE VIEW rates_by_province AS SELECT 1 AS one')
  await run('DROP VIEW backlog')
  await run(`CREATE OR REPLACE TABLE history AS dossier_events ENGINE = Merge('${DATABASE}', '^other$')`)
  const before = await objects()
  expect((await planFor(clickhouse, DATABASE)).steps.map(({ says }) => says)).toEqual([
    'replace history',
    'replace rates_by_province',
    'create backlog',
  ])
  // To plan is to look.
  expect(await objects()).toEqual(before)
  expect(await migrate(clickhouse)).toEqual(['replace history', 'replace rates_by_province', 'create backlog'])
  expect(await rowsOf(clickhouse, 'SELECT received FROM rates_by_province')).toEqual([{ received: 1 }])
})

test('what tables and columns say of themselves is brought to the declaration', async () => {
  await run("ALTER TABLE dossier_postings COMMENT COLUMN sign 'other'")
  await run("ALTER TABLE leases MODIFY COMMENT 'it''s other'")
  await run("ALTER TABLE balance MODIFY COMMENT 'other'")
  expect((await migrate(clickhouse)).sort()).toEqual([
    'change the comment of balance',
    'change the comment of dossier_postings.sign',
    'change the comment of leases',
  ])
})

test('a table that is not as declared ends it, with the column and both definitions, before anything is touched', async () => {
  await run('ALTER TABLE dossier_events ADD COLUMN mine String')
  await run("ALTER TABLE leases MODIFY COLUMN until DateTime64(6, 'UTC')")
  await run('ALTER TABLE dossier_postings DROP PROJECTION overdue')
  await run('ALTER TABLE partition_owners MODIFY SETTING parts_to_delay_insert = 500')
  await run('CREATE OR REPLACE VIEW rates_by_province AS SELECT 1 AS one')
  const failed = await migrate(clickhouse).catch((error: Error) => error)
  expect(failed).toMatchObject({ code: 'TABLE_DIFFERS' })
  const text = (failed as Error).message
  expect(text).toContain('dossier_events, column mine: declared nothing; here String')
  expect(text).toContain("leases, column until: declared DateTime64(3, 'UTC'); here DateTime64(6, 'UTC')")
  expect(text).toMatch(/dossier_postings, projection overdue: declared PROJECTION overdue[\s\S]+; here nothing/)
  expect(text).toMatch(/partition_owners, engine: declared ENGINE[\s\S]+; here ENGINE[\s\S]+parts_to_delay_insert/)
  expect(await rowsOf(clickhouse, 'SELECT one FROM rates_by_province')).toEqual([{ one: 1 }])

  await run('ALTER TABLE dossier_events DROP COLUMN mine')
  await run("ALTER TABLE leases MODIFY COLUMN until DateTime64(3, 'UTC')")
  const projection = /PROJECTION overdue\s*\([\s\S]+?\n {4}\)/.exec(statementOf('dossier_postings'))?.[0]
  await run(`ALTER TABLE dossier_postings ADD ${projection}`)
  await run('ALTER TABLE dossier_postings MATERIALIZE PROJECTION overdue SETTINGS mutations_sync = 2')
  await run('ALTER TABLE partition_owners RESET SETTING parts_to_delay_insert')
  expect(await migrate(clickhouse)).toEqual(['replace rates_by_province'])
})

test('where what counts is computed in another way, the query is modified in place and the ledger rebuilt', async () => {
  const uuid = async () =>
    rowsOf(clickhouse, `SELECT uuid FROM system.tables WHERE database = '${DATABASE}' AND name = 'balance'`)
  const before = await uuid()
  const proper = statementOf('balance')
  const other = proper.replace('n_channel AS f_channel', "'POSTAL' AS f_channel")
  expect(other).not.toBe(proper)
  await run(modifyQuery('balance', other))
  await ingest([eventOf(eventJson({ channel: 'ONLINE', processing_unit: '08152' }))])
  const online = async () => rowsOf(clickhouse, 'SELECT sum(received_online) AS online FROM rates_by_commune')
  expect(await online()).toEqual([{ online: 1 }])
  expect(await migrate(clickhouse)).toEqual(['modify the query of balance', 'rebuild the ledger from the log'])
  expect(await online()).toEqual([{ online: 2 }])
  expect((await compareLedger(clickhouse, '1', 10)).differences).toEqual([])
  expect(await uuid()).toEqual(before)
})

test('another fence is no other count: nothing is rebuilt', async () => {
  await run(modifyQuery('balance', statementOf('balance').replace('AND pause = 0', '')))
  expect(await migrate(clickhouse)).toEqual(['modify the query of balance'])
})

test('a rebuild that was due when the migration was ended is done by the next one', async () => {
  await run('TRUNCATE TABLE dossier_postings')
  await wantRebuild(clickhouse)
  expect(await migrate(clickhouse)).toEqual(['rebuild the ledger from the log'])
  expect((await compareLedger(clickhouse, '1', 10)).differences).toEqual([])
  expect(await migrate(clickhouse)).toEqual([])
})

test('a change that was ended half way goes on with the statement that is left', async () => {
  const changes: Change[] = [
    { name: '9000_x', step: 0, statement: 'ALTER TABLE leases ADD COLUMN IF NOT EXISTS x UInt8' },
    { name: '9000_x', step: 1, statement: 'ALTER TABLE no_such_table DROP COLUMN x' },
  ]
  const there = new Set(['schema_changes', 'dossier_events'])
  await expect(applyChanges(clickhouse, there, changes)).rejects.toThrow(/9000_x\.sql, statement 2, failed/)
  const left = await changesLeft(clickhouse, there, changes).catch((error: Error) => error.message)
  expect(left).toMatch(/the database has the change 0001_from_migrations, which this version of motcua does not know/)
  expect(await changesLeft(clickhouse, there, [...readChanges(), ...changes])).toEqual([changes[1]])
  await run('ALTER TABLE leases DROP COLUMN x')
  await run("DELETE FROM schema_changes WHERE name = '9000_x'")
})

test.each([
  ['with a log of unknown origin', undefined, /no note of what made it/],
  [
    'from before this version can take over',
    72,
    /is at migration 72; this version takes over databases from migration 73 to 81/,
  ],
])('a database %s is left as it is', async (_, version, error) => {
  const name = 'motcua_unknown'
  const server = clickhouseOfTests('default', 'default')
  await server.command({ query: `CREATE DATABASE ${name}` })
  try {
    await server.command({ query: `CREATE TABLE ${name}.dossier_events (x UInt8) ENGINE = MergeTree ORDER BY x` })
    if (version !== undefined)
      await server.command({
        query: `CREATE TABLE ${name}.schema_migrations ENGINE = MergeTree ORDER BY version AS SELECT toUInt32(${version}) AS version`,
      })
    await expect(prepareDatabase(clickhouseConfig(), name)).rejects.toThrow(error)
  } finally {
    await server.command({ query: `DROP DATABASE ${name}` })
    await server.close()
  }
})

/** What a parameter of a view is given, by its name, else by its type. */
const VALUES: Record<string, string> = {
  tier: 'province',
  period: '2025',
  units: '2025-07-01',
  split: 'area',
  unit: '08746',
  unit_code: '08746',
  soon: '5',
  least: '1',
  from: '2025-01-01',
  String: '2025-12-31',
  Date: '2025-12-31',
  "DateTime('UTC')": '2026-01-01 00:00:00',
  "DateTime64(3, 'UTC')": '2026-01-01 00:00:00.000',
}

test('every view answers a client that stands in another database', async () => {
  const elsewhere = clickhouseOfTests('default', 'default')
  const views = await rowsOf<{ name: string; text: string }>(
    clickhouse,
    `SELECT name, create_table_query AS text FROM system.tables WHERE database = '${DATABASE}' AND engine = 'View'`,
  )
  expect(views.length).toBeGreaterThan(50)
  const failing: string[] = []
  for (const { name, text } of views) {
    const types = new Map([...text.matchAll(/\{(\w+):([^}]+)\}/g)].map(([, one = '', type = '']) => [one, type]))
    const given = [...types].map(([one, type]) => `${one} = '${VALUES[one] ?? VALUES[type] ?? ''}'`)
    const view = `${DATABASE}.${name}${given.length > 0 ? `(${given.join(', ')})` : ''}`
    await rowsOf(elsewhere, `SELECT * FROM ${view} LIMIT 1`).catch((error: Error) =>
      failing.push(`${view}: ${error.message.slice(0, 200)}`),
    )
  }
  await elsewhere.close()
  expect(failing).toEqual([])
})
