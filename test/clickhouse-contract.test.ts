/**
 * What every ClickHouse that motcua works with must do over HTTP, a real server and infra/local/clickhouse alike.
 * Address: `clickhouseUrl` of vitest's global setup, else CLICKHOUSE_URL. Makes a database of its own and drops it.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, type Transform } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  brotliDecompressSync,
  gunzipSync,
  gzipSync,
  inflateSync,
  zstdCompressSync,
  zstdDecompressSync,
} from 'node:zlib'
import { type ClickHouseClient, ClickHouseError, createClient } from '@clickhouse/client'
import avro from 'avsc'
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest'
import { createBlocks, readBlocks } from '../infra/local/clickhouse/blocks.ts'
import { createLz4, createUnlz4 } from '../infra/local/clickhouse/frames.ts'

declare module 'vitest' {
  interface ProvidedContext {
    clickhouseUrl: string
  }
}

const url = inject('clickhouseUrl') ?? process.env.CLICKHOUSE_URL
if (!url) throw new Error('no ClickHouse: run under the global setup, or set CLICKHOUSE_URL')
const database = `contract_${randomUUID().slice(0, 8)}`
vi.setConfig({ testTimeout: 30_000 })
const quiet = { level: 127 as never }
const client = createClient({ url, database, log: quiet })
const clientOf = (username: string): ClickHouseClient => createClient({ url, database, username, log: quiet })

type Options = { body?: string | Uint8Array; headers?: Record<string, string>; method?: string }
const http = (parameters: Record<string, string> = {}, options: Options = {}) =>
  fetch(`${url}/?${new URLSearchParams({ database, ...parameters })}`, {
    method: options.method ?? 'POST',
    body: options.body as string,
    headers: options.headers ?? {},
  })
const ask = async (sql: string, parameters: Record<string, string> = {}) =>
  (await http(parameters, { body: sql })).text()
const run = async (sql: string, parameters: Record<string, string> = {}): Promise<void> => {
  const answer = await http(parameters, { body: sql })
  const text = await answer.text()
  if (!answer.ok) throw new Error(text)
}
const rows = async <T>(sql: string, options: { query_params?: Record<string, unknown> } = {}): Promise<T[]> =>
  (await client.query({ query: sql, format: 'JSONEachRow', ...options })).json<T>()
const summaryOf = (answer: Response): Record<string, string> =>
  JSON.parse(answer.headers.get('x-clickhouse-summary') ?? '{}')
const failure = async (work: Promise<unknown>): Promise<{ code: string; type: string; message: string }> => {
  const error = await work.then(
    () => undefined,
    cause => cause,
  )
  if (error instanceof ClickHouseError) return { code: error.code, type: error.type ?? '', message: error.message }
  throw new Error(`expected a ClickHouseError, got ${error}`)
}
const canSignIn = async (user: string) => (await http({ user, database: 'default' }, { body: 'SELECT 1' })).ok

beforeAll(async () => {
  await run(`CREATE DATABASE ${database}`, { database: 'default' })
  await run('CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a')
  await run('CREATE TABLE numbers_1k ENGINE = MergeTree ORDER BY n AS SELECT number AS n FROM numbers(1000)')
})

afterAll(async () => {
  await run(`DROP DATABASE IF EXISTS ${database}`, { database: 'default' })
  await client.close()
})

describe('paths', () => {
  test.each(['/ping', '/replicas_status', '/'])('GET %s says Ok.', async path => {
    const answer = await fetch(url + path)
    expect([answer.status, await answer.text()]).toEqual([200, 'Ok.\n'])
  })
  test('an unknown path is 404', async () => {
    expect((await fetch(`${url}/nope`)).status).toBe(404)
  })
})

describe('query text', () => {
  test('in the URL, in the body, in both', async () => {
    expect(await (await http({ query: 'SELECT 1' }, { method: 'GET' })).text()).toBe('1\n')
    expect(await ask('SELECT 2')).toBe('2\n')
    expect(await ask('+ 2', { query: 'SELECT 1' })).toBe('3\n')
  })
  test('TabSeparated unless a format is asked for, by parameter, header or FORMAT, the latter going first', async () => {
    expect(await ask("SELECT 1, 'a\tb'")).toBe('1\ta\\tb\n')
    expect(await ask('SELECT 1 AS a', { default_format: 'JSONEachRow' })).toBe('{"a":1}\n')
    const byHeader = await http({}, { body: 'SELECT 1 AS a', headers: { 'X-ClickHouse-Format': 'CSVWithNames' } })
    expect(await byHeader.text()).toBe('"a"\n1\n')
    expect(await ask('SELECT 1 AS a FORMAT TSVWithNames', { default_format: 'JSON' })).toBe('a\n1\n')
  })
  test('database by parameter and by header', async () => {
    expect(await ask('SELECT currentDatabase()')).toBe(`${database}\n`)
    const answer = await fetch(url, {
      method: 'POST',
      body: 'SELECT currentDatabase()',
      headers: { 'X-ClickHouse-Database': database },
    })
    expect(await answer.text()).toBe(`${database}\n`)
  })
  test('comments, a closing semicolon, SETTINGS before and after FORMAT', async () => {
    expect(await ask('-- first\nSELECT 1 /* two */ ; -- three')).toBe('1\n')
    expect(await ask('SELECT 1 AS a SETTINGS max_threads = 1 FORMAT JSONEachRow')).toBe('{"a":1}\n')
    expect(await ask('SELECT 1 AS a FORMAT JSONEachRow SETTINGS max_threads = 1')).toBe('{"a":1}\n')
    expect(await ask("WITH 'FORMAT CSV' AS x SELECT x")).toBe('FORMAT CSV\n')
    expect(await ask('(SELECT 1) UNION ALL (SELECT 1)')).toBe('1\n1\n')
  })
  test('one statement at a time', async () => {
    const answer = await http({}, { body: 'SELECT 1; SELECT 2' })
    expect([answer.status, answer.headers.get('x-clickhouse-exception-code')]).toEqual([400, '62'])
  })
  test('statements that give no rows, and SHOW, DESCRIBE, EXISTS, EXPLAIN', async () => {
    expect(await ask('CREATE TABLE made (a Int8) ENGINE = Memory')).toBe('')
    expect(await ask('EXISTS TABLE made')).toBe('1\n')
    expect(await ask('DESCRIBE made FORMAT JSONEachRow')).toContain('"name":"a"')
    expect(await ask('SHOW TABLES')).toContain('made')
    expect(await ask('EXPLAIN SELECT 1')).not.toBe('')
    expect(await ask('DROP TABLE made SYNC')).toBe('')
  })
  test('a text larger than what is looked at first', async () => {
    const list = Array.from({ length: 40_000 }, (_, i) => 1e9 - i * 7).join(',')
    expect(await ask(`SELECT count() FROM numbers_1k WHERE n IN (${list})`, { max_query_size: '10000000' })).toBe('0\n')
  })
  test('GET never writes', async () => {
    const answer = await http({ query: 'CREATE TABLE by_get (a Int8) ENGINE = Memory' }, { method: 'GET' })
    expect(answer.headers.get('x-clickhouse-exception-code')).toBe('164')
    expect(await ask('EXISTS TABLE by_get')).toBe('0\n')
  })
})

