/** The samples through the real stack: what was published comes out of the views to the dossier, plain counting does not. */
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, inject, test } from 'vitest'
import { z } from 'zod'
import { rowsOf } from '../common/clickhouse.ts'
import { commonShape, readConfig } from '../common/config.ts'
import { withConnections } from '../common/environment.ts'
import { liveIsWanted, removeSamples, replaySamples } from '../infra/sample/index.ts'
import { allIngested, clickhouseOfTests } from './events.ts'

const { kafkaBrokers, clickhouseUrl, home: stackHome } = inject('stack')
const config = readConfig(z.object(commonShape), {
  ...process.env,
  KAFKA_BROKERS: kafkaBrokers,
  CLICKHOUSE_URL: clickhouseUrl,
})
const home = join(stackHome, 'samples')
const log = () => undefined
const clickhouse = clickhouseOfTests('analyst')

const provinces = (from: string, to: string) =>
  rowsOf<{ unit_code: string; received: number; settled: number; sources: string[] }>(
    clickhouse,
    "SELECT unit_code, received, settled, sources FROM rates(from = {from:Date}, to = {to:Date}, tier = 'province') WHERE has(sources, 'sample') ORDER BY unit_code",
    { from, to },
  )

test('both samples are exact, marked as samples, and replayed once; plain counting is visibly wrong', async () => {
  const first = await replaySamples({ config, home, log, dossiers: 600 })
  expect(first.lines.join('\n')).toContain('published')
  expect(first).toMatchObject({ exact: true, removed: false })
  expect(first.sent).toBeGreaterThan(1_200 * 2.5)
  expect(await provinces('2023-01-01', '2023-06-30')).toMatchObject([
    { unit_code: '58', received: 600, sources: ['sample'] },
  ])
  expect(await provinces('2026-01-01', '2026-10-10')).toMatchObject([{ unit_code: '11', received: 600, settled: 600 }])
  const [plain] = await rowsOf<{ received: number }>(
    clickhouse,
    "SELECT sum(received) AS received FROM plain_count WHERE source = 'sample'",
  )
  expect(plain?.received).toBeGreaterThan(1_200 * 1.05)

  // What was pending on a past day: from roll-ups, and from each dossier as its events tell it.
  for (const day of ['2023-03-31', '2023-06-30', '2026-05-01']) {
    const [stock] = await rowsOf<{ pending: number }>(
      clickhouse,
      "SELECT sum(pending) AS pending FROM stock_flows WHERE source = 'sample' AND day <= {day:Date}",
      { day },
    )
    const [told] = await rowsOf<{ pending: number }>(
      clickhouse,
      `SELECT countIf(counted AND toDate(received_at, 'Asia/Ho_Chi_Minh') <= {day:Date} AND (settled_at IS NULL OR toDate(settled_at, 'Asia/Ho_Chi_Minh') > {day:Date})) AS pending
       FROM dossiers WHERE source = 'sample'`,
      { day },
    )
    expect(stock?.pending).toBe(told?.pending)
    expect(stock?.pending).toBeGreaterThan(0)
  }

  const second = await replaySamples({ config, home, log, dossiers: 600 })
  expect(second).toMatchObject({ exact: true, sent: 0 })
})

test('removed, they count nowhere, and a later start does not bring them back', async () => {
  await withConnections(config, connections => removeSamples({ ...connections, home, log }), pino({ level: 'silent' }))
  await allIngested()
  expect(await provinces('1990-01-01', '2100-01-01')).toEqual([])
  expect(await replaySamples({ config, home, log, dossiers: 600 })).toMatchObject({ removed: true, sent: 0 })
  expect(liveIsWanted(home)).toBe(false)
})
