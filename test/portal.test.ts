/**
 * The portal shows what the views say: `/api/rates` equals them to the last digit, and the page shows the same figures at
 * province, district and commune, its parts adding up to the unit above, across the reform of 1 July 2025 too.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { pino } from 'pino'
import { beforeAll, describe, expect, inject, test } from 'vitest'
import { rowsOf } from '../common/clickhouse.ts'
import { createMetrics } from '../common/metrics.ts'
import type { DossierEvent } from '../schemas/dossier-event/event.ts'
import { createPortal } from '../services/portal/app.ts'
import { addressOf, toolsOf } from '../services/portal/connect.ts'
import { createFigures, type RatesRow } from '../services/portal/figures.ts'
import { count, percent } from '../services/portal/format.ts'
import { WORDS } from '../services/portal/words.ts'
import { clickhouseOfTests, eventJson, eventOf } from './events.ts'
import { ownDatabase } from './own-database.ts'

const DATABASE = 'motcua_portal'
const TIERS = ['commune', 'district', 'province', 'country'] as const
const COLUMNS =
  'unit_code, toString(unit_valid_from) AS unit_valid_from, unit_name, received, received_online, online_rate, settled, settled_early, settled_on_time, settled_late, on_time_rate, sources'

const { clickhouse: owner, ingest } = ownDatabase(DATABASE)
const analyst = clickhouseOfTests('analyst', DATABASE)
const portal = (client = analyst) =>
  createPortal({
    figures: createFigures(client, { fresh_ms: 0 }),
    clickhouse: addressOf({ CLICKHOUSE_URL: inject('clickhouseUrl') }),
    log: pino({ level: 'silent' }),
    metrics: createMetrics('portal'),
  })
const app = portal()

/**
 * Dossiers of Ninh Thuận (58) in 2023: two communes of one district, one of another, and the province itself. Of Khánh Hòa
 * (56) from July 2025: the old commune 22843, now counted there, and a commune of today. Of Điện Biên (11) in 2026.
 */
function samples(): DossierEvent[] {
  const groups = [
    { unit: '22843', day: '2023-03-15', dossiers: 97, online: 31, settled: 90, late: 7 },
    { unit: '22840', day: '2023-06-30', dossiers: 12, online: 11, settled: 12, late: 0 },
    { unit: '22738', day: '2023-01-01', dossiers: 41, online: 0, settled: 0, late: 0 },
    { unit: '58', day: '2023-05-05', dossiers: 5, online: 5, settled: 3, late: 3 },
    { unit: '22843', day: '2025-08-01', dossiers: 9, online: 4, settled: 9, late: 2 },
    { unit: '22366', day: '2025-09-01', dossiers: 33, online: 32, settled: 30, late: 1 },
    { unit: '11', day: '2026-02-02', dossiers: 60, online: 59, settled: 60, late: 1 },
  ]
  return groups.flatMap(({ unit, day, dossiers, online, settled, late }) =>
    Array.from({ length: dossiers }, (_, i) =>
      eventOf(
        eventJson({
          source: unit === '11' ? 'sample' : 'centre',
          processing_unit: unit,
          channel: i < online ? 'ONLINE' : 'COUNTER',
          received_at: `${day}T09:00:00+07:00`,
          occurred_at: `${day}T09:00:00+07:00`,
          event_type: i < settled ? 'SETTLED' : 'RECEIVED',
          due_at: `${day}T17:00:00+07:00`,
          ...(i < settled ? { settled_at: `${day.slice(0, 8)}${i < late ? '28' : day.slice(8)}T16:00:00+07:00` } : {}),
        }),
      ),
    ),
  )
}

beforeAll(() => ingest(samples()))

const view = (tier: string, from: string, to: string): Promise<RatesRow[]> =>
  rowsOf(
    owner,
    `SELECT ${COLUMNS} FROM rates(from = {from:Date}, to = {to:Date}, tier = {tier:String}) ORDER BY unit_code, unit_valid_from`,
    { tier, from, to },
  )

async function api(query: string): Promise<RatesRow[]> {
  const answer = await app.inject(`/api/rates?${query}`)
  expect(answer.statusCode, answer.body).toBe(200)
  return answer.json().rows
}

const PERIODS = [
  ['2023-01-01', '2023-12-31'],
  ['2023-06-30', '2023-06-30'],
  ['1970-01-01', '2149-06-06'],
] as const