describe('answers', () => {
  test('headers of a result', async () => {
    const answer = await http({ query_id: 'contract-1' }, { body: 'SELECT 1 AS a FORMAT JSON' })
    const header = (name: string) => answer.headers.get(name)
    expect(header('x-clickhouse-query-id')).toBe('contract-1')
    expect(header('x-clickhouse-format')).toBe('JSON')
    expect(header('x-clickhouse-timezone')).toMatch(/UTC/)
    expect(header('x-clickhouse-server-display-name')).toBeTruthy()
    expect(header('content-type')).toBe('application/json; charset=UTF-8')
    for (const key of ['read_rows', 'read_bytes', 'written_rows', 'written_bytes', 'result_rows', 'elapsed_ns']) {
      expect(summaryOf(answer)[key], key).toMatch(/^\d+$/)
    }
    expect(await answer.json()).toMatchObject({ meta: [{ name: 'a', type: 'UInt8' }], data: [{ a: 1 }], rows: 1 })
  })
  test.each([
    ['TabSeparated', 'text/tab-separated-values'],
    ['CSVWithNames', 'text/csv'],
    ['JSONEachRow', 'application/x-ndjson'],
    ['RowBinary', 'application/octet-stream'],
    ['Parquet', 'application/octet-stream'],
  ])('content type of %s', async (format, type) => {
    const answer = await http({}, { body: `SELECT 1 FORMAT ${format}` })
    expect(answer.headers.get('content-type')).toContain(type)
    await answer.arrayBuffer()
  })
  test('documents are one document, however many blocks they have', async () => {
    const answer = await http(
      {},
      { body: 'SELECT number, toString(number) AS s FROM numbers(200000) FORMAT JSONCompact' },
    )
    const { data, rows: count } = (await answer.json()) as { data: unknown[]; rows: number }
    expect([data.length, count, data.at(-1)]).toEqual([
      200_000,
      200_000,
      ['199999', '199999'].map(String).map((v, i) => (i ? v : expect.anything())),
    ])
  })
  test.each([
    'Native',
    'RowBinary',
    'Parquet',
    'Arrow',
    'ORC',
    'Avro',
    'CSVWithNames',
    'TabSeparatedWithNamesAndTypes',
  ])('%s goes out and comes in again unchanged', async format => {
    const table = `round_${format.toLowerCase()}`
    await run(`CREATE TABLE ${table} (a UInt64, s String, d Date) ENGINE = MergeTree ORDER BY a`)
    const select =
      "SELECT number AS a, concat('s\n', toString(number)) AS s, toDate('2025-07-01') + number % 99 AS d FROM numbers(70000)"
    const answer = await http({}, { body: `${select} FORMAT ${format}` })
    const bytes = new Uint8Array(await answer.arrayBuffer())
    const inserted = await http({ query: `INSERT INTO ${table} FORMAT ${format}` }, { body: bytes })
    expect([inserted.status, await inserted.text()]).toEqual([200, ''])
    const hash = 'SELECT count(), sum(cityHash64(a, s, toUInt32(d)))'
    expect(await ask(`${hash} FROM ${table}`)).toBe(await ask(`${hash} FROM (${select})`))
  })
  test('rows come while the query still runs', async () => {
    const started = performance.now()
    const slow = 'SELECT sleepEachRow(0.1), randomPrintableASCII(200000) FROM numbers(30) SETTINGS max_block_size = 1'
    const answer = await http({}, { body: slow })
    const reader = answer.body?.getReader()
    await reader?.read()
    expect(performance.now() - started).toBeLessThan(2000)
    await reader?.cancel()
  })
  test('wait_end_of_query: an error after many rows is an HTTP error still, and the summary is true', async () => {
    const sql = 'SELECT throwIf(number = 2000000) FROM numbers(3000000)'
    const failed = await http({ wait_end_of_query: '1' }, { body: sql })
    expect([failed.status, failed.headers.get('x-clickhouse-exception-code')]).toEqual([500, '395'])
    await failed.text()
    const answer = await http({ wait_end_of_query: '1' }, { body: 'SELECT number FROM numbers(300000)' })
    expect(summaryOf(answer).result_rows).toBe('300000')
    expect((await answer.text()).split('\n')).toHaveLength(300_001)
  })
  test('an error in the middle of a stream is a failure for the client', async () => {
    const query = 'SELECT throwIf(number = 1000000) AS x, number FROM numbers(3000000)'
    const stream = async (format: 'JSONEachRow' | 'JSON' | 'TabSeparated') => {
      const result = await client.query({ query, format })
      return format === 'TabSeparated' ? result.text() : result.json()
    }
    expect(await failure(stream('JSONEachRow'))).toMatchObject({
      code: '395',
      type: 'FUNCTION_THROW_IF_VALUE_IS_NON_ZERO',
    })
    await expect(stream('JSON')).rejects.toThrow()
    await expect(stream('TabSeparated')).rejects.toThrow()
    await expect(http({}, { body: query }).then(answer => answer.text())).rejects.toThrow()
  })
})

describe('parameters', () => {
  test('values of every kind, as the client sends them', async () => {
    const given = {
      s: 'it\'s \\ a\ttab,\na line, "quotes", \0 and Bắc Ninh',
      list: ["x'y", 'a\\b\n', ''],
      numbers: [1, 2, 3],
      nested: [['a', 'b'], []],
      big: '18446744073709551615',
      yes: true,
      nothing: null,
      day: '2025-07-01',
      time: new Date('2025-07-01T01:02:03.456Z'),
    }
    const [row] = await rows(
      `SELECT {s:String} AS s, {list:Array(String)} AS list, {numbers:Array(UInt64)}::Array(UInt8) AS numbers,
        {nested:Array(Array(String))} AS nested, toString({big:UInt64}) AS big, {yes:Bool} AS yes,
        {nothing:Nullable(String)} AS nothing, {day:Date} AS day, {time:DateTime64(3, 'UTC')} AS time`,
      { query_params: given },
    )
    expect(row).toEqual({ ...given, time: '2025-07-01 01:02:03.456' })
  })
  test('identifiers', async () => {
    const query = 'SELECT count() AS c FROM {db:Identifier}.{t:Identifier} WHERE {c:Identifier} < 3'
    expect(await rows(query, { query_params: { db: database, t: 'numbers_1k', c: 'n' } })).toEqual([
      { c: expect.toSatisfy(c => Number(c) === 3) },
    ])
  })
  test('a parameter is a value, never text', async () => {
    const evil = "1'; DROP TABLE numbers_1k; --"
    expect(await rows('SELECT {s:String} AS s', { query_params: { s: evil } })).toEqual([{ s: evil }])
    expect(await ask('EXISTS TABLE numbers_1k')).toBe('1\n')
  })
  test('NULL as \\N, a missing and an ill-typed one', async () => {
    expect(await ask('SELECT {n:Nullable(UInt8)} IS NULL', { param_n: '\\N' })).toBe('1\n')
    expect(await failure(rows('SELECT {gone:String}'))).toMatchObject({ code: '456', type: 'UNKNOWN_QUERY_PARAMETER' })
    expect((await http({ param_n: 'x' }, { body: 'SELECT {n:UInt8}' })).ok).toBe(false)
  })
  test('long ones, which the client sends as a form', async () => {
    const s = 'dài '.repeat(60_000)
    expect(await rows('SELECT length({s:String}) AS n', { query_params: { s } })).toEqual([
      { n: expect.toSatisfy(n => Number(n) === Buffer.byteLength(s)) },
    ])
  })
})

