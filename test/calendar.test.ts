/** Processing times in working days, for any events: what the oracle counts day by day. What is not covered is an error. */
import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { rowsOf } from '../common/clickhouse.ts'
import { bring, readAndCheck } from '../pipelines/catalogue/load.ts'
import { eventJson, eventOf } from './events.ts'
import { furnished } from './furnished.ts'
import { scenario } from './oracle/generators.ts'
import { processingTimes, processingTimesByProcedure } from './oracle/procedures.ts'
import { ownDatabase } from './own-database.ts'
import { forAny } from './property.ts'

const CATALOGUE = new URL('data/catalogue', import.meta.url).pathname
const SECONDS = 5
const FROM = ['2022-01-01', '2024-03-01', '2025-06-30', '2025-07-01']
const TO = ['2026-12-31', '2025-07-31', '2025-08-10']

const database = ownDatabase('motcua_calendar')
beforeAll(() => bring(database.clickhouse, CATALOGUE, readAndCheck(CATALOGUE).tables))

const UNIT = 'unit_code, toString(unit_valid_from) AS unit_valid_from'
const TIMES = 'settled, timed, mean_days, median_days, p90_days, uncovered, implausible'
const times = (from: string, to: string, tier: string) =>
  rowsOf(
    database.clickhouse,
    `SELECT ${UNIT}, ${TIMES} FROM processing_times(from='${from}', to='${to}', tier='${tier}') ORDER BY unit_code, unit_valid_from`,
  )
const timesByProcedure = (from: string, to: string, tier: string) =>
  rowsOf(
    database.clickhouse,
    `SELECT ${UNIT}, procedure_code, ${TIMES}, time_min, time_max, time_unit, comparable, over_time_max
     FROM processing_times_by_procedure(from='${from}', to='${to}', tier='${tier}') ORDER BY unit_code, unit_valid_from, procedure_code`,
  )

test('for any events: mean, median and p90 per unit and per procedure are the oracle’s', async () => {
  const seen = { runs: 0, timed: 0, uncovered: 0, implausible: 0, over: 0 }
  await forAny(
    { seconds: SECONDS, numRuns: 40, endOnFailure: true },
    [
      scenario(150, 250),
      fc.constantFrom(...FROM),
      fc.constantFrom(...TO),
      fc.constantFrom('country' as const, 'province' as const, 'commune' as const),
    ],
    async ({ deliveries: any }, from, to, tier) => {
      const deliveries = furnished(any)
      await database.empty()
      await database.deliver(deliveries)
      const events = deliveries.map(({ event }) => event)
      const expected = processingTimes(events, { from, to, tier })
      expect(await times(from, to, tier)).toEqual(expected)
      const byProcedure = processingTimesByProcedure(events, { from, to, tier })
      expect(await timesByProcedure(from, to, tier)).toEqual(byProcedure)
      seen.runs++
      for (const row of expected)
        for (const name of ['timed', 'uncovered', 'implausible'] as const) seen[name] += row[name]
      for (const row of byProcedure) seen.over += row.over_time_max
    },
  )
  expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).toBeGreaterThan(0)
}, 60_000)

test('a correction takes its old duration back; Tết, swaps and the pause do not count', async () => {
  await database.empty()
  const dossier = (dossier_id: string, received: string, settled: string, change = {}) =>
    eventOf(
      eventJson({
        dossier_id,
        event_type: 'SETTLED',
        received_at: `${received}T09:00:00+07:00`,
        settled_at: `${settled}T16:00:00+07:00`,
        ...change,
      }),
    )
  const events = [
    dossier('W-260213-1', '2026-02-13', '2026-02-23'),
    dossier('W-260109-1', '2026-01-09', '2026-01-12'),
    dossier('W-260302-1', '2026-03-02', '2026-03-31'),
    dossier('W-260302-1', '2026-03-02', '2026-03-31', { revision: 2, supplement_pause_ms: 28 * 86_400_000 }),
    dossier('W-211230-1', '2021-12-30', '2026-01-05'),
  ]
  for (const event of events) await database.ingest([event])
  expect(await times('2026-01-01', '2026-12-31', 'commune')).toEqual([
    {
      unit_code: '08746',
      unit_valid_from: '2025-07-01',
      settled: 4,
      timed: 3,
      mean_days: 4 / 3,
      median_days: 1,
      p90_days: 2,
      uncovered: 1,
      implausible: 0,
    },
  ])
})

test.each([
  ['2021-12-31', '2022-12-31'],
  ['2026-01-01', '2027-01-01'],
])('a period that is not covered, %s to %s, is an error that names the years', async (from, to) => {
  const years = /calendar covers: 2022 to 2026/
  await database.empty()
  await expect(times(from, to, 'country')).rejects.toThrow(years)
  await expect(timesByProcedure(from, to, 'country')).rejects.toThrow(years)
})
