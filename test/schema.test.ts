/** The database as analysts meet it: documented, read-only to them, faithful to its files, and fast where it promises to be. */
import { expect, test } from 'vitest'
import { rowsOf } from '../common/clickhouse.ts'
import { completeTo, progressOf, TOPIC } from '../common/progress.ts'
import { readLedger } from '../services/alerts/evaluate.ts'
import { createFigures } from '../services/portal/figures.ts'
import { clickhouseOfTests, eventJson, eventOf } from './events.ts'
import { ownDatabase } from './own-database.ts'

const DATABASE = 'motcua_schema'
const { clickhouse, ingest } = ownDatabase(DATABASE)

test('every table, every view and every column of a table says what it is', async () => {
  const silent = await rowsOf<{ name: string }>(
    clickhouse,
    "SELECT name FROM system.tables WHERE database = {db:String} AND comment = ''",
    { db: DATABASE },
  )
  expect(silent).toEqual([])
  const columns = await rowsOf<{ name: string }>(
    clickhouse,
    `SELECT concat(table, '.', name) AS name FROM system.columns
     WHERE database = {db:String} AND comment = '' AND table NOT IN ('history', 'ledger', 'balance', 'block_probe_view', 'flows', 'open_alerts')`,
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

test('how far ingest has come: the present life of each partition, and the least of those in force', async () => {
  const topic = 'progress'
  const at = (second: number) => Date.UTC(2026, 2, 1, 8, 0, second)
  const column = (ms: number) => new Date(ms).toISOString().slice(0, 23).replace('T', ' ')
  const report = (partition: number, next_offset: number, second: number, topic_epoch = 0) =>
    clickhouse.insert({
      table: 'ingest_progress',
      format: 'JSONEachRow',
      values: [
        {
          topic,
          topic_epoch,
          partition,
          next_offset,
          log_append_time: column(at(second)),
          complete_to: column(at(second)),
        },
      ],
    })
  const count = (epoch: number, partitions: number, second: number) =>
    clickhouse.insert({
      table: 'partition_counts',
      format: 'JSONEachRow',
      values: [{ topic, epoch: epoch * 65_536 + partitions, written_by: 'x', written_at: column(at(second)) }],
    })
  expect([await completeTo(clickhouse, topic), (await progressOf(clickhouse, topic)).size]).toEqual([0, 0])
  await report(0, 10, 20)
  await report(1, 5, 10)
  await report(1, 4, 9)
  expect(await completeTo(clickhouse, topic)).toBe(at(10))
  // Made again: its offsets begin again, and what was reported of its former life is no more.
  await report(1, 2, 15, 1)
  expect(await progressOf(clickhouse, topic)).toEqual(
    new Map([
      [0, { topic_epoch: 0, next_offset: 10n, log_append_time_ms: at(20), complete_to_ms: at(20) }],
      [1, { topic_epoch: 1, next_offset: 2n, log_append_time_ms: at(15), complete_to_ms: at(15) }],
    ]),
  )
  expect(await completeTo(clickhouse, topic)).toBe(at(15))
  // A third partition holds it where it came into force, until its owner reports.
  await count(1, 2, 0)
  await count(2, 3, 12)
  await count(2, 3, 13)
  expect(await completeTo(clickhouse, topic)).toBe(at(12))
  await report(2, 0, 30)
  expect(await completeTo(clickhouse, topic)).toBe(at(15))
  // Partitions that are no longer in force hold nothing back.
  await count(3, 1, 40)
  expect(await completeTo(clickhouse, topic)).toBe(at(20))
})

test('alerts and pages say up to when their figures hold everything; without a report of ingest, the newest of what there is', async () => {
  const analyst = clickhouseOfTests('analyst', DATABASE)
  const figures = createFigures(analyst, { fresh_ms: 0 })
  const [newest] = await rowsOf<{ ingested_ms: number; posted_ms: number }>(
    analyst,
    `SELECT toUnixTimestamp64Milli((SELECT max(ingested_at) FROM dossier_events)) AS ingested_ms,
       toUnixTimestamp64Milli((SELECT max(posted_at) FROM dossier_postings)) AS posted_ms`,
  )
  const { events } = await figures.moment()
  expect(events).toBeGreaterThan(0)
  expect(await figures.moment()).toEqual({ events, as_of_ms: newest?.ingested_ms })
  const { postings, watermark_ms } = await readLedger(analyst)
  expect(watermark_ms).toBe(newest?.posted_ms)

  const complete_to = '2026-03-01 08:00:00.123'
  const report = { topic: TOPIC, partition: 0, next_offset: 1, complete_to, log_append_time: complete_to }
  await clickhouse.insert({ table: 'ingest_progress', format: 'JSONEachRow', values: [report] })
  const complete_to_ms = Date.parse('2026-03-01T08:00:00.123Z')
  expect(await figures.moment()).toEqual({ events, as_of_ms: complete_to_ms })
  expect(await readLedger(analyst)).toEqual({ postings, watermark_ms: complete_to_ms })
  await analyst.close()
})