describe('settings hold for one query', () => {
  test.each([
    [
      'date_time_output_format',
      'iso',
      "SELECT toDateTime('2025-07-01 00:00:00', 'UTC')",
      '2025-07-01T00:00:00Z\n',
      '2025-07-01 00:00:00\n',
    ],
    [
      'output_format_json_quote_64bit_integers',
      '1',
      'SELECT toUInt64(1) AS a FORMAT JSONEachRow',
      '{"a":"1"}\n',
      '{"a":1}\n',
    ],
    ['limit', '2', 'SELECT number FROM numbers(3)', '0\n1\n', '0\n1\n2\n'],
  ])('%s', async (name, value, sql, withIt, without) => {
    const base = name.startsWith('output') ? { [name]: '0' } : {}
    for (let i = 0; i < 3; i++) {
      expect(await ask(sql, { [name]: value })).toBe(withIt)
      expect(await ask(sql, base)).toBe(without)
    }
  })
  test('readonly and max_result_rows do not stay', async () => {
    expect(
      (await http({ readonly: '1' }, { body: "INSERT INTO t VALUES (1, 'x')" })).headers.get(
        'x-clickhouse-exception-code',
      ),
    ).toBe('164')
    await run("INSERT INTO t VALUES (1, 'x')")
    expect(
      (await http({ max_result_rows: '1' }, { body: 'SELECT number FROM numbers(3)' })).headers.get(
        'x-clickhouse-exception-code',
      ),
    ).toBe('396')
    expect(await ask('SELECT count() FROM (SELECT number FROM numbers(3))')).toBe('3\n')
    expect(await ask("SELECT getSetting('readonly'), getSetting('max_result_rows')")).toBe('0\t0\n')
  })
  test('SET does not stay without a session, nor does USE', async () => {
    await run('SET max_threads = 3')
    await run('USE system')
    expect(await ask("SELECT getSetting('max_threads') = 3, currentDatabase()")).toBe(`0\t${database}\n`)
  })
  test('an unknown one is refused by name', async () => {
    expect(
      await failure(client.query({ query: 'SELECT 1', clickhouse_settings: { nosuch: 1 } as never })),
    ).toMatchObject({ code: '115', type: 'UNKNOWN_SETTING' })
  })
  test('max_execution_time', async () => {
    const started = performance.now()
    const slow = client.query({
      query: 'SELECT count() FROM numbers(20000000000) WHERE sipHash64(number) = 1',
      clickhouse_settings: { max_execution_time: 1 },
    })
    expect(await failure(slow)).toMatchObject({ code: '159', type: 'TIMEOUT_EXCEEDED' })
    expect(performance.now() - started).toBeLessThan(5000)
  })
})

describe('sessions', () => {
  test('keep SET and temporary tables, not the settings of an URL', async () => {
    const session_id = randomUUID()
    await run('CREATE TEMPORARY TABLE mine AS SELECT 7 AS a', { session_id })
    await run('SET max_block_size = 1234', { session_id })
    expect(
      await ask("SELECT a, getSetting('max_block_size'), getSetting('max_threads') = 5 FROM mine", {
        session_id,
        max_threads: '5',
      }),
    ).toBe('7\t1234\t1\n')
    expect(await ask("SELECT getSetting('max_threads') = 5", { session_id })).toBe('0\n')
    expect(await ask('SELECT a FROM mine')).toContain('UNKNOWN_TABLE')
  })
  test('survive an error and are for one at a time', async () => {
    const session_id = randomUUID()
    await run('CREATE TEMPORARY TABLE mine AS SELECT 7 AS a', { session_id })
    expect(await ask('SELECT nope', { session_id })).toContain('UNKNOWN_IDENTIFIER')
    const slow = ask('SELECT sleep(1), a FROM mine', { session_id })
    await sleep(300)
    expect((await http({ session_id }, { body: 'SELECT 1' })).headers.get('x-clickhouse-exception-code')).toBe('373')
    expect(await slow).toBe('0\t7\n')
  })
  test('end after their timeout; session_check asks for one that lives', async () => {
    const session_id = randomUUID()
    expect(await ask('SELECT 1', { session_id, session_check: '1' })).toContain('SESSION_NOT_FOUND')
    await run('CREATE TEMPORARY TABLE mine AS SELECT 7 AS a', { session_id, session_timeout: '1' })
    await sleep(2500)
    expect(await ask('SELECT a FROM mine', { session_id })).toContain('UNKNOWN_TABLE')
  })
})