describe('GET /api/rates', () => {
  test.each(TIERS.flatMap(tier => PERIODS.map(([from, to]) => [tier, from, to] as const)))(
    'of %s from %s to %s equals the view',
    async (tier, from, to) => {
      expect(await api(`tier=${tier}&from=${from}&to=${to}`)).toEqual(await view(tier, from, to))
    },
  )

  test('has no rows where nothing counts', async () => {
    expect(await api('tier=country&from=2030-01-01&to=2030-12-31')).toEqual([])
  })

  test('with a unit of the tier is its rows of the view', async () => {
    const all = await view('province', '1970-01-01', '2149-06-06')
    expect(await api('tier=province&from=1970-01-01&to=2149-06-06&unit=58')).toEqual(
      all.filter(row => row.unit_code === '58'),
    )
  })

  test('with a unit above the tier is what counts within it, and adds up to it', async () => {
    const [from, to] = ['1970-01-01', '2149-06-06']
    const within = await api(`tier=commune&from=${from}&to=${to}&unit=56`)
    // Of the old commune only what came after the reform: its dossiers of 2023 are Ninh Thuận's.
    expect(within.map(row => [row.unit_code, row.received])).toEqual([
      ['22366', 33],
      ['22843', 9],
    ])
    const [province] = await api(`tier=province&from=${from}&to=${to}&unit=56`)
    expect(within.reduce((sum, row) => sum + row.received, 0)).toBe(province?.received)
    const communes = await view('commune', '2023-01-01', '2023-12-31')
    expect(await api('tier=commune&from=2023-01-01&to=2023-12-31&unit=58')).toEqual(communes)
    expect(await api('tier=district&from=2023-01-01&to=2023-12-31&unit=VN')).toEqual(
      await view('district', '2023-01-01', '2023-12-31'),
    )
  })

  test('GET /api/indicators equals the view, as recorded and on the units of today', async () => {
    const words = { from: '2023-01-01', to: '2023-12-31', tier: 'province' }
    const ask = async (more: string) => {
      const answer = await app.inject(`/api/indicators?tier=province&from=${words.from}&to=${words.to}${more}`)
      expect(answer.statusCode, answer.body).toBe(200)
      return answer.json().rows as Record<string, unknown>[]
    }
    const columns =
      'indicator_code, unit_code, toFloat64(numerator) AS numerator, toFloat64(denominator) AS denominator, value'
    const period = 'from = {from:Date}, to = {to:Date}, tier = {tier:String}'
    const order = 'ORDER BY indicator_code, unit_code'
    const recorded = await rowsOf(owner, `SELECT ${columns} FROM indicator_values(${period}) ${order}`, words)
    expect(recorded.length).toBeGreaterThan(5)
    expect(await ask('')).toMatchObject(recorded)
    expect(await ask('&indicator=online_submission&unit=58')).toMatchObject([
      { name_vi: expect.stringContaining('trực tuyến'), unit_code: '58', unit_valid_from: '1970-01-01' },
    ])
    const rebased = await rowsOf(
      owner,
      `SELECT ${columns}, comparable FROM indicator_values_rebased(${period}, units = '2026-01-01', split = 'none') ${order}`,
      words,
    )
    expect(rebased.map(row => (row as { unit_code: string }).unit_code)).not.toContain('58')
    expect(await ask('&units=2026-01-01')).toMatchObject(rebased)
  })

  test('counts are numbers, rates fractions or null', async () => {
    const row = (await api('tier=commune&from=2023-01-01&to=2023-12-31&unit=22738'))[0]
    expect(row).toMatchObject({
      received: 41,
      received_online: 0,
      online_rate: 0,
      settled: 0,
      on_time_rate: null,
      sources: ['centre'],
    })
  })
})

