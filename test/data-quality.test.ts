/**
 * Data quality for any deliveries over some days: completeness, delay, repeats, corrections and silence are what the oracle
 * finds in them. Dead letters are counted once each, by reason. Implausible dossiers are listed.
 */
import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { rowsOf } from '../common/clickhouse.ts'
import { bring, readAndCheck } from '../pipelines/catalogue/load.ts'
import { type DossierEventJson, LONG_MAX, NULLABLE_FIELDS } from '../schemas/dossier-event/event.ts'
import { eventJson, eventOf } from './events.ts'
import { furnished } from './furnished.ts'
import { scenario } from './oracle/generators.ts'
import { type Delivered, dataQuality, silentSources } from './oracle/quality.ts'
import { ownDatabase } from './own-database.ts'
import { forAny } from './property.ts'

const CATALOGUE = new URL('data/catalogue', import.meta.url).pathname
const SECONDS = 5
/** When the batches of a scenario come in; the second is the first moment of 2 March at +07:00. */
const MOMENTS = [
  '2026-03-01T16:59:59.999Z',
  '2026-03-01T17:00:00.000Z',
  '2026-03-02T03:00:00.000Z',
  '2026-03-02T16:59:59.999Z',
  '2026-03-03T08:00:00.123Z',
  '2026-03-03T09:00:00.000Z',
  '2026-03-09T09:00:00.000Z',
  '2026-03-10T09:00:00.000Z',
].map(text => Date.parse(text))
const DAYS = ['2026-02-28', '2026-03-01', '2026-03-02', '2026-03-03', '2026-03-10']
const ATS = ['2026-03-02T00:00:00Z', '2026-03-10T09:00:00Z', '2026-03-25T00:00:00Z', '2026-06-01T12:00:00Z']

const database = ownDatabase('motcua_quality')
beforeAll(() => bring(database.clickhouse, CATALOGUE, readAndCheck(CATALOGUE).tables))

const COUNTS = 'events, distinct_events, repeats, corrections, voids, dossiers, unknown_procedures'
const quality = (from: string, to: string) =>
  rowsOf<Record<string, unknown>>(
    database.clickhouse,
    `SELECT toString(day) AS day, source, unit_code, sector_code, ${COUNTS}, known, delay_p50_s, delay_p95_s
     FROM data_quality(from='${from}', to='${to}') ORDER BY day, source, unit_code, sector_code`,
  )
const silent = (at: string) =>
  rowsOf<Record<string, unknown>>(
    database.clickhouse,
    `SELECT source, active_days, usual_gap_days, longest_gap_days, silent_days, longer_than_ever
     FROM silent_sources(at='${at.slice(0, 19).replace('T', ' ')}') ORDER BY source`,
  )

/** Every delivery in its batch; a batch comes in at its moment. Returns the log as it then stands. */
async function deliver(deliveries: Parameters<typeof furnished>[0]): Promise<Delivered[]> {
  const log: Delivered[] = []
  for (const [batch, own] of [...Map.groupBy(deliveries, one => one.batch)].sort(([a], [b]) => a - b)) {
    const ingested_at_ms = MOMENTS[batch] as number
    const rows = database.rowsOfEvents(own.map(({ event }) => event))
    for (const { event, offset } of rows) log.push({ event, ingested_ms: ingested_at_ms, offset: Number(offset) })
    await database.insert(rows, { ingested_at_ms })
  }
  return log
}

test('for any deliveries: the rows of data_quality and silent_sources are the oracle’s', async () => {
  const seen = { runs: 0, repeats: 0, corrections: 0, voids: 0, unknown_procedures: 0, silent: 0 }
  await forAny(
    { seconds: SECONDS, numRuns: 40, endOnFailure: true },
    [scenario(60, 140), fc.constantFrom(...DAYS), fc.constantFrom(...DAYS), fc.constantFrom(...ATS)],
    async ({ deliveries }, one, other, at) => {
      const [from, to] = [one, other].sort() as [string, string]
      await database.empty()
      const log = await deliver(furnished(deliveries))
      const expected = dataQuality(log, { from, to })
      expect(await quality(from, to)).toEqual(expected)
      expect(await silent(at)).toEqual(silentSources(log, Date.parse(at)))
      // Days add up: a repeat is one on whatever day it comes.
      const whole = dataQuality(log, { from: '2026-01-01', to: '2026-12-31' })
      expect(whole.reduce((sum, row) => sum + row.events, 0)).toBe(log.length)
      expect(whole.reduce((sum, row) => sum + row.distinct_events, 0)).toBe(
        new Set(log.map(({ event }) => event.event_id.toLowerCase())).size,
      )
      seen.runs++
      for (const row of expected)
        for (const name of ['repeats', 'corrections', 'voids', 'unknown_procedures'] as const) seen[name] += row[name]
      for (const day of ATS)
        seen.silent += silentSources(log, Date.parse(day)).filter(({ longer_than_ever }) => longer_than_ever).length
    },
  )
  expect(Math.min(...Object.values(seen)), JSON.stringify(seen)).toBeGreaterThan(0)
}, 60_000)