describe('inserts', () => {
  const fresh = async (columns = 'a UInt64, s String'): Promise<string> => {
    const table = `i_${randomUUID().slice(0, 8)}`
    await run(`CREATE TABLE ${table} (${columns}) ENGINE = MergeTree ORDER BY tuple()`)
    return table
  }
  const content = (table: string) =>
    ask(`SELECT * FROM ${table} ORDER BY ALL FORMAT JSONCompactEachRow`, {
      output_format_json_quote_64bit_integers: '0',
    })

  test('query in the URL, rows in the body; all in the body; VALUES with expressions; all in the URL', async () => {
    const table = await fresh()
    await run('{"a":1,"s":"x"}', { query: `INSERT INTO ${table} FORMAT JSONEachRow` })
    await run(`INSERT INTO ${table} FORMAT JSONEachRow\n{"a":2,"s":"y;\\n--"}\n{"a":3,"s":""}`)
    await run(`INSERT INTO ${table} (s, a) VALUES (upper('abc'), 2+2), ('it''s', 5)`)
    await run('', { query: `INSERT INTO ${table} VALUES (6, 'u')` })
    expect((await content(table)).replaceAll(' ', '')).toBe(
      '[1,"x"]\n[2,"y;\\n--"]\n[3,""]\n[4,"ABC"]\n[5,"it\'s"]\n[6,"u"]\n',
    )
  })
  test('column lists, defaults and SETTINGS in the text', async () => {
    const table = await fresh("a UInt64, s String DEFAULT 'd', `odd ) name` UInt8")
    await run(
      `INSERT INTO ${table} (a, \`odd ) name\`) SETTINGS async_insert = 0, max_insert_block_size = 1000 FORMAT CSV 1,2`,
    )
    await run(`INSERT INTO ${database}.${table} (* EXCEPT(s)) FORMAT TSV\n3\t4\n`)
    expect((await content(table)).replaceAll(' ', '')).toBe('[1,"d",2]\n[3,"d",4]\n')
    const bad = await http({}, { body: `INSERT INTO ${table} (a) SETTINGS nosuch = 1 FORMAT CSV 1` })
    expect(bad.headers.get('x-clickhouse-exception-code')).toBe('115')
  })
  test('arrays and streams of the client, and INSERT SELECT', async () => {
    const table = await fresh()
    await client.insert({ table, values: [{ a: 1, s: 'một' }], format: 'JSONEachRow' })
    await client.insert({
      table,
      values: Readable.from([
        [2, 'hai'],
        [3, 'ba'],
      ]),
      format: 'JSONCompactEachRow',
    })
    await client.command({ query: `INSERT INTO ${table} SELECT 4, 'bốn'` })
    expect((await content(table)).replaceAll(' ', '')).toBe('[1,"một"]\n[2,"hai"]\n[3,"ba"]\n[4,"bốn"]\n')
  })
  test('the summary tells the rows written', async () => {
    const table = await fresh()
    const one = await http(
      { query: `INSERT INTO ${table} FORMAT TSV`, wait_end_of_query: '1' },
      { body: '1\ta\n2\tb\n3\tc\n' },
    )
    expect(summaryOf(one).written_rows).toBe('3')
    const { summary } = await client.insert({ table, values: [{ a: 1, s: 'x' }], format: 'JSONEachRow' })
    expect(summary?.written_rows).toBe('1')
  })
  test('an empty body is no rows; an unknown table is an error even so', async () => {
    const table = await fresh()
    for (const format of ['JSONEachRow', 'TSV', 'RowBinary', 'Native']) {
      const answer = await http({ query: `INSERT INTO ${table} FORMAT ${format}` }, { body: '' })
      expect([answer.status, await answer.text()], format).toEqual([200, ''])
    }
    await client.insert({ table, values: [], format: 'JSONEachRow' })
    expect(await content(table)).toBe('')
    expect(
      (await http({ query: 'INSERT INTO nope FORMAT TSV' }, { body: '' })).headers.get('x-clickhouse-exception-code'),
    ).toBe('60')
  })
  test('random bytes in RowBinary and Avro arrive as they were', async () => {
    const values = Array.from({ length: 500 }, (_, i) => randomBytes(i % 97)).concat([Buffer.from('\n\0\r\n\t\\N\'"')])
    const table = await fresh('n UInt32, s String')
    const rowBinary = values.map((value, i) => {
      const head = Buffer.alloc(5)
      head.writeUInt32LE(i)
      head.writeUInt8(value.length, 4)
      return Buffer.concat([head, value])
    })
    await client.exec({
      query: `INSERT INTO ${table} FORMAT RowBinary`,
      values: Readable.from(rowBinary, { objectMode: false }) as never,
    })
    const type = avro.Type.forSchema({
      type: 'record',
      name: 'R',
      fields: [
        { name: 'n', type: 'int' },
        { name: 's', type: 'bytes' },
      ],
    })
    const encoder = new avro.streams.BlockEncoder(type, { codec: 'null' })
    const parts: Buffer[] = []
    const ended = new Promise(resolve => encoder.on('data', part => parts.push(part)).on('end', resolve))
    for (const [i, s] of values.entries()) encoder.write({ n: i + 1000, s })
    encoder.end()
    await ended
    const answer = await http({ query: `INSERT INTO ${table} FORMAT Avro` }, { body: Buffer.concat(parts) })
    expect([answer.status, await answer.text()]).toEqual([200, ''])
    const stored = await rows<{ n: number; h: string }>(`SELECT n, hex(s) AS h FROM ${table} ORDER BY n`)
    const expected = [0, 1000].flatMap(from =>
      values.map((value, i) => ({ n: i + from, h: value.toString('hex').toUpperCase() })),
    )
    expect(stored).toEqual(expected)
  })
  test.each(['JSONEachRow', 'TSV', 'RowBinary', 'JSONCompactEachRow', 'CSV', 'Native', 'Avro', 'Parquet'])(
    '200,000 rows in %s reach a view as one block, and a view that throws stops the insert',
    async format => {
      const table = await fresh()
      await run(`CREATE TABLE ${table}_seen (n UInt64) ENGINE = MergeTree ORDER BY n`)
      await run(
        `CREATE MATERIALIZED VIEW ${table}_view TO ${table}_seen AS SELECT count() AS n FROM ${table} HAVING NOT throwIf(count() != 200000, 'split')`,
      )
      const data = async (count: number) => {
        const answer = await http(
          {},
          {
            body: `SELECT number AS a, concat('a longer name of row ', toString(number)) AS s FROM numbers(${count}) FORMAT ${format}`,
          },
        )
        return new Uint8Array(await answer.arrayBuffer())
      }
      const settings = {
        max_insert_block_size: '1000000',
        min_insert_block_size_rows: '1000000',
        min_insert_block_size_bytes: '0',
        async_insert: '0',
      }
      const insert = async (count: number) =>
        http({ query: `INSERT INTO ${table} FORMAT ${format}`, ...settings }, { body: await data(count) })
      const whole = await insert(200_000)
      expect([whole.status, await whole.text()]).toEqual([200, ''])
      expect(await ask(`SELECT * FROM ${table}_seen`)).toBe('200000\n')
      const short = await insert(199_999)
      expect(short.headers.get('x-clickhouse-exception-code')).toBe('395')
      expect(await short.text()).toContain('split')
    },
  )
  test('a malformed row is an error that names it, and a body that breaks off inserts nothing', async () => {
    const table = await fresh()
    const answer = await http(
      { query: `INSERT INTO ${table} FORMAT JSONEachRow` },
      { body: '{"a":1,"s":"x"}\n{"a":"no"}' },
    )
    expect(answer.ok).toBe(false)
    const controller = new AbortController()
    const broken = fetch(`${url}/?${new URLSearchParams({ database, query: `INSERT INTO ${table} FORMAT TSV` })}`, {
      method: 'POST',
      signal: controller.signal,
      duplex: 'half',
      body: Readable.toWeb(
        Readable.from(
          (async function* () {
            yield Buffer.from('1\tx\n2\ty\n')
            await sleep(300)
            controller.abort()
            await sleep(300)
            yield Buffer.from('3\tz\n')
          })(),
        ),
      ) as never,
    } as RequestInit)
    await expect(broken).rejects.toThrow()
    await sleep(300)
    expect(await ask(`SELECT count() FROM ${table}`)).toBe('0\n')
  })
})

describe('compression', () => {
  const sql = "SELECT repeat('x', 1000) FROM numbers(1000)"
  test('gzip out, when both the setting and the header ask for it', async () => {
    const answer = await raw('POST', { enable_http_compression: '1' }, { 'Accept-Encoding': 'gzip' }, sql)
    expect(answer.headers['content-encoding']).toBe('gzip')
    expect(gunzipSync(answer.body).length).toBe(1_001_000)
    expect(answer.body.length).toBeLessThan(100_000)
    const plain = await raw('POST', {}, { 'Accept-Encoding': 'gzip' }, sql)
    expect([plain.headers['content-encoding'], plain.body.length]).toEqual([undefined, 1_001_000])
  })
  test.each([
    ['deflate', inflateSync],
    ['br', brotliDecompressSync],
    ['zstd', zstdDecompressSync],
    ['lz4', (bytes: Buffer) => through(bytes, createUnlz4())],
  ] as const)('%s out', async (encoding, decode) => {
    const answer = await raw('POST', { enable_http_compression: '1' }, { 'Accept-Encoding': encoding }, sql)
    expect([answer.headers['content-encoding'], (await decode(answer.body)).length]).toEqual([encoding, 1_001_000])
  })
  test.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
    ['lz4', (text: string) => through(Buffer.from(text), createLz4())],
  ] as const)('%s in, for queries and for rows', async (encoding, encode) => {
    const headers = { 'Content-Encoding': encoding }
    expect(await (await http({}, { body: await encode('SELECT 41 + 1'), headers })).text()).toBe('42\n')
    const answer = await http(
      { query: 'INSERT INTO t FORMAT TSV' },
      { body: await encode(`77${encoding.charCodeAt(0)}\tpacked\n`), headers },
    )
    expect([answer.status, await answer.text()]).toEqual([200, ''])
    expect(await ask(`SELECT s FROM t WHERE a = 77${encoding.charCodeAt(0)}`)).toBe('packed\n')
  })
  test('both ways through the client', async () => {
    const packed = createClient({ url, database, log: quiet, compression: { request: true, response: true } })
    await packed.insert({ table: 't', values: [{ a: 991, s: 'both ways' }], format: 'JSONEachRow' })
    const result = await packed.query({ query: 'SELECT s FROM t WHERE a = 991', format: 'JSONEachRow' })
    expect(await result.json()).toEqual([{ s: 'both ways' }])
    await packed.close()
  })
  test("ClickHouse's own blocks out, compress=1; an error is told as ever", async () => {
    const answer = await raw('POST', { compress: '1' }, {}, sql)
    expect([answer.headers['content-encoding'], answer.body.length < 100_000]).toEqual([undefined, true])
    expect((await through(answer.body, readBlocks())).toString()).toBe(`${'x'.repeat(1000)}\n`.repeat(1000))
    const failed = await raw('POST', { compress: '1' }, {}, 'SELECT nope')
    expect(failed.headers['x-clickhouse-exception-code']).toBe('47')
    const broken = raw('POST', { compress: '1' }, {}, 'SELECT throwIf(number = 1000000), number FROM numbers(3000000)')
    await expect(broken).rejects.toThrow()
  })
  test("ClickHouse's own blocks in, decompress=1; one bit astray is an error", async () => {
    const packed = await through(Buffer.from('778\tin blocks\n'), createBlocks())
    const insert = { query: 'INSERT INTO t FORMAT TSV', decompress: '1' }
    expect(await (await http(insert, { body: packed })).text()).toBe('')
    expect(await ask('SELECT s FROM t WHERE a = 778')).toBe('in blocks\n')
    packed.writeUInt8(packed.readUInt8(packed.length - 1) ^ 1, packed.length - 1)
    expect((await http(insert, { body: packed })).headers.get('x-clickhouse-exception-code')).toBe('40')
    expect(await ask('SELECT count() FROM t WHERE a = 778')).toBe('1\n')
  })
  test('an unknown encoding and a broken one are errors', async () => {
    expect((await http({}, { body: 'SELECT 1', headers: { 'Content-Encoding': 'rot13' } })).ok).toBe(false)
    expect((await http({}, { body: 'SELECT 1', headers: { 'Content-Encoding': 'gzip' } })).ok).toBe(false)
  })
})

