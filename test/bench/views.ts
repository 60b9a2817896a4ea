/**
 * `npm run bench -- --views 1,5,15`: how long the examples of docs/sql.md take with so many million dossiers, two years of them
 * over all of today's communes. Log and ledger are filled by SQL, as ingest would have left them; nothing here tests exactness.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { type ClickHouseConfig, createClickHouse, rowsOf } from '../../common/clickhouse.ts'
import { readExamples } from '../../docs/sql/examples.ts'
import { prepareDatabase } from '../../pipelines/prepare.ts'

const STEP = 500_000
const TURNS = 3

/** One dossier: received over two years, nine of ten settled, one of twenty late, one of fifty waiting or withdrawn. */
const DOSSIERS = (from: number, to: number) => `
  SELECT number, cityHash64(number) AS h,
    arrayElement((SELECT groupArray(unit_code) FROM (SELECT unit_code FROM administrative_units WHERE level = 'commune' AND valid_from = '2025-07-01' ORDER BY unit_code)), h % 3321 + 1) AS unit_code,
    toDate('2025-01-01') + (bitShiftRight(h, 12) % 650) AS received_on, received_on + 10 AS due_on,
    if(bitShiftRight(h, 24) % 10 < 9, received_on + bitShiftRight(h, 28) % 12, toDate(0)) AS settled_on,
    concat('H44.12.17-', formatDateTime(received_on, '%y%m%d'), '-', toString(number)) AS dossier_id,
    ['ONLINE', 'ONLINE', 'ONLINE', 'COUNTER', 'POSTAL'][bitShiftRight(h, 36) % 5 + 1] AS channel,
    ['FULL', 'PARTIAL'][bitShiftRight(h, 39) % 2 + 1] AS service_level,
    arrayElement((SELECT groupArray(procedure_code) FROM (SELECT procedure_code FROM procedures ORDER BY procedure_code)), bitShiftRight(h, 40) % 2948 + 1) AS procedure_code
  FROM numbers(${from}, ${to - from})`

const POSTINGS = (from: number, to: number) => `
  INSERT INTO dossier_postings (dossier_id, sign, unit_code, source, procedure_code, channel, service_level, received_on, due_on, settled_on, compared_on, ended_on, ended_as, overdue_on, batch, posted_at)
  SELECT dossier_id, p.1, unit_code, 'bench', procedure_code, channel, service_level, received_on, due_on, p.2, p.2, p.2, if(p.2 = toDate(0), '', 'SETTLED'), due_on + 1,
    toString(p.3), toDateTime64(p.3, 3, 'UTC')
  FROM (${DOSSIERS(from, to)})
  ARRAY JOIN if(settled_on = toDate(0), [(1, toDate(0), received_on)], [(1, toDate(0), received_on), (-1, toDate(0), settled_on), (1, settled_on, settled_on)]) AS p`

const EVENTS = (from: number, to: number) => `
  INSERT INTO dossier_events (event_id, dossier_id, revision, event_type, occurred_at, source, processing_unit, procedure_code, channel, service_level, received_at, due_at, settled_at, says, topic, partition, offset, writer, batch, batch_rows, ingested_at)
  SELECT reinterpretAsUUID(toUInt128(number) * 4 + e.1), dossier_id, e.1, e.2, toDateTime64(e.3, 3, 'UTC'), 'bench', unit_code, procedure_code, channel, service_level,
    toDateTime64(received_on, 3, 'UTC'), toDateTime64(due_on, 3, 'UTC'), if(e.1 = 2, toDateTime64(settled_on, 3, 'UTC'), toDateTime64(0, 3, 'UTC')),
    if(e.1 = 1, 131314, 131314 + 256), 'dossier-events', h % 8, number * 2 + e.1, 'bench', toString(e.3), 1, toDateTime64(e.3, 3, 'UTC')
  FROM (${DOSSIERS(from, to)})
  ARRAY JOIN if(settled_on = toDate(0), [(1, 'RECEIVED', received_on)], [(1, 'RECEIVED', received_on), (2, 'SETTLED', settled_on)]) AS e`

export async function fill(clickhouse: ClickHouseClient, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += STEP)
    for (const statement of [POSTINGS, EVENTS])
      await clickhouse.command({ query: statement(at, Math.min(to, at + STEP)) })
}

/** Milliseconds of the quickest of some turns; undefined: it did not come to its end within a minute. */
async function timeOf(clickhouse: ClickHouseClient, query: string): Promise<number | undefined> {
  let best = Number.POSITIVE_INFINITY
  for (let turn = 0; turn < TURNS; turn++) {
    const started_ms = performance.now()
    try {
      await (await clickhouse.query({ query, format: 'JSONCompactEachRow' })).text()
    } catch {
      return undefined
    }
    best = Math.min(best, performance.now() - started_ms)
    // What takes seconds is not worth three turns.
    if (best > 5_000) break
  }
  return Math.round(best)
}

/** Prints a table: an example a row, milliseconds per size. The server must be the bench's own. */
export async function benchViews(config: ClickHouseConfig, millions: readonly number[]): Promise<void> {
  await prepareDatabase(config)
  const clickhouse = createClickHouse(config, 'default', { request_ms_max: 600_000 })
  const analyst = createClickHouse(config, 'analyst', { request_ms_max: 60_000 })
  await clickhouse.command({ query: 'DROP VIEW balance' })
  const times = new Map(readExamples().map(example => [example, [] as (number | undefined)[]]))
  let filled = 0
  for (const million of millions) {
    await fill(clickhouse, filled, million * 1_000_000)
    filled = million * 1_000_000
    const [{ postings, events }] = (await rowsOf(
      clickhouse,
      'SELECT (SELECT count() FROM dossier_postings) AS postings, (SELECT count() FROM dossier_events) AS events',
    )) as [{ postings: number; events: number }]
    console.log(`${million} million dossiers: ${postings} postings, ${events} events`)
    for (const [example, own] of times) own.push(await timeOf(analyst, example.query))
  }
  console.log(`\n| view | ${millions.map(million => `${million} M, ms`).join(' | ')} |`)
  console.log(`| --- |${millions.map(() => ' ---: |').join('')}`)
  for (const [{ object }, own] of times) console.log(`| ${object} | ${own.map(ms => ms ?? '–').join(' | ')} |`)
  console.log('–: no answer within a minute, or within the limits of the user analyst')
  await Promise.all([clickhouse.close(), analyst.close()])
}
