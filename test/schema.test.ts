/** The database as analysts meet it: documented, read-only to them, faithful to its files, and fast where it promises to be. */
import { expect, test } from 'vitest'
import { MigrationError, migrate, readMigrations } from '../pipelines/migrate.ts'
import { prepareDatabase } from '../pipelines/prepare.ts'
import { rowsOf } from '../services/common/clickhouse.ts'
import { clickhouseConfig, clickhouseOfTests, eventJson, eventOf } from './events.ts'
import { ownDatabase } from './own-database.ts'

const DATABASE = 'motcua_schema'
const { clickhouse, ingest } = ownDatabase(DATABASE)

test('preparing again does nothing', async () => {
  expect(await prepareDatabase(clickhouseConfig(), DATABASE)).toEqual({ migrations: [], loaded: [] })
})

test('a migration that was changed after it was applied is refused, and so is a database from the future', async () => {
  const [first, ...others] = readMigrations()
  await expect(
    migrate(clickhouse, [{ ...(first as never as object), checksum: 'other' } as never, ...others]),
  ).rejects.toThrow(/0000_list_loads.up.sql was changed after it was applied/)
  await expect(migrate(clickhouse, others)).rejects.toThrow(MigrationError)
})

test('every table, every view and every column of a table says what it is', async () => {
  const silent = await rowsOf<{ name: string }>(
    clickhouse,
    "SELECT name FROM system.tables WHERE database = {db:String} AND comment = '' AND name NOT LIKE '.inner%'",
    { db: DATABASE },
  )
  expect(silent).toEqual([])
  const columns = await rowsOf<{ name: string }>(
    clickhouse,
    `SELECT concat(table, '.', name) AS name FROM system.columns
     WHERE database = {db:String} AND comment = '' AND table NOT IN ('history', 'ledger', 'balance', 'block_probe_view', 'flows', 'open_alerts') AND table NOT LIKE '.inner%'`,
    { db: DATABASE },
  )
  expect(columns).toEqual([])
})

test('an insert that does not come as one batch is refused as a whole', async () => {
  await ingest([eventOf(eventJson())])
  const bare = { event_id: eventJson().event_id, dossier_id: 'B', event_type: 'RECEIVED', source: 'x' }
  const insert = (rows: object[]) => clickhouse.insert({ table: 'dossier_events', format: 'JSONEachRow', values: rows })
  await expect(insert([bare])).rejects.toThrow(/has_batch/)
  await expect(insert([{ ...bare, batch: 'b', batch_rows: 2 }])).rejects.toThrow(/one block/)
  await expect(
    insert([
      { ...bare, batch: 'b', batch_rows: 2 },
      { ...bare, batch: 'c', batch_rows: 2 },
    ]),
  ).rejects.toThrow(/one block/)
})

test('the rates read the roll-up projections, not the postings', async () => {
  for (const query of [
    "SELECT * FROM rates(from='2025-01-01', to='2025-12-31', tier='province')",
    'SELECT * FROM rates_by_commune',
  ]) {
    const lines = (await rowsOf<{ explain: string }>(clickhouse, `EXPLAIN ${query}`)).map(row => row.explain)
    expect(
      lines.filter(line => /ReadFrom\w+ \((received|settled)\)/.test(line)),
      lines.join('\n'),
    ).toHaveLength(2)
    expect(lines.filter(line => line.includes('dossier_postings'))).toEqual([])
  }
})

test('the same sums with the projections and without', async () => {
  const rates = (projections: 0 | 1) =>
    clickhouse
      .query({
        query: "SELECT * FROM rates(from='2025-01-01', to='2025-12-31', tier='commune')",
        format: 'JSONEachRow',
        clickhouse_settings: { optimize_use_projections: projections },
      })
      .then(answer => answer.json())
  const rows = await rates(1)
  expect(rows).toHaveLength(1)
  expect(await rates(0)).toEqual(rows)
})

test('a tier that does not exist is refused with what is allowed', async () => {
  await expect(
    rowsOf(clickhouse, "SELECT * FROM rates(from='2025-01-01', to='2025-12-31', tier='ward')"),
  ).rejects.toThrow(/tier must be commune, district, province or country/)
})

test('the analyst reads, and only reads', async () => {
  const analyst = clickhouseOfTests('analyst', DATABASE)
  expect(await rowsOf(analyst, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  await expect(analyst.command({ query: 'TRUNCATE TABLE dossier_events' })).rejects.toThrow()
  await expect(analyst.command({ query: 'INSERT INTO list_loads (checksum) VALUES (1)' })).rejects.toThrow()
})

test("the catalogue's sector goes before the one the event carries", async () => {
  const [procedure] = await rowsOf<{ procedure_code: string }>(
    clickhouse,
    "SELECT procedure_code FROM procedures WHERE sector_code = 'LAND' LIMIT 1",
  )
  const events = [
    eventJson({
      procedure_code: procedure?.procedure_code,
      sector_code: 'TAX',
      received_at: '2019-01-01T09:00:00+07:00',
    }),
    eventJson({ procedure_code: '9.999999', sector_code: 'TAX', received_at: '2019-01-01T09:00:00+07:00' }),
    eventJson({ received_at: '2019-01-01T09:00:00+07:00' }),
  ]
  await ingest(events.map(eventOf))
  const rows = await rowsOf<{ sector_code: string; sector_name: string; received: number }>(
    clickhouse,
    "SELECT sector_code, sector_name, received FROM rates_by_sector(from='2019-01-01', to='2019-01-01', tier='country') ORDER BY sector_code",
  )
  expect(rows).toEqual([
    { sector_code: '', sector_name: '', received: 1 },
    { sector_code: 'LAND', sector_name: 'Đất đai', received: 1 },
    { sector_code: 'TAX', sector_name: 'Thuế', received: 1 },
  ])
})