async function through(bytes: Buffer, stage: Transform): Promise<Buffer> {
  stage.end(bytes)
  const parts: Buffer[] = []
  for await (const part of stage) parts.push(part)
  return Buffer.concat(parts)
}

/** fetch decodes by itself; this does not. */
async function raw(method: string, parameters: Record<string, string>, headers: Record<string, string>, body: string) {
  const { request } = await import('node:http')
  return new Promise<{ headers: Record<string, string | string[] | undefined>; body: Buffer }>((resolve, reject) => {
    const message = request(
      `${url}/?${new URLSearchParams({ database, ...parameters })}`,
      { method, headers },
      answer => {
        const parts: Buffer[] = []
        answer.on('data', part => parts.push(part))
        answer.on('end', () => resolve({ headers: answer.headers, body: Buffer.concat(parts) }))
        answer.on('error', reject)
      },
    )
    message.on('error', reject)
    message.end(body)
  })
}

describe('progress headers', () => {
  const slow = 'SELECT count() FROM numbers(40000000) WHERE sipHash64(number) = 1'
  test('come while the query runs, then its answer, and the connection goes on', async () => {
    const { Agent, request } = await import('node:http')
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const send = (parameters: Record<string, string>, sql: string) =>
      new Promise<{ progress: string[]; earlyMs: number; text: string; reused: boolean }>((resolve, reject) => {
        const address = `${url}/?${new URLSearchParams({ database, ...parameters })}`
        const began = performance.now()
        let earlyMs = Number.POSITIVE_INFINITY
        const message = request(address, { method: 'POST', agent }, async answer => {
          const parts: Buffer[] = []
          for await (const part of answer) parts.push(part)
          const progress = answer.rawHeaders.filter((_, i) => answer.rawHeaders[i - 1] === 'X-ClickHouse-Progress')
          resolve({ progress, earlyMs, text: Buffer.concat(parts).toString(), reused: message.reusedSocket })
        })
        message.on('error', reject)
        message.on('socket', socket =>
          socket.once('data', () => {
            earlyMs = performance.now() - began
          }),
        )
        message.end(sql)
      })
    const began = performance.now()
    const asked = { send_progress_in_http_headers: '1', wait_end_of_query: '1', max_threads: '1' }
    const answer = await send(asked, slow)
    const tookMs = performance.now() - began
    expect([answer.text, answer.progress.length > 2]).toEqual(['0\n', true])
    expect(answer.earlyMs).toBeLessThan(tookMs * 0.7)
    const rows = answer.progress.map(line => Number(JSON.parse(line).read_rows))
    expect(rows).toEqual(rows.toSorted((a, b) => a - b))
    expect(rows.at(-1)).toBeGreaterThan(1_000_000)
    expect(JSON.parse(answer.progress[0] ?? '').total_rows_to_read).toMatch(/^\d+$/)
    const failed = await send({ ...asked, max_execution_time: '1' }, slow.replace('40000000', '4000000000'))
    expect(failed.text).toContain('TIMEOUT_EXCEEDED')
    expect(await send({}, 'SELECT 2')).toMatchObject({ progress: [], text: '2\n', reused: true })
    agent.destroy()
  })
})

describe('external tables', () => {
  const send = (fields: Record<string, string>, files: Record<string, string>, sql: string) => {
    const form = new FormData()
    for (const [name, value] of Object.entries(fields)) form.set(name, value)
    for (const [name, text] of Object.entries(files)) form.set(name, new Blob([text]), name)
    return fetch(`${url}/?${new URLSearchParams({ database, query: sql })}`, { method: 'POST', body: form })
  }
  test('by structure and format, by types, two at once, in a session, and gone afterwards', async () => {
    const one = { ext_structure: 'a UInt8, s String', ext_format: 'CSV' }
    const first = await send(one, { ext: '1,"x"\n2,"y"\n' }, 'SELECT * FROM ext ORDER BY a')
    expect(await first.text()).toBe('1\tx\n2\ty\n')
    const two = { ...one, more_types: 'UInt8,String' }
    const join = 'SELECT ext.s, more._2 FROM ext JOIN more ON ext.a = more._1'
    expect(await (await send(two, { ext: '1,"x"\n', more: '1\tm\n' }, join)).text()).toBe('x\tm\n')
    expect(await ask('SELECT * FROM ext')).toContain('UNKNOWN_TABLE')
    const session_id = randomUUID()
    await run('SET max_block_size = 1234', { session_id })
    const kept = await send(
      { ...one, session_id },
      { ext: '3,"z"\n' },
      "SELECT a, getSetting('max_block_size') FROM ext",
    )
    expect(await kept.text()).toBe('3\t1234\n')
    expect(await ask('SELECT * FROM ext', { session_id })).toContain('UNKNOWN_TABLE')
  })
  test('without a structure, or with rows that do not fit, an error', async () => {
    expect((await send({}, { ext: '1' }, 'SELECT 1')).ok).toBe(false)
    expect((await send({ ext_structure: 'a UInt8' }, { ext: 'x\n' }, 'SELECT * FROM ext')).ok).toBe(false)
  })
})

describe('errors', () => {
  test.each([
    ['SELECT * FROM nope', 404, 60, 'UNKNOWN_TABLE'],
    ['SELECT * FROM nope.nope', 404, 81, 'UNKNOWN_DATABASE'],
    ['SELECT nope', 404, 47, 'UNKNOWN_IDENTIFIER'],
    ['SELECT nope(1)', 404, 46, 'UNKNOWN_FUNCTION'],
    ['SELEKT 1', 400, 62, 'SYNTAX_ERROR'],
    ['SELECT 1 FORMAT Nope', 404, 73, 'UNKNOWN_FORMAT'],
    ["SELECT CAST('x' AS UInt8)", 400, 6, 'CANNOT_PARSE_TEXT'],
    ['SELECT throwIf(1)', 500, 395, 'FUNCTION_THROW_IF_VALUE_IS_NON_ZERO'],
    ['SELECT 1 SETTINGS nosuch = 1', 404, 115, 'UNKNOWN_SETTING'],
    // An error of the format itself, once the answer has been opened: the local engine opened it again and hung.
    ['SELECT sumState(1) FORMAT Parquet', 404, 50, 'UNKNOWN_TYPE'],
  ])('%s → %i, code %i', async (sql, status, code, type) => {
    const answer = await http({}, { body: sql })
    const text = await answer.text()
    expect([answer.status, answer.headers.get('x-clickhouse-exception-code')]).toEqual([status, String(code)])
    expect(text).toMatch(new RegExp(`^Code: ${code}\\. DB::Exception: [\\s\\S]+\\(${type}\\) \\(version [^)]+`))
    expect(text.match(/DB::Exception/g)).toHaveLength(1)
  })
  test('an unknown database of the request', async () => {
    expect((await http({ database: 'nope' }, { body: 'SELECT 1' })).status).toBe(404)
  })
  test.each([
    ['Basic', {}, { Authorization: `Basic ${Buffer.from('nobody:').toString('base64')}` }],
    ['headers', {}, { 'X-ClickHouse-User': 'nobody', 'X-ClickHouse-Key': 'x' }],
    ['URL', { user: 'nobody', password: 'x' }, {}],
    ['a wrong password', { user: 'default', password: 'wrong' }, {}],
  ])('sign-in refused: %s', async (_, parameters, headers) => {
    const answer = await http(parameters as Record<string, string>, {
      body: 'SELECT 1',
      headers: headers as Record<string, string>,
    })
    expect([answer.status, answer.headers.get('x-clickhouse-exception-code')]).toEqual([403, '516'])
  })
})

