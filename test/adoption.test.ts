/**
 * Databases of earlier versions are brought to the schema of today while events come in: what counted counts, what came in
 * between counts, and the ledger is what the log says. The databases are frozen (test/databases).
 */
import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import type { ClickHouseClient } from '@clickhouse/client'
import { afterAll, describe, expect, test } from 'vitest'
import { rowsOf } from '../common/clickhouse.ts'
import { INSERT_SETTINGS } from '../common/insert.ts'
import { compareLedger } from '../pipelines/audit/ledger.ts'
import { objectsThatDiffer } from '../pipelines/plan.ts'
import { prepareDatabase } from '../pipelines/prepare.ts'
import { checkServer } from '../services/ingest/server-check.ts'
import { clickhouseConfig, clickhouseOfTests } from './events.ts'

const HERE = new URL('databases/', import.meta.url)
const NAMES = readdirSync(HERE).filter(name => !name.endsWith('.md'))
const STREAM_UNIT = '08746'
const WHOLE = "'1990-01-01', to='2100-01-01'"

const server = clickhouseOfTests('default', 'default')
afterAll(async () => {
  for (const name of NAMES) await server.command({ query: `DROP DATABASE IF EXISTS ${databaseOf(name)}` })
  await server.close()
})

const databaseOf = (name: string) => `motcua_from_${name.replaceAll('-', '_')}`

/** As it stood: tables and their rows, then the views over them, which must not see the rows come. */
async function restore(name: string): Promise<ClickHouseClient> {
  const database = databaseOf(name)
  await server.command({ query: `DROP DATABASE IF EXISTS ${database}` })
  await server.command({ query: `CREATE DATABASE ${database}` })
  const clickhouse = clickhouseOfTests('default', database)
  const folder = new URL(`${name}/`, HERE)
  const statements = readFileSync(new URL('schema.sql', folder), 'utf8')
    .replaceAll('motcua.', `${database}.`)
    .replaceAll("Merge('motcua'", `Merge('${database}'`)
    .split(';\n')
    .filter(statement => statement.trim() !== '')
  const [tables, views] = [
    statements.filter(statement => statement.startsWith('CREATE TABLE')),
    statements.filter(statement => !statement.startsWith('CREATE TABLE')),
  ]
  for (const query of tables) await clickhouse.command({ query })
  for (const file of readdirSync(folder).filter(one => one.endsWith('.native.gz'))) {
    const { stream } = await clickhouse.exec({
      query: `INSERT INTO ${file.replace('.native.gz', '')} FORMAT Native`,
      values: Readable.from([gunzipSync(readFileSync(new URL(file, folder)))]),
    })
    for await (const _ of stream) void _
  }
  for (const query of views) await clickhouse.command({ query })
  return clickhouse
}

const ratesOf = (clickhouse: ClickHouseClient, tier: string) =>
  rowsOf<{ unit_code: string; received: number }>(
    clickhouse,
    `SELECT unit_code, unit_valid_from, received, received_online, settled, settled_early, settled_late FROM rates(from=${WHOLE}, tier='${tier}') ORDER BY unit_code, unit_valid_from`,
  )

/** Dossiers that are received one after the other, as an ingest of that time would insert them, until it is ended. */
function stream(clickhouse: ClickHouseClient) {
  let running = true
  let sent = 0
  const done = (async () => {
    while (running) {
      const event = {
        event_id: randomUUID(),
        dossier_id: `S-250804-${sent}`,
        event_type: 'RECEIVED',
        source: 'stream',
        processing_unit: STREAM_UNIT,
        received_at: '2025-08-04 02:00:00.000',
        occurred_at: '2025-08-04 02:00:00.000',
        // processing_unit, received_at and the life.
        says: 2 + 2 ** 6 + 2 ** 17,
        topic: 'dossier-events',
        partition: 0,
        offset: 1_000_000 + sent,
        writer: 'ingest',
        batch: `stream-${sent}`,
        batch_rows: 1,
        ingested_at: '2026-01-01 00:00:00.000',
      }
      try {
        await clickhouse.insert({
          table: 'dossier_events',
          values: [event],
          columns: Object.keys(event) as [string, ...string[]],
          format: 'JSONEachRow',
          clickhouse_settings: INSERT_SETTINGS,
        })
        sent++
      } catch {
        // Ingest would wait and insert the batch again.
        await sleep(20)
      }
    }
    return sent
  })()
  return {
    end: () => {
      running = false
      return done
    },
  }
}

describe.each(NAMES)('a database of %s', name => {
  test('is brought here under a stream: every figure stays, every event counts', async () => {
    const clickhouse = await restore(name)
    const clean = async () => expect((await compareLedger(clickhouse, '1', 10)).differences).toEqual([])
    await clean()
    const before = await ratesOf(clickhouse, 'commune')
    expect((await ratesOf(clickhouse, 'country'))[0]?.received).toBe(1_200)

    const events = stream(clickhouse)
    const { schema } = await prepareDatabase(clickhouseConfig(), databaseOf(name))
    expect(schema.length).toBeGreaterThan(0)
    const sent = await events.end()
    expect(sent).toBeGreaterThan(3)

    await clean()
    expect((await ratesOf(clickhouse, 'country'))[0]?.received).toBe(1_200 + sent)
    expect(await objectsThatDiffer(clickhouse)).toEqual([])
    expect(await prepareDatabase(clickhouseConfig(), databaseOf(name))).toEqual({ schema: [], loaded: [] })
    await expect(checkServer(clickhouse, 1_000)).resolves.toBeUndefined()

    // Apart from the stream's commune the figures are those from before.
    const others = (rows: { unit_code: string }[]) => rows.filter(({ unit_code }) => unit_code !== STREAM_UNIT)
    expect(others(await ratesOf(clickhouse, 'commune'))).toEqual(others(before))
    await clickhouse.close()
  })
})
