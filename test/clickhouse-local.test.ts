/**
 * The local ClickHouse as a process: what was acknowledged outlives SIGTERM and SIGKILL, one process has a data directory,
 * and nothing of it stays behind.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

vi.setConfig({ testTimeout: 60_000 })

const main = join(import.meta.dirname, '..', 'infra', 'local', 'clickhouse', 'main.ts')
const children: ChildProcess[] = []
let data = ''

type Started = { url: string; child: ChildProcess; errors: () => string }

function launch(port: number, directory = data): { child: ChildProcess; errors: () => string } {
  const child = spawn(process.execPath, [main, '--data', directory, '--port', String(port)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  let text = ''
  child.stderr?.on('data', part => {
    text += part
  })
  return { child, errors: () => text }
}

async function start(port = 0): Promise<Started> {
  const { child, errors } = launch(port)
  const lines = createInterface({ input: child.stdout ?? process.stdin })
  const [line] = await Promise.race([
    once(lines, 'line') as Promise<string[]>,
    once(child, 'exit').then(() => Promise.reject(new Error(errors()))),
  ])
  const url = /^ClickHouse is ready at (http:\S+)$/.exec(line ?? '')?.[1]
  if (!url) throw new Error(`unexpected first line: ${line}`)
  return { url, child, errors }
}

async function stop({ child }: Started, signal: NodeJS.Signals): Promise<number | null> {
  const exit = once(child, 'exit') as Promise<[number | null]>
  child.kill(signal)
  return (await exit)[0]
}

const ask = async (url: string, sql: string) => (await fetch(url, { method: 'POST', body: sql })).text()
/** What is in the spool besides the pipes. */
const leftovers = () => readdirSync(join(data, 'spool')).filter(name => !/^answer-\d+$/.test(name))

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'motcua-clickhouse-'))
})

afterEach(() => {
  for (const child of children.splice(0)) if (child.exitCode === null) child.kill('SIGKILL')
  rmSync(data, { recursive: true, force: true, maxRetries: 5 })
})

test.each(['SIGTERM', 'SIGINT', 'SIGKILL'] as const)(
  '%s, start again: tables, rows, views, projections, dictionaries are there',
  async signal => {
    const first = await start()
    for (const sql of [
      'CREATE DATABASE keep',
      'CREATE TABLE keep.t (a UInt64, PROJECTION p (SELECT sum(a))) ENGINE = MergeTree ORDER BY a',
      'CREATE TABLE keep.sums (n UInt64) ENGINE = MergeTree ORDER BY n',
      'CREATE MATERIALIZED VIEW keep.v TO keep.sums AS SELECT sum(a) AS n FROM keep.t',
      "CREATE DICTIONARY keep.d (a UInt64, n UInt64) PRIMARY KEY a SOURCE(CLICKHOUSE(QUERY 'SELECT a, a * 2 AS n FROM keep.t')) LAYOUT(FLAT()) LIFETIME(0)",
      'CREATE TABLE default.plain (a UInt8) ENGINE = MergeTree ORDER BY a',
      'INSERT INTO keep.t SELECT number FROM numbers(1000)',
      'INSERT INTO default.plain VALUES (7)',
      'INSERT INTO keep.t FORMAT TSV\n1000\n',
    ]) {
      expect(await ask(first.url, sql)).toBe('')
    }
    expect(await stop(first, signal)).toBe(signal === 'SIGKILL' ? null : 0)
    const second = await start()
    await ask(second.url, 'INSERT INTO keep.t VALUES (5000)')
    expect(await ask(second.url, "SELECT count(), sum(a), dictGet('keep.d', 'n', 21::UInt64) FROM keep.t")).toBe(
      '1002\t505500\t42\n',
    )
    expect(await ask(second.url, 'SELECT sum(n) FROM keep.sums')).toBe('505500\n')
    expect(await ask(second.url, 'SELECT a FROM default.plain')).toBe('7\n')
    expect(leftovers()).toEqual([])
    expect(await stop(second, 'SIGTERM')).toBe(0)
    expect(existsSync(join(data, 'spool'))).toBe(false)
  },
)