describe('at the same time', () => {
  test('a slow query does not hold up a small one', async () => {
    const slow = ask('SELECT sleep(2)')
    const heavy = ask('SELECT (SELECT count() FROM numbers(100000000) WHERE sipHash64(number) = 1)')
    await sleep(100)
    const started = performance.now()
    expect(await ask('SELECT 1')).toBe('1\n')
    expect(performance.now() - started).toBeLessThan(1000)
    await Promise.all([slow, heavy])
  })
  test('60 queries at once, each with its own answer', async () => {
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        ask('SELECT {n:UInt32} + sum(number) FROM numbers(10000)', { param_n: String(i) }),
      ),
    )
    expect(answers).toEqual(Array.from({ length: 60 }, (_, i) => `${49995000 + i}\n`))
  })
  test('inserts and reads at once', async () => {
    await run('CREATE TABLE together (a UInt64) ENGINE = MergeTree ORDER BY a')
    await Promise.all(
      Array.from({ length: 10 }, (_, i) => [
        run(`INSERT INTO together SELECT number + ${i * 1000} FROM numbers(1000)`),
        ask('SELECT count() FROM together'),
      ]).flat(),
    )
    expect(await ask('SELECT count(), uniqExact(a) FROM together')).toBe('10000\t10000\n')
  })
  const running = (mark: string) =>
    ask(`SELECT count() FROM system.processes WHERE query LIKE '%${mark}%' AND query NOT LIKE '%system.processes%'`)
  const gone = async (mark: string) => {
    for (let i = 0; i < 30 && (await running(mark)) !== '0\n'; i++) await sleep(100)
    return running(mark)
  }
  test('a client that goes away cancels its query', async () => {
    for (const sql of [
      'SELECT count() FROM numbers(20000000000) WHERE sipHash64(number) = 1',
      'SELECT number FROM numbers(20000000000)',
    ]) {
      const mark = `gone_${randomUUID()}`
      const controller = new AbortController()
      const asked = fetch(
        `${url}/?${new URLSearchParams({ database, cancel_http_readonly_queries_on_client_close: '1', max_execution_time: '20' })}`,
        {
          method: 'POST',
          body: `SELECT '${mark}', * FROM (${sql})`,
          signal: controller.signal,
        },
      )
      await sleep(500)
      expect(await running(mark)).toBe('1\n')
      controller.abort()
      await asked.then(answer => answer.text()).catch(() => undefined)
      expect(await gone(mark)).toBe('0\n')
    }
  })
  test('KILL QUERY ASYNC', async () => {
    const mark = `kill_${randomUUID()}`
    const slow = http(
      { max_execution_time: '20' },
      { body: `SELECT '${mark}', count() FROM numbers(20000000000) WHERE sipHash64(number) = 1` },
    )
    await sleep(500)
    await run(`KILL QUERY WHERE query LIKE '%${mark}%' AND query NOT LIKE 'KILL%' ASYNC`)
    const answer = await slow
    expect([answer.ok, answer.headers.get('x-clickhouse-exception-code')]).toEqual([false, '394'])
    expect(await gone(mark)).toBe('0\n')
  })
})

describe('query_id', () => {
  const endless = 'SELECT count() FROM numbers(20000000000) WHERE sipHash64(number) = 1'
  test.each(['ASYNC', 'SYNC', ''])('KILL QUERY by it, %s', async mode => {
    const query_id = `it's (ộ* ${randomUUID()}`
    const slow = http({ query_id, max_execution_time: '20' }, { body: endless })
    await sleep(500)
    await run(`KILL QUERY WHERE query_id = '${query_id.replaceAll("'", "\\'")}' ${mode}`)
    expect((await slow).headers.get('x-clickhouse-exception-code')).toBe('394')
  })
  const looks = [
    'SELECT query_id, query FROM system.processes WHERE query LIKE {like:String} FORMAT JSONCompactEachRow',
    'SELECT p.query_id, p.query FROM `system`.processes AS p WHERE p.query LIKE {like:String} SETTINGS max_threads = 1 FORMAT JSONCompactEachRow',
    'SELECT processes.initial_query_id, query FROM numbers(1) AS n JOIN system.processes ON 1 = 1 WHERE query LIKE {like:String} FORMAT JSONCompactEachRow',
    'SELECT * FROM (SELECT query_id, query FROM system.processes) WHERE query LIKE {like:String} FORMAT JSONCompactEachRow',
  ]
  test.each(looks)('system.processes shows it, and the text as it was sent: %s', async look => {
    const mark = randomUUID()
    const query_id = `it's (ộ* ${mark}`
    const text = `${endless} AND '${mark}' != '' FORMAT JSONEachRow`
    const slow = http({ query_id, max_execution_time: '20' }, { body: text })
    await sleep(500)
    expect(JSON.parse(await ask(look, { param_like: `SELECT count()%${mark}%` }))).toEqual([query_id, text])
    await run(`KILL QUERY WHERE query_id = '${query_id.replaceAll("'", "\\'")}'`)
    await (await slow).text()
  })
  test('one id, one query at a time', async () => {
    const query_id = randomUUID()
    const first = http({ query_id }, { body: 'SELECT sleep(1)' })
    await sleep(300)
    expect((await http({ query_id }, { body: 'SELECT 1' })).headers.get('x-clickhouse-exception-code')).toBe('216')
    expect(await (await first).text()).toBe('0\n')
    expect(await ask('SELECT 1', { query_id })).toBe('1\n')
  })
})

const bait = mkdtempSync(join(tmpdir(), 'motcua-bait-'))
afterAll(() => rmSync(bait, { recursive: true, force: true }))
let asked = 0
const listener = createServer((_, response) => {
  asked++
  response.end('1\n')
})
const out = join(bait, 'out')

