import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { createMetrics } from '../../common/metrics.ts'
import { createPortal } from './app.ts'
import { addressOf, TOOL_NAMES } from './connect.ts'
import { counts, fakeFigures, PARTS, part, UNITS } from './fake-figures.ts'
import { type Figures, FiguresError } from './figures.ts'
import { sorted } from './pages/rates.ts'
import { createUnits } from './units.ts'

const portal = (some: Partial<Figures> = {}, clickhouse = addressOf({ CLICKHOUSE_URL: 'http://127.0.0.1:8123' })) =>
  createPortal({
    figures: fakeFigures(some),
    clickhouse,
    log: pino({ level: 'silent' }),
    metrics: createMetrics('portal'),
  })
const get = (url: string, some: Partial<Figures> = {}, headers: Record<string, string> = {}) =>
  portal(some).inject({ url, headers })
const textOf = (html: string) =>
  html
    .replace(/<[^>]*>/g, ' ')
    .replaceAll('\u00a0', ' ')
    .replace(/\s+/g, ' ')
const down = () => Promise.reject(new FiguresError('down'))

describe('GET /api/rates', () => {
  it('answers with the keys of the contract, in its order', async () => {
    const answer = await get('/api/rates?tier=province&from=2023-01-01&to=2023-12-31')
    expect(answer.statusCode).toBe(200)
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(answer.body).toBe(
      '{"from":"2023-01-01","to":"2023-12-31","tier":"province","rows":[{"unit_code":"58","unit_valid_from":"1970-01-01","unit_name":"Tỉnh Ninh Thuận","received":3,"received_online":1,"online_rate":0.3333333333333333,"settled":0,"settled_early":0,"settled_on_time":0,"settled_late":0,"on_time_rate":null,"sources":["sample"]}]}',
    )
  })

  it('refuses with a problem that names the parameter', async () => {
    const answer = await get('/api/rates?tier=ward&from=2023-01-01&to=2023-12-31')
    expect(answer.statusCode).toBe(400)
    expect(answer.headers['content-type']).toMatch('application/problem+json')
    expect(answer.json()).toMatchObject({
      status: 400,
      parameters: [{ parameter: 'tier', value: 'ward', allowed: 'commune, district, province, country' }],
    })
  })

  it('says 503 while ClickHouse does not answer', async () => {
    const answer = await get('/api/rates?tier=province&from=2023-01-01&to=2023-12-31', { rates: down })
    expect(answer.statusCode).toBe(503)
    expect(answer.headers['content-type']).toMatch('application/problem+json')
  })
})

describe('GET /api/indicators', () => {
  it('answers with rows, and with the units they stand on', async () => {
    const words = 'tier=province&from=2023-01-01&to=2023-12-31'
    expect((await get(`/api/indicators?${words}`)).json()).toMatchObject({
      units: 'as_recorded',
      rows: [{ indicator_code: 'online_submission', numerator: 1, denominator: 3 }],
    })
    expect((await get(`/api/indicators?${words}&units=2026-01-01`)).json()).toMatchObject({
      units: '2026-01-01',
      split: 'none',
    })
  })

  it('refuses an unknown indicator with those there are', async () => {
    const answer = await get('/api/indicators?tier=province&from=2023-01-01&to=2023-12-31&indicator=x')
    expect(answer.statusCode).toBe(400)
    expect(answer.json().parameters).toMatchObject([{ parameter: 'indicator', value: 'x' }])
    expect(answer.json().detail).toContain('on_time_766')
  })
})