test('rows of a killed upload are removed at the next start', async () => {
  await stop(await start(), 'SIGKILL')
  writeFileSync(join(data, 'spool', 'rows-left'), 'x')
  const next = await start()
  expect(leftovers()).toEqual([])
  await stop(next, 'SIGTERM')
})

test('a running query may end before the process does; none is begun after', async () => {
  const server = await start()
  const slow = ask(server.url, 'SELECT sleep(2)')
  await sleep(300)
  const stopped = stop(server, 'SIGTERM')
  await sleep(300)
  await expect(ask(server.url, 'SELECT 1')).rejects.toThrow()
  expect(await slow).toBe('0\n')
  expect(await stopped).toBe(0)
})

test('a query that does not end is killed after the limit', async () => {
  const server = await start()
  const endless = ask(
    server.url,
    'SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 1 SETTINGS max_execution_time = 40',
  )
  endless.catch(() => undefined)
  await sleep(500)
  const began = performance.now()
  expect(await stop(server, 'SIGTERM')).toBe(0)
  expect(performance.now() - began).toBeLessThan(20_000)
})

test('a second process on the same data is refused, and disturbs nothing', async () => {
  const first = await start()
  const { child, errors } = launch(0)
  expect((await once(child, 'exit'))[0]).toBe(1)
  expect(errors()).toMatch(new RegExp(`clickhouse: the data directory \\S+ is in use by process ${first.child.pid}`))
  expect(await ask(first.url, 'SELECT 1')).toBe('1\n')
  await stop(first, 'SIGTERM')
})

test('a port in use is an error that names CLICKHOUSE_PORT', async () => {
  const first = await start()
  const other = mkdtempSync(join(tmpdir(), 'motcua-clickhouse-'))
  const { child, errors } = launch(Number(new URL(first.url).port), other)
  expect((await once(child, 'exit'))[0]).toBe(1)
  expect(errors()).toContain('CLICKHOUSE_PORT')
  rmSync(other, { recursive: true, force: true })
  await stop(first, 'SIGTERM')
})

test('a browser gets a page at / and /play, a program Ok.', async () => {
  const server = await start()
  const get = (path: string, accept: string) => fetch(`${server.url}${path}`, { headers: { Accept: accept } })
  expect(await (await get('/', '*/*')).text()).toBe('Ok.\n')
  const home = await (await get('/', 'text/html,application/xhtml+xml')).text()
  expect(home).toContain(`curl '${server.url}/?user=analyst'`)
  expect(home).toContain('href="/play"')
  const play = await get('/play', 'text/html')
  expect(play.headers.get('content-security-policy')).toContain("script-src 'self'")
  const page = await play.text()
  for (const [, path = ''] of page.matchAll(/(?:src|href)="([^"]+)"/g)) {
    expect((await get(path, '*/*')).status, path).toBe(200)
  }
  expect(page).not.toMatch(/ on\w+=|<script>|https?:/)
  await stop(server, 'SIGTERM')
})

test('memory stays bounded while 10 million rows stream, and a page of another site is refused', async () => {
  const server = await start()
  const answer = await fetch(server.url, {
    method: 'POST',
    body: 'SELECT number, toString(number) AS s FROM numbers(10000000) FORMAT JSONEachRow',
  })
  let bytes = 0
  for await (const chunk of answer.body ?? []) bytes += chunk.length
  expect(bytes).toBe(327_777_780)
  if (process.platform === 'linux') {
    const { readFileSync } = await import('node:fs')
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))?.[1]
    expect(Number(peak)).toBeLessThan(800_000)
  }
  const foreign = await fetch(server.url, {
    method: 'POST',
    body: 'SELECT 1',
    headers: { Origin: 'http://evil.example' },
  })
  expect(foreign.status).toBe(403)
  await stop(server, 'SIGTERM')
})