/** Texts an analyst must be refused. `${out}` is a file nothing may write, `${web}` an address nothing may ask. */
const hostile = (web: string): string[] => [
  // writing files
  `SELECT 1 INTO OUTFILE '${out}'`,
  `SELECT 1 INTO/**/OUTFILE '${out}' FORMAT CSV`,
  `SELECT 1 -- x\nInTo\tOutFile '${out}' TRUNCATE`,
  `SHOW TABLES INTO OUTFILE '${out}'`,
  `DESCRIBE t INTO OUTFILE '${out}'`,
  `EXPLAIN SELECT 1 INTO OUTFILE '${out}'`,
  `(SELECT 1) INTO OUTFILE '${out}'`,
  `INSERT INTO FUNCTION file('${out}', 'CSV', 'a Int8') SELECT 1`,
  `INSERT INTO TABLE FUNCTION file('${out}', 'CSV', 'a Int8') VALUES (1)`,
  `BACKUP TABLE t TO File('${out}')`,
  `RESTORE TABLE t FROM File('${out}')`,
  // several statements
  `SELECT 1; SELECT 1 INTO OUTFILE '${out}'`,
  'SELECT 1; DROP TABLE t',
  "SELECT ';' ; INSERT INTO t VALUES (1, 'x')",
  'SELECT $$;$$; DROP TABLE t',
  "SELECT 'a\\';'; DROP TABLE t --'",
  'SELECT 1 /* /* */ */; DROP TABLE t',
  'SELECT 1 # ;\n; DROP TABLE t',
  'SELECT ‘;’; DROP TABLE t',
  // reading files and other machines
  `SELECT * FROM file('/etc/hostname', 'LineAsString')`,
  `SELECT * FROM FILE('/etc/hostname', 'LineAsString')`,
  "SELECT * FROM `file`('/etc/hostname', 'LineAsString')",
  "SELECT * FROM \"file\"('/etc/hostname', 'LineAsString')",
  "SELECT * FROM `f\\x69le`('/etc/hostname', 'LineAsString')",
  "SELECT * FROM “file”('/etc/hostname', 'LineAsString')",
  "SELECT * FROM file /* c */ -- d\n ('/etc/hostname', 'LineAsString')",
  "SELECT * FROM\u00A0file\u00A0('/etc/hostname', 'LineAsString')",
  "SELECT * FROM view(SELECT * FROM file('/etc/hostname', 'LineAsString'))",
  "WITH x AS (SELECT * FROM file('/etc/hostname', 'LineAsString')) SELECT * FROM x",
  "SELECT (SELECT count() FROM file('/etc/hostname', 'LineAsString'))",
  "SELECT 1 WHERE 'a' IN (SELECT * FROM file('/etc/hostname', 'LineAsString'))",
  "SELECT 1 IN file('/etc/hostname', 'LineAsString')",
  "SELECT * FROM t AS a JOIN file('/etc/hostname', 'LineAsString') AS b ON 1 = 1",
  "DESCRIBE TABLE file('/etc/hostname', 'LineAsString')",
  "DESC file('/etc/hostname', 'LineAsString')",
  "EXPLAIN SELECT * FROM file('/etc/hostname', 'LineAsString')",
  "SELECT * FROM eval('SELECT file(''/etc/hostname'')')",
  "SELECT file('/etc/hostname')",
  "SELECT length(`file`('/etc/hostname'))",
  "SELECT * FROM '/etc/hostname'",
  'SELECT * FROM `/etc/hostname`',
  'SELECT * FROM default.`/etc/hostname`',
  `SELECT * FROM url('${web}', 'CSV', 'a UInt8')`,
  `SELECT * FROM uRl('${web}', CSV, 'a UInt8')`,
  `SELECT * FROM urlCluster('default', '${web}', 'CSV', 'a UInt8')`,
  `SELECT * FROM s3('${web}/b/k', 'CSV')`,
  `SELECT * FROM gcs('${web}/b/k', 'CSV')`,
  `SELECT * FROM iceberg('${web}/b/k')`,
  `SELECT * FROM deltaLake('${web}/b/k')`,
  `SELECT * FROM hudi('${web}/b/k')`,
  `SELECT * FROM hdfs('hdfs://127.0.0.1:1/x', 'CSV', 'a UInt8')`,
  `SELECT * FROM azureBlobStorage('${web}', 'c', 'b', 'a', 'k', 'CSV', 'auto', 'a UInt8')`,
  "SELECT * FROM remote('127.0.0.1:1', system.one)",
  "SELECT * FROM remoteSecure('127.0.0.1:1', system.one)",
  "SELECT * FROM cluster('default', system.one)",
  "SELECT * FROM mysql('127.0.0.1:1', 'd', 't', 'u', 'p')",
  "SELECT * FROM postgresql('127.0.0.1:1', 'd', 't', 'u', 'p')",
  "SELECT * FROM mongodb('127.0.0.1:1', 'd', 't', 'u', 'p', 'a Int8')",
  "SELECT * FROM redis('127.0.0.1:1', 'k', 'k String')",
  "SELECT * FROM sqlite('/tmp/x.db', 't')",
  "SELECT * FROM odbc('DSN=x', 't')",
  "SELECT * FROM jdbc('DSN=x', 't')",
  "SELECT * FROM executable('id', 'CSV', 'a String')",
  "SELECT * FROM input('a Int8')",
  "SELECT 1 FORMAT Template SETTINGS format_template_row = '/etc/hostname'",
  // writes and rule changes
  "INSERT INTO t VALUES (1, 'hostile')",
  "INSERT INTO t SELECT 1, 'hostile'",
  "WITH 1 AS x INSERT INTO t SELECT x, 'hostile'",
  'CREATE TABLE hostile (a Int8) ENGINE = Memory',
  'CREATE TEMPORARY TABLE hostile (a Int8)',
  'CREATE VIEW hostile AS SELECT 1',
  'CREATE FUNCTION hostile AS x -> x',
  "CREATE DATABASE hostile ENGINE = Filesystem('/')",
  'DROP TABLE t',
  'TRUNCATE TABLE t',
  'ALTER TABLE t DELETE WHERE 1',
  'DELETE FROM t WHERE 1',
  "UPDATE t SET s = 'hostile' WHERE 1",
  'RENAME TABLE t TO hostile',
  'EXCHANGE TABLES t AND numbers_1k',
  'OPTIMIZE TABLE t',
  'DETACH TABLE t',
  'SYSTEM STOP MERGES',
  'SET readonly = 0',
  'SET allow_ddl = 1',
  'USE system',
  'SELECT 1 SETTINGS readonly = 0',
  'SELECT 1 SETTINGS allow_ddl = 1, readonly = 2',
  'SELECT 1 SETTINGS allow_introspection_functions = 1',
  'SELECT * FROM (SELECT 1 SETTINGS readonly = 0)',
  'EXPLAIN AST DROP TABLE t',
  "EXPLAIN INSERT INTO t VALUES (1, 'hostile')",
  'GRANT ALL ON *.* TO analyst',
  'SELECT addressToSymbol(1)',
]

const legitimate = [
  'SELECT 1',
  'SELECT count() FROM t',
  'SELECT n % 7 AS k, count() AS c, sum(n) FROM numbers_1k GROUP BY k HAVING c > 1 ORDER BY k LIMIT 3 FORMAT JSON',
  'WITH 10 AS x SELECT n + x FROM numbers_1k LIMIT 1',
  'WITH r AS (SELECT n FROM numbers_1k) SELECT max(n) FROM r',
  '(SELECT 1) UNION ALL (SELECT 2)',
  'FROM numbers_1k SELECT count()',
  'SELECT a.n FROM numbers_1k AS a JOIN numbers_1k AS b ON a.n = b.n LIMIT 1',
  'SELECT n, row_number() OVER (ORDER BY n) FROM numbers_1k LIMIT 2',
  'SELECT number FROM numbers(5)',
  "SELECT * FROM values('a Int8', 1, 2)",
  'SELECT * FROM view(SELECT 1)',
  "SELECT * FROM generateRandom('a Int8') LIMIT 1",
  "SELECT count() FROM merge(currentDatabase(), '^numbers_1k$')",
  'SHOW TABLES',
  'SHOW DATABASES',
  'SHOW CREATE TABLE t',
  'DESCRIBE TABLE t',
  'DESC (SELECT 1 AS a)',
  'EXISTS TABLE t',
  'EXPLAIN SELECT count() FROM t',
  'EXPLAIN indexes = 1 SELECT * FROM t WHERE a = 1',
  'EXPLAIN PIPELINE SELECT 1',
  'SELECT name, type, comment FROM system.columns WHERE database = currentDatabase()',
  'SELECT name FROM system.tables LIMIT 5',
  'SELECT name FROM system.databases',
  'SELECT name, value FROM system.settings LIMIT 5',
  'SELECT name FROM system.functions LIMIT 5',
  'SELECT \'INTO OUTFILE ; DROP TABLE t\', "n" AS `file` FROM numbers_1k LIMIT 1',
  "SELECT 1 /* file('x') */ -- ; DROP TABLE t",
  'SELECT version(), currentUser(), timezone();',
]