describe('the page', () => {
  const page = async (query: string) =>
    (await app.inject(`/?lang=vi&${query}`)).body.replaceAll('&#61;', '=').replaceAll('&#38;', '&')
  const textOf = (html: string) => html.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ')
  const rowOf = (html: string, id: string) => html.slice(html.indexOf(`<tr id="${id}`)).split('</tr>')[0] ?? ''
  const shown = (row: RatesRow) => {
    const timely = row.settled_early + row.settled_on_time
    return [
      row.unit_name,
      percent(row.received_online, row.received, 'vi'),
      `${count(row.received_online, 'vi')} / ${count(row.received, 'vi')}`,
    ].concat(
      row.settled === 0
        ? []
        : [percent(timely, row.settled, 'vi') ?? '', `${count(timely, 'vi')} / ${count(row.settled, 'vi')}`],
    )
  }

  test.each([
    ['province', ''],
    ['district', 'unit=58@1970-01-01'],
    ['commune', 'unit=588@1970-01-01'],
  ])('shows the rows of the view at the tier %s', async (tier, unit) => {
    const html = await page(`period=2023&${unit}`)
    const rows = await view(tier, '2023-01-01', '2023-12-31')
    const here = tier === 'commune' ? rows.filter(row => ['22843', '22840'].includes(row.unit_code)) : rows
    expect(here.length).toBeGreaterThan(0)
    for (const row of here)
      for (const text of shown(row))
        expect(
          textOf(rowOf(html, `u-${tier}-${row.unit_code}-${row.unit_valid_from}`)).replaceAll('\u00a0', ' '),
        ).toContain(text?.replaceAll('\u00a0', ' '))
  })

  test('has a row for what was recorded at the province itself, so that the parts add up', async () => {
    const html = await page('unit=58@1970-01-01')
    const own = rowOf(html, 'u-own')
    expect(textOf(own)).toContain('Ghi nhận tại cấp tỉnh')
    const [province] = await api('tier=province&from=1970-01-01&to=2149-06-06&unit=58')
    expect(textOf(rowOf(html, 'total')).replaceAll('\u00a0', ' ')).toContain(
      `${province?.received_online} / ${province?.received}`,
    )
  })

  test('tells a unit that has ended from the one that took over its code, and marks samples', async () => {
    expect(textOf(rowOf(await page(''), 'u-province-58'))).toContain('đến 30/06/2025')
    expect(textOf(await page('unit=58@1970-01-01'))).toContain('tồn tại đến hết ngày 30/06/2025')
    expect(rowOf(await page(''), 'u-province-11-2025-07-01')).toContain('dữ liệu mẫu')
    expect(rowOf(await page(''), 'u-province-56-2025-07-01')).not.toContain('dữ liệu mẫu')
  })

  test('shows a commune by month, and for which province each month counts', async () => {
    const text = textOf(await page('unit=22843@1970-01-01'))
    expect(text).toMatch(/Tháng 3\/2023.*Tính cho Tỉnh Ninh Thuận.*Tháng 8\/2025.*Tính cho Tỉnh Khánh Hòa/)
  })

  test('shows the last events with the unit of the dossier', async () => {
    expect(textOf(await page(''))).toMatch(/Đã giải quyết T-[0-9a-f-]+ Tỉnh Điện Biên/)
  })
})

describe('the page that tells how to connect', () => {
  const CSV = '"unit_name","received","online_rate","settled","on_time_rate"\n"Tỉnh Điện Biên",60,0.9833,60,0.9833\n'
  const shownFor = (tool: string) =>
    toolsOf(addressOf({ CLICKHOUSE_URL: inject('clickhouseUrl') }), WORDS.en.connect).find(({ id }) => id === tool)
      ?.texts[0]?.text ?? ''
  /** As shown, but asking the database of this file, which has dossiers. */
  const textOf = (tool: string) => shownFor(tool).replaceAll('motcua', DATABASE)

  test('of the running portal shows the address of the running ClickHouse', async () => {
    const answer = await fetch(`${inject('stack').urls.portal}/connect?lang=en`)
    expect(answer.status).toBe(200)
    const text = (await answer.text()).replaceAll('&#61;', '=').replaceAll('&#38;', '&').replaceAll('&#39;', "'")
    expect(text).toContain(`${inject('clickhouseUrl')}/`)
    expect(text).toContain(shownFor('excel'))
  })

  test('gives Excel an address that answers with CSV and says so', async () => {
    const answer = await fetch(textOf('excel'))
    expect(answer.headers.get('content-type')).toMatch(/^text\/csv; charset=UTF-8; header=present/)
    expect(await answer.text()).toBe(CSV)
  })

  const hasCurl = spawnSync('curl', ['--version']).status === 0
  test.skipIf(!hasCurl)('gives a command for curl that runs as it stands (skipped without curl)', () => {
    expect(execFileSync('sh', ['-c', textOf('curl')], { encoding: 'utf8' })).toBe(CSV)
  })

  test('gives R a request that ClickHouse answers with CSV', async () => {
    const [, url = '', question = ''] = /request\("([^"]+)"\)[\s\S]+req_body_raw\("([^"]+)"/.exec(textOf('r')) ?? []
    const headers = { authorization: `Basic ${btoa('analyst:')}`, 'content-type': 'text/plain' }
    const answer = await fetch(url, { method: 'POST', headers, body: question })
    expect(await answer.text()).toBe(CSV)
  })
})

test('is ready where the views are, and says what is missing where they are not', async () => {
  expect((await app.inject('/health/ready')).statusCode).toBe(200)
  const answer = await portal(clickhouseOfTests('analyst', 'default')).inject('/health/ready')
  expect([answer.statusCode, answer.json().reason]).toEqual([503, expect.stringContaining('rates')])
})