test('completeness speaks of every field that an event may leave out', async () => {
  const [row] = await rowsOf<{ fields: string[] }>(
    database.clickhouse,
    "SELECT mapKeys(known) AS fields FROM data_quality(from='2026-03-01', to='2026-03-10') LIMIT 1",
  )
  expect(row?.fields).toEqual([...NULLABLE_FIELDS])
})

test('dead letters: each once, per day at +07:00, by reason and field', async () => {
  const letter = (dlq_offset: number, failed_at: string, change: object = {}) => ({
    topic: 'dossier-events',
    partition: 0,
    offset: dlq_offset,
    reason: 'unknown_unit',
    field: 'processing_unit',
    message: '',
    schema_id: 1,
    key: '',
    value_bytes: 1,
    attempt: 1,
    first_failed_at: failed_at,
    failed_at,
    dlq_partition: 0,
    dlq_offset,
    ...change,
  })
  const values = [
    letter(1, '2026-03-01 16:59:59.999'),
    letter(2, '2026-03-01 17:00:00.000'),
    letter(2, '2026-03-01 17:00:00.000'),
    letter(3, '2026-03-02 16:59:59.999', { attempt: 2 }),
    letter(4, '2026-03-02 12:00:00.000', { reason: 'truncated_body', field: '' }),
    letter(5, '2026-03-02 17:00:00.000'),
  ]
  for (const one of values)
    await database.clickhouse.insert({ table: 'dead_letters', values: [one], format: 'JSONEachRow' })
  const rows = await rowsOf(
    database.clickhouse,
    `SELECT toString(day) AS day, topic, reason, field, dead_letters, replayed
     FROM dead_letters_by_reason(from='2026-03-02', to='2026-03-02') ORDER BY reason`,
  )
  const day = { day: '2026-03-02', topic: 'dossier-events' }
  expect(rows).toEqual([
    { ...day, reason: 'truncated_body', field: '', dead_letters: 1, replayed: 0 },
    { ...day, reason: 'unknown_unit', field: 'processing_unit', dead_letters: 2, replayed: 1 },
  ])
})

test('implausible dossiers are quarantined: each beside one just inside the limit', async () => {
  await database.empty()
  const received = Date.parse('2026-03-01T08:00:00Z')
  /** Kafka's time of all their records. */
  const recorded = Date.parse('2026-03-11T08:00:00Z')
  const settled = Date.parse('2026-03-05T08:00:00Z')
  const hours_48 = 48 * 3_600_000
  const dossier = (dossier_id: string, ...changes: Partial<DossierEventJson>[]) =>
    changes.map((change, at) =>
      eventOf(
        eventJson({
          dossier_id,
          revision: at + 1,
          received_at: new Date(received).toISOString(),
          source: 'q',
          ...change,
        }),
      ),
    )
  const settlement = { event_type: 'SETTLED', settled_at: new Date(settled).toISOString() } as const
  const events = [
    ...dossier('revision-just-inside', { revision: String(BigInt(recorded + hours_48) * 1_000n + 999n) }),
    ...dossier('revision-in-future', { revision: String(BigInt(recorded + hours_48 + 1) * 1_000n) }),
    ...dossier('void-ordinary', {}, { event_type: 'VOIDED' }),
    ...dossier('void-one-below', {}, { event_type: 'VOIDED', revision: String(LONG_MAX - 1n) }),
    ...dossier('void-for-good', {}, { event_type: 'VOIDED', revision: String(LONG_MAX) }),
    // The highest revision alone voids nothing.
    ...dossier('highest-revision', {}, { event_type: 'CORRECTED', revision: String(LONG_MAX) }),
    ...dossier('pause-whole-life', { supplement_pause_ms: String(recorded - received) }),
    ...dossier('pause-longer', { supplement_pause_ms: String(recorded - received + 1) }),
    ...dossier('pause-whole-settled', { ...settlement, supplement_pause_ms: String(settled - received) }),
    ...dossier('pause-longer-settled', { ...settlement, supplement_pause_ms: String(settled - received + 1) }),
    // Received after it was recorded, as a clock may have it: it has not lived yet.
    ...dossier('pause-none', { received_at: new Date(recorded + 3_600_000).toISOString() }),
    ...dossier('pause-before-life', {
      received_at: new Date(recorded + 3_600_000).toISOString(),
      supplement_pause_ms: 1,
    }),
  ]
  await database.ingest(events, { ingested_at_ms: recorded })
  const rows = await rowsOf<{ dossier_id: string; reasons: string[] }>(
    database.clickhouse,
    'SELECT dossier_id, reasons FROM quarantined_dossiers ORDER BY dossier_id',
  )
  expect(Object.fromEntries(rows.map(({ dossier_id, reasons }) => [dossier_id, reasons]))).toEqual({
    'highest-revision': ['revision_in_future'],
    'pause-before-life': ['pause_longer_than_life'],
    'pause-longer': ['pause_longer_than_life'],
    'pause-longer-settled': ['pause_longer_than_life'],
    'revision-in-future': ['revision_in_future'],
    'void-for-good': ['revision_in_future', 'voided_for_good'],
    'void-one-below': ['revision_in_future'],
  })
})