describe.skipIf(!(await canSignIn('analyst')))('analyst (skipped where this server has no such user)', () => {
  let web = ''
  const state = () =>
    ask(
      "SELECT (SELECT count() FROM t), (SELECT groupArray(name) FROM (SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY name)), (SELECT count() FROM system.databases WHERE name = 'hostile'), (SELECT count() FROM system.functions WHERE name = 'hostile')",
    )
  beforeAll(async () => {
    await new Promise<void>(resolve => listener.listen(0, '127.0.0.1', resolve))
    web = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`
  })
  afterAll(() => new Promise(resolve => listener.close(resolve)))

  test.each(hostile('{web}'))('refused: %s', async sql => {
    const before = await state()
    const answer = await http({ user: 'analyst', max_execution_time: '5' }, { body: sql.replace('{web}', web) })
    const text = await answer.text()
    expect(answer.ok, text).toBe(false)
    expect(text).toMatch(/^Code: \d+\./)
    expect([readdirSync(bait), asked, await state()]).toEqual([[], 0, before])
  })
  test.each(legitimate)('allowed: %s', async sql => {
    const answer = await http({ user: 'analyst' }, { body: sql })
    expect([await answer.text(), answer.status]).toEqual([expect.not.stringMatching(/^Code:/), 200])
  })
  test.each(['readonly', 'allow_ddl', 'allow_introspection_functions', 'format_schema', 'dialect'])(
    'setting %s in the URL: refused',
    async name => {
      expect((await http({ user: 'analyst', [name]: '0' }, { body: 'SELECT 1' })).ok).toBe(false)
    },
  )
  test('settings that shape an answer', async () => {
    const given = {
      user: 'analyst',
      output_format_json_quote_64bit_integers: '1',
      max_result_rows: '10',
      date_time_output_format: 'iso',
    }
    expect(await ask('SELECT toUInt64(1) AS a FORMAT JSONEachRow', given)).toBe('{"a":"1"}\n')
  })
  test('a SETTINGS clause, at the end and in a subquery, as readonly = 2 allows it', async () => {
    const user = 'analyst'
    expect(await ask('SELECT number FROM numbers(9) SETTINGS limit = 1, max_threads = 1', { user })).toBe('0\n')
    expect(await ask('SELECT number FROM numbers(9) SETTINGS limit = 1 FORMAT CSV', { user })).toBe('0\n')
    expect(await ask('SELECT number FROM numbers(9) FORMAT CSV SETTINGS limit = 1', { user })).toBe('0\n')
    expect(await ask('SELECT * FROM (SELECT 1 SETTINGS max_threads = 1)', { user })).toBe('1\n')
    const looked = 'SELECT name, value, readonly FROM system.settings LIMIT 10000'
    expect(await ask(looked, { user })).toMatch(/^max_threads\t\S+\t0$/m)
    for (const sql of ['SELECT 1 SETTINGS readonly = 0', 'SELECT * FROM (SELECT 1 SETTINGS readonly = 0)']) {
      expect((await http({ user }, { body: sql })).headers.get('x-clickhouse-exception-code'), sql).toBe('164')
    }
  })
  test('kills its own queries by their id, nobody else’s', async () => {
    const [mine, theirs] = [randomUUID(), randomUUID()]
    const endless = 'SELECT count() FROM numbers(20000000000) WHERE sipHash64(number) = 1'
    const own = http({ user: 'analyst', query_id: mine, max_execution_time: '20' }, { body: endless })
    const other = http({ query_id: theirs }, { body: 'SELECT sleep(2)' })
    await sleep(500)
    for (const id of [theirs, mine]) {
      await (await http({ user: 'analyst' }, { body: `KILL QUERY WHERE query_id = '${id}' ASYNC` })).text()
    }
    expect((await own).headers.get('x-clickhouse-exception-code')).toBe('394')
    expect(await (await other).text()).toBe('0\n')
  })
  test('external tables', async () => {
    const form = new FormData()
    form.set('ext_structure', 'a UInt8')
    form.set('ext', new Blob(['7\n']), 'ext')
    const query = 'SELECT a + 1 FROM ext'
    const address = `${url}/?${new URLSearchParams({ user: 'analyst', database, query })}`
    expect(await (await fetch(address, { method: 'POST', body: form })).text()).toBe('8\n')
  })
  test('a path as an Identifier parameter is no way round', async () => {
    expect(
      (
        await http(
          { user: 'analyst', database: 'default', param_t: '/etc/hostname' },
          { body: 'SELECT * FROM {t:Identifier}' },
        )
      ).ok,
    ).toBe(false)
  })
  test.each(['Template', `CSV INTO OUTFILE '${out}'`, 'CSV; DROP TABLE t', 'CSV SETTINGS readonly = 0'])(
    'default_format %s: refused',
    async default_format => {
      const answer = await http({ user: 'analyst', default_format }, { body: 'SELECT 1' })
      expect([answer.ok, readdirSync(bait)]).toEqual([false, []])
    },
  )
  test('through the client', async () => {
    const analyst = clientOf('analyst')
    const result = await analyst.query({
      query: 'SELECT {a:UInt8} AS a',
      query_params: { a: 5 },
      format: 'JSONEachRow',
    })
    expect(await result.json()).toEqual([{ a: 5 }])
    const { code } = await failure(
      analyst.insert({ table: 't', values: [{ a: 1, s: 'hostile' }], format: 'JSONEachRow' }),
    )
    expect(['164', '497']).toContain(code)
    await analyst.close()
  })
})

describe.skipIf(!(await canSignIn('ingest')))('ingest (skipped where this server has no such user)', () => {
  test('reads, inserts, kills', async () => {
    const ingest = clientOf('ingest')
    await ingest.insert({ table: 't', values: [{ a: 555, s: "file('x'); DROP TABLE t" }], format: 'JSONEachRow' })
    const result = await ingest.query({ query: 'SELECT s FROM t WHERE a = 555', format: 'JSONEachRow' })
    expect(await result.json()).toEqual([{ s: "file('x'); DROP TABLE t" }])
    await ingest.command({ query: "INSERT INTO t SELECT 556, 'x'" })
    await ingest.command({ query: "KILL QUERY WHERE query_id = 'nobody' ASYNC" })
    await ingest.close()
  })
  test.each([
    'CREATE TABLE by_ingest (a Int8) ENGINE = Memory',
    'DROP TABLE t',
    'TRUNCATE TABLE t',
    'ALTER TABLE t ADD COLUMN x Int8',
    'SYSTEM STOP MERGES',
    `INSERT INTO FUNCTION file('${out}', 'CSV', 'a Int8') SELECT 1`,
    "SELECT file('/etc/hostname')",
  ])('refused: %s', async sql => {
    const answer = await http({ user: 'ingest' }, { body: sql })
    expect(await answer.text()).toMatch(/^Code: \d+\./)
    expect([answer.ok, readdirSync(bait)]).toEqual([false, []])
  })
  test.each([
    ['Basic', {}, { Authorization: `Basic ${Buffer.from('ingest:').toString('base64')}` }],
    ['headers', {}, { 'X-ClickHouse-User': 'ingest', 'X-ClickHouse-Key': '' }],
    ['URL', { user: 'ingest', password: '' }, {}],
  ])('signs in by %s', async (_, parameters, headers) => {
    const answer = await http(parameters as Record<string, string>, {
      body: 'DROP TABLE t',
      headers: headers as Record<string, string>,
    })
    expect(await answer.text()).toContain('497')
  })
})