describe('the page', () => {
  it('shows both rates with numerator and denominator, in Vietnamese', async () => {
    const text = textOf((await get('/')).body)
    for (const expected of [
      '81,17 %',
      '16.234 / 20.000',
      '96,84 %',
      '18.400 / 19.000',
      'Tỉnh Bắc Giang',
      'đến 30/06/2025',
      'Cập nhật đến 10:32:48 22/11/2026',
      '50.644 sự kiện',
    ])
      expect(text).toContain(expected)
  })

  it('shows the same in English', async () => {
    const answer = await get('/?lang=en')
    expect(answer.headers['content-language']).toBe('en')
    for (const expected of [
      '81.17 %',
      '16,234 / 20,000',
      '18,400 / 19,000',
      'until 30/06/2025',
      'sample data',
      'The land sector is below its threshold',
    ])
      expect(textOf(answer.body)).toContain(expected)
    expect(answer.body).toContain('<html lang="en">')
  })

  it('marks sample data, row by row and for the page', async () => {
    const { body } = await get('/')
    expect(body).toContain('id="sample-notice"')
    expect(textOf(body)).toContain('Dữ liệu mẫu: Tỉnh Ninh Thuận (đến 30/06/2025).')
    expect(textOf(body)).toContain('mang mã thủ tục, lĩnh vực hiện hành')
    const clean = await get('/', { parts: async () => PARTS.slice(1) })
    expect(clean.body).not.toContain('id="sample-notice"')
  })

  it('mutes rates over few dossiers, and shows none over none', async () => {
    const { body } = await get('/')
    const row = (id: string) => body.slice(body.indexOf(`id="${id}`)).split('</tr>')[0] ?? ''
    expect(row('u-province-24-1970')).toContain('ít hồ sơ')
    expect(row('u-province-58')).not.toContain('ít hồ sơ')
    expect(textOf(row('u-province-24-2025'))).toContain('không có hồ sơ')
  })

  it('adds its parts up', async () => expect(textOf((await get('/')).body)).toContain('16.275 / 20.065'))

  it('leads down and up again, and remembers what was chosen', async () => {
    const home = (await get('/?lang=en&period=2023-H1')).body.replaceAll('&#38;', '&').replaceAll('&#61;', '=')
    expect(home).toContain('href="/?lang=en&unit=58@1970-01-01&period=2023-H1"')
    const parts = async () => [part('', '1970-01-01', '', counts(40, 4, 40, 40, 0), { kind: 'own' })]
    const unit = textOf((await get('/?unit=22840', { parts })).body)
    expect(unit).toContain('Việt Nam')
    expect(unit).toMatch(/Tỉnh Ninh Thuận \(đến 30\/06\/2025\) Huyện Bác Ái/)
  })

  it('tells what is wrong with an address', async () => {
    expect([
      (await get('/?unit=99')).statusCode,
      (await get('/?period=2023-H9')).statusCode,
      (await get('/?from=2023-02-30&to=2023-03-01')).statusCode,
    ]).toEqual([404, 400, 400])
    expect(textOf((await get('/?lang=en&unit=99')).body)).toContain('No administrative unit has the code 99.')
  })

  it('says so when there is nothing yet, and when ClickHouse is away', async () => {
    const empty = {
      parts: async () => [],
      calendar: async () => ({ months: [], first: '', last: '' }),
      moment: async () => ({ events: 0, as_of_ms: undefined }),
    }
    expect(textOf((await get('/', empty)).body)).toContain('Chưa có hồ sơ nào.')
    const away = await get('/?lang=en', { parts: down })
    expect(away.statusCode).toBe(503)
    expect(textOf(away.body)).toContain('The figures cannot be fetched right now')
  })

  it('escapes every name that comes from outside', async () => {
    const evil = '<script>alert("x")</script>\'&'
    const units = createUnits([
      ...UNITS,
      { ...(UNITS[0] as (typeof UNITS)[0]), code: '66', province_code: '66', name: evil },
    ])
    const base = fakeFigures()
    const [event] = await base.lastEvents()
    const [alert] = await base.openAlerts()
    if (event === undefined || alert === undefined) throw new Error('the fake has no event')
    const { body } = await get('/', {
      units: async () => units,
      parts: async () => [
        part('66', '1970-01-01', evil, counts(50, 5, 0, 0, 0), { sources: ['sample'] }),
        part('77', '1970-01-01', evil, counts(1, 1, 1, 1, 0)),
      ],
      lastEvents: async () => [
        { ...event, id: evil, event_type: evil, dossier_id: evil, source: evil, unit_code: evil },
      ],
      deadLetters: async () => ({
        total: 1,
        rows: [{ id: evil, reason: evil, field: evil, message: evil, failed_at_ms: 0 }],
      }),
      openAlerts: async () => [
        { ...alert, alert_id: evil, text_vi: evil, text_en: evil, state: evil, severity: evil, unit_code: '66' },
      ],
    })
    expect(body).not.toContain('<script>alert')
    expect(body).not.toContain('"x"')
    expect(body.match(/&#60;script&#62;alert\(&#34;x&#34;\)/g)?.length).toBeGreaterThan(8)
    expect((await get(`/?lang=en&unit=${encodeURIComponent(evil)}`)).body).not.toContain('<script>alert')
    expect((await get(`/?period=${encodeURIComponent(evil)}`)).body).not.toContain('<script>alert')
  })
})

describe('the page that tells how to connect', () => {
  const address = (CLICKHOUSE_URL: string, CLICKHOUSE_PASSWORD?: string) =>
    addressOf({ CLICKHOUSE_URL, CLICKHOUSE_PASSWORD })

  it('is led to from every page, stands in both languages, and needs no database', async () => {
    expect((await get('/?lang=en')).body).toContain('href="/connect?lang=en"')
    const [vi, en] = [await get('/connect', { units: down }), await get('/connect?lang=en', { units: down })]
    expect([vi.statusCode, vi.headers['content-language'], en.headers['content-language']]).toEqual([200, 'vi', 'en'])
    expect(textOf(vi.body)).toContain('Kết nối với số liệu')
    expect(textOf(en.body)).toContain('Connect to the figures')
    for (const name of Object.values(TOOL_NAMES)) expect(en.body).toContain(`>${name}</h3>`)
  })

  it('shows the address as configured, what it asks for, and nothing that signs in', async () => {
    const open = textOf((await portal().inject('/connect?lang=en')).body)
    expect(open).toContain('http://127.0.0.1:8123/')
    expect(open).toContain('Password leave empty')
    expect(open).toContain('on the machine that runs motcua, and only there')
    const closed = await portal({}, address('https://u:hunter2@ch.example:8443', 'hunter2')).inject('/connect?lang=en')
    expect(textOf(closed.body)).toContain('https://ch.example:8443/')
    expect(textOf(closed.body)).toContain('Password your password')
    expect(textOf(closed.body)).not.toContain('and only there')
    expect(closed.body).not.toContain('hunter2')
  })

  it('escapes the address', async () => {
    const evil = `"'<script>`
    const { body } = await portal({}, { ...address('http://ch'), url: evil, host: evil, hostAndPort: evil }).inject(
      '/connect',
    )
    expect(body).not.toContain('<script>')
    expect(body.match(/&#34;&#39;&#60;script&#62;/g)?.length).toBeGreaterThan(8)
  })

  it('has a text for every button that copies, and hides the buttons from who has no scripts', async () => {
    const { body } = await get('/connect')
    const buttons = [...body.matchAll(/<button type="button" hidden data-copies="([^"]+)"/g)].map(match => match[1])
    expect(buttons.length).toBe(body.match(/<button/g)?.length)
    expect(buttons.length).toBeGreaterThan(Object.keys(TOOL_NAMES).length)
    for (const id of buttons) expect(body).toContain(`<code id="${id}">`)
  })

  it('leads to the guide to every table, as text', async () => {
    expect((await get('/connect')).body).toContain('href="/sql.md"')
    const guide = await get('/sql.md')
    expect(guide.headers['content-type']).toBe('text/plain; charset=utf-8')
    expect(guide.body).toContain('### rates_by_commune')
  })
})

describe('the live part', () => {
  it('is not sent again to a page that shows exactly it', async () => {
    const { body } = await get('/?lang=vi')
    const tag = /hx-ptag="([^"]+)"/.exec(body)?.[1] ?? ''
    const same = await get('/live?lang=vi', {}, { 'hx-ptag': tag })
    expect([same.statusCode, same.body]).toEqual([304, ''])
    const other = await get('/live?lang=vi', { parts: async () => PARTS.slice(1) }, { 'hx-ptag': tag })
    expect(other.statusCode).toBe(200)
    expect(other.headers['hx-ptag']).not.toBe(tag)
    expect(other.body).not.toContain('<html')
  })
})

describe('the frame', () => {
  it('allows nothing but its own files', async () => {
    for (const url of [
      '/',
      '/api/rates',
      '/api/indicators',
      '/live',
      '/connect',
      '/sql.md',
      '/nowhere',
      '/assets/portal.js',
    ]) {
      const { headers } = await get(url)
      expect(headers['content-security-policy']).toContain("default-src 'none'; script-src 'self'; style-src 'self'")
      expect(headers['content-security-policy']).not.toContain('unsafe')
      expect(headers['x-content-type-options']).toBe('nosniff')
    }
    for (const url of ['/?unit=58', '/connect']) {
      const { body } = await get(url)
      expect(body).not.toMatch(/<style|\sstyle=|<script>|\son[a-z]+=|javascript:/)
      expect(body).not.toMatch(/(?:src|href|action)="(?:https?:)?\/\//)
    }
  })

  it('serves every file the page asks for, for good', async () => {
    const app = portal()
    const body = (await app.inject('/')).body + (await app.inject('/connect')).body
    const files = [...body.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(match =>
      (match[1] ?? '').replaceAll('&#61;', '='),
    )
    expect(files.length).toBeGreaterThanOrEqual(5)
    for (const file of files) {
      const answer = await app.inject(file)
      expect([file, answer.statusCode, answer.headers['cache-control']]).toEqual([
        file,
        200,
        'public, max-age=31536000, immutable',
      ])
    }
  })

  it('has no id twice, and a label for every field', async () => {
    for (const url of ['/?from=2023-01-01&to=2023-02-01', '/connect']) {
      const { body } = await get(url)
      const ids = [...body.matchAll(/\sid="([^"]+)"/g)].map(match => match[1])
      expect(ids.length).toBe(new Set(ids).size)
      for (const [, id] of body.matchAll(/<(?:select|input) id="([^"]+)"/g))
        expect(body).toContain(`<label for="${id}">`)
      for (const [, id] of body.matchAll(/aria-labelledby="([^"]+)"/g)) expect(ids).toContain(id)
    }
  })
})

describe('health', () => {
  it('is ready when ClickHouse answers and has what is needed', async () => {
    expect((await get('/health/ready')).statusCode).toBe(200)
    const missing = await get('/health/ready', { missing: async () => ['rates'] })
    expect([missing.statusCode, missing.json().reason]).toEqual([503, expect.stringContaining('rates')])
    const away = await get('/health/ready', { missing: down })
    expect([away.statusCode, away.json().reason]).toEqual([503, 'ClickHouse does not answer'])
  })
})

describe('the order of rows', () => {
  const names = (by: Parameters<typeof sorted>[1]) =>
    sorted([...PARTS, part('', '1970-01-01', '', counts(90_000, 1, 0, 0, 0), { kind: 'own' })], by).map(row => row.name)

  it('is by volume, rate or name; no rate goes last, the unit itself at the very end', () => {
    expect(names({ by: 'received', descending: true })).toEqual([
      'Tỉnh Ninh Thuận',
      'Tỉnh Bắc Ninh',
      'Tỉnh Bắc Giang',
      '',
    ])
    expect(names({ by: 'name', descending: false })).toEqual(['Tỉnh Bắc Giang', 'Tỉnh Bắc Ninh', 'Tỉnh Ninh Thuận', ''])
    expect(names({ by: 'on_time', descending: true })).toEqual([
      'Tỉnh Bắc Giang',
      'Tỉnh Ninh Thuận',
      'Tỉnh Bắc Ninh',
      '',
    ])
    expect(names({ by: 'on_time', descending: false })).toEqual([
      'Tỉnh Ninh Thuận',
      'Tỉnh Bắc Giang',
      'Tỉnh Bắc Ninh',
      '',
    ])
  })
})
