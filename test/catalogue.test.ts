/**
 * Rates by procedure and group, rates over procedures, busy procedures: for any events what the oracle counts. A catalogue is
 * loaded as a whole or not at all, and a dossier of a procedure it does not have counts in its unit.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { rowsOf } from '../common/clickhouse.ts'
import { bring, compare, loadCatalogue, OWN_FOLDER, readAndCheck } from '../pipelines/catalogue/load.ts'
import { eventJson, eventOf } from './events.ts'
import { furnished } from './furnished.ts'
import { scenario } from './oracle/generators.ts'
import { busyProcedures, type Period, procedureRates, ratesByGroup, ratesByProcedure } from './oracle/procedures.ts'
import { ownDatabase } from './own-database.ts'
import { forAny } from './property.ts'

const CATALOGUE = new URL('data/catalogue', import.meta.url).pathname
const SECONDS = 5
const FROM = ['1990-01-01', '2024-03-01', '2025-06-30', '2025-07-01']
const TO = ['2025-07-31', '2026-12-31', '2025-06-30', '2025-08-10']

const database = ownDatabase('motcua_catalogue')
const folder = mkdtempSync(join(tmpdir(), 'motcua-catalogue-'))
beforeAll(() => bring(database.clickhouse, CATALOGUE, readAndCheck(CATALOGUE).tables))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const UNIT = 'unit_code, toString(unit_valid_from) AS unit_valid_from'
const COUNTS =
  'received, received_online, online_rate, settled, settled_early, settled_on_time, settled_late, on_time_rate'
const ask = (columns: string, view: string, { from, to, tier }: Period, more = '') =>
  rowsOf<Record<string, unknown>>(
    database.clickhouse,
    `SELECT ${UNIT}, ${columns} FROM ${view}(from='${from}', to='${to}', tier='${tier}'${more}) ORDER BY ALL`,
  )

test('for any events: rates by procedure and group, over procedures, and busy ones are the oracle’s', async () => {
  const seen = { runs: 0, listed: 0, said: 0, unknown: 0, groups: 0, busy: 0 }
  await forAny(
    { seconds: SECONDS, numRuns: 40, endOnFailure: true },
    [
      scenario(150, 250),
      fc.constantFrom(...FROM),
      fc.constantFrom(...TO),
      fc.constantFrom('country' as const, 'province' as const, 'commune' as const),
    ],
    async ({ deliveries: any }, from, to, tier) => {
      fc.pre(from <= to)
      const deliveries = furnished(any)
      await database.empty()
      await database.deliver(deliveries)
      const events = deliveries.map(({ event }) => event)
      const period = { from, to, tier }
      const rows = ratesByProcedure(events, period)
      const columns = `procedure_code, in_catalogue, level, level_from, ${COUNTS}`
      expect(await ask(columns, 'rates_by_procedure', period)).toEqual(rows)
      const groups = ratesByGroup(events, period)
      expect(await ask(`group_code, ${COUNTS}, received_uncertain`, 'rates_by_procedure_group', period)).toEqual(groups)
      expect(
        await ask(
          `procedures, procedures_online, online_share, procedures_unknown, procedures_level_known, procedures_full,
             full_share, catalogue_level_known, catalogue_full, catalogue_full_share`,
          'procedure_rates',
          period,
        ),
      ).toEqual(procedureRates(events, period))
      const busy = busyProcedures(events, period, 2)
      expect(
        await ask(
          'procedure_code, level, level_from, received, received_online, online_rate',
          'busy_procedures',
          period,
          ', least=2',
        ),
      ).toEqual(busy)
      seen.runs++
      seen.listed += rows.filter(row => row.level_from === 'catalogue').length
      seen.said += rows.filter(row => row.level_from === 'events').length
      seen.unknown += rows.filter(row => row.procedure_code !== '' && !row.in_catalogue).length
      seen.groups += groups.filter(row => row.received_uncertain > 0).length
      seen.busy += busy.length
    },
  )
  expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).toBeGreaterThan(0)
}, 60_000)

test('a dossier of an unknown procedure counts in its unit, and data quality shows it', async () => {
  await database.empty()
  const event = eventOf(eventJson({ procedure_code: '9.999999', dossier_id: 'C-250804-1' }))
  await database.ingest([event])
  const period = { from: '2025-08-04', to: '2025-08-04', tier: 'commune' as const }
  expect(await ask('received', 'rates', period)).toMatchObject([{ unit_code: '08746', received: 1 }])
  expect(await ask('procedure_code, procedure_name, in_catalogue, received', 'rates_by_procedure', period)).toEqual([
    {
      unit_code: '08746',
      unit_valid_from: '2025-07-01',
      procedure_code: '9.999999',
      procedure_name: '',
      in_catalogue: false,
      received: 1,
    },
  ])
  const today = 'toDate(now() + toIntervalHour(7))'
  expect(
    await rowsOf(
      database.clickhouse,
      `SELECT unit_code, unknown_procedures FROM data_quality(from = addDays(${today}, -1), to = ${today})`,
    ),
  ).toEqual([{ unit_code: '08746', unknown_procedures: 1 }])
})

test('a catalogue with one wrong row changes nothing and is told which; a good one says what it changes first', async () => {
  await database.empty()
  const events = ['1.000001', '1.000002', ''].map((procedure_code, n) =>
    eventOf(eventJson({ dossier_id: `L-250804-${n}`, ...(procedure_code !== '' && { procedure_code }) })),
  )
  await database.ingest(events)
  cpSync(CATALOGUE, folder, { recursive: true })
  const procedures = join(folder, 'procedures.csv')
  const text = readFileSync(procedures, 'utf8')
  const stored = () => rowsOf(database.clickhouse, 'SELECT * FROM procedures ORDER BY procedure_code, valid_from')
  const before = await stored()

  writeFileSync(procedures, text.replace('Không rõ mức,TAX', 'Không rõ mức,TAXES'))
  expect(readAndCheck(folder).problems).toMatchObject([
    { file: 'procedures.csv', line: 4, field: 'sector_code', value: 'TAXES', allowed: /a code of sectors.csv/ },
  ])
  const cli = (...args: string[]) =>
    spawnSync(process.execPath, ['pipelines/catalogue/main.ts', ...args], {
      cwd: new URL('..', import.meta.url),
      env: { ...process.env, CLICKHOUSE_URL: inject('clickhouseUrl') },
      encoding: 'utf8',
    })
  const refused = cli('load', folder)
  expect(refused.stdout).toContain(
    'error: procedures.csv, line 4: sector_code is "TAXES"; allowed: a code of sectors.csv, or nothing',
  )
  expect(refused.stdout).toContain('Nothing was loaded.')
  expect(refused.status).toBe(1)
  expect(await stored()).toEqual(before)

  // 1.000002 goes to another sector, 1.000001 is gone from the catalogue and from its groups.
  writeFileSync(procedures, text.replace('Không rõ mức,TAX', 'Không rõ mức,LAND').replaceAll(/^1\.000001.*\n/gm, ''))
  for (const file of ['essential_services.csv', 'procedure_groups.csv']) {
    const path = join(folder, file)
    writeFileSync(path, readFileSync(path, 'utf8').replace('1.000001|', '').replace('|1.000001', ''))
  }
  const { tables, problems } = readAndCheck(folder)
  expect(problems).toEqual([])
  const { changes, readings } = await compare(database.clickhouse, tables)
  expect(changes.map(({ table, kind, key }) => `${table} ${kind} ${key}`)).toEqual([
    'procedures removed 1.000001 1970-01-01',
    'procedures removed 1.000001 2025-07-01',
    'procedures changed 1.000002 1970-01-01',
    'procedure_groups removed ESSENTIAL_SERVICES 06/QĐ-TTg Dịch vụ một 1.000001',
    'procedure_groups removed INTERLINKED ours Liên thông 1.000001',
  ])
  expect(readings).toEqual({ dossiers: 3, unknown_before: 0, unknown_after: 1, other_sector: 2 })
  expect(await stored()).toEqual(before)
  const dry = cli('load', folder, '--dry-run')
  expect(dry.stdout, dry.stderr).toMatch(/What changes:[\s\S]*Nothing was loaded: --dry-run/)
  expect(dry.status).toBe(0)

  expect(await bring(database.clickhouse, folder, tables)).toEqual(['sectors', 'procedures', 'procedure_groups'])
  expect(await stored()).toEqual(before.slice(2).map(row => ({ ...(row as object), sector_code: expect.anything() })))
  expect((await compare(database.clickhouse, tables)).changes).toEqual([])
  // It stays, until the project's own is asked for.
  expect(await loadCatalogue(database.clickhouse)).toEqual([])
  await bring(database.clickhouse, OWN_FOLDER, readAndCheck(OWN_FOLDER).tables)
  expect(await rowsOf(database.clickhouse, 'SELECT count() AS n FROM procedures')).toEqual([{ n: 2_948 }])
  expect(await loadCatalogue(database.clickhouse)).toEqual([])
})
