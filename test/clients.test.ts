/**
 * Clients of others connect as to any ClickHouse, unmodified: clickhouse-connect (Python), the JDBC driver (DBeaver, Grafana's
 * Java relatives), curl. What they ask is in test/clients/, every example of docs/sql.md among it. The programs that the
 * portal's page /connect shows run as they stand. Fetched from PyPI and Maven Central once.
 */
import { execFile, execFileSync } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { findJava, findMaven } from '../infra/local/java.ts'
import { addressOf, type ToolId, toolsOf } from '../services/portal/connect.ts'
import { WORDS } from '../services/portal/words.ts'

const run = promisify(execFile)
const url = inject('clickhouseUrl') ?? process.env.CLICKHOUSE_URL ?? ''
const database = `clients_${randomUUID().slice(0, 8)}`
const fixture = (name: string) => join(import.meta.dirname, 'clients', name)
const guide = join(import.meta.dirname, '../docs/sql.md')
const examples = readFileSync(guide, 'utf8').match(/^```sql$/gm)?.length
const cache = (name: string, file: string) =>
  join(
    import.meta.dirname,
    '../node_modules/.cache/motcua',
    `${name}-${createHash('sha256')
      .update(readFileSync(fixture(file)))
      .digest('hex')
      .slice(0, 12)}`,
  )
const succeeds = (command: string, ...args: string[]) => {
  try {
    execFileSync(command, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
const ask = async (sql: string) => {
  const answer = await fetch(url, { method: 'POST', body: sql })
  if (!answer.ok) throw new Error(await answer.text())
}
beforeAll(() => ask(`CREATE DATABASE ${database}`))
afterAll(() => ask(`DROP DATABASE ${database}`))

/** Runs a program of the page /connect from a file of its own. */
async function runShown(id: ToolId, file: string, command: string, ...args: string[]): Promise<void> {
  const text = toolsOf(addressOf({ CLICKHOUSE_URL: url }), WORDS.en.connect).find(tool => tool.id === id)?.texts[0]
    ?.text
  const folder = await mkdtemp(join(tmpdir(), 'motcua-connect-'))
  try {
    await writeFile(join(folder, file), text ?? '')
    await run(command, [...args, join(folder, file)])
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** A million rows are 24 to 60 MB on their way; the engine's caches and a query's own blocks need room too. */
const GROWTH_MB_MAX = 200

/** The local ClickHouse's resident memory in MB; undefined where it is none of this machine's. */
function resident(): number | undefined {
  const status = join(inject('stack')?.home ?? '', 'clickhouse/engine/status')
  const pid = existsSync(status) ? /^PID: (\d+)/m.exec(readFileSync(status, 'utf8'))?.[1] : undefined
  if (pid === undefined || !existsSync(`/proc/${pid}/status`)) return undefined
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024)
}

/** Runs `work`, and tells by how many MB the local ClickHouse grew meanwhile at most. */
async function growth<T>(work: () => Promise<T>): Promise<{ result: T; grownMb: number | undefined }> {
  const before = resident()
  let most = before ?? 0
  const timer = setInterval(() => {
    most = Math.max(most, resident() ?? 0)
  }, 50)
  try {
    const result = await work()
    return { result, grownMb: before === undefined ? undefined : most - before }
  } finally {
    clearInterval(timer)
  }
}

/** Fetched aside and renamed by its marker: a folder without it is not whole. */
async function fetched(folder: string, fetch: () => Promise<unknown>): Promise<void> {
  if (existsSync(join(folder, 'ready'))) return
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  await fetch()
  await writeFile(join(folder, 'ready'), '')
}

const hasPython = succeeds('python3', '-c', 'import venv, ensurepip')
describe.skipIf(!hasPython)('clickhouse-connect (skipped without python3 and its venv)', () => {
  const venv = cache('clickhouse-connect', 'requirements.txt')
  beforeAll(
    () =>
      fetched(venv, async () => {
        await run('python3', ['-m', 'venv', venv])
        const pip = ['install', '--quiet', '--disable-pip-version-check', '-r', fixture('requirements.txt')]
        await run(`${venv}/bin/pip`, pip)
      }),
    180_000,
  )
  test('types, settings, inserts in every compression, external data, errors, docs/sql.md, a million rows', async () => {
    const { result, grownMb } = await growth(() =>
      run(`${venv}/bin/python`, [fixture('python.py'), url, database, guide]),
    )
    const lines = result.stdout.trim().split('\n')
    const found = Object.fromEntries(lines.map(line => JSON.parse(line)).map(({ name, value }) => [name, value]))
    expect(found).toEqual({
      types: [
        ['2025-07-01', '2025-07-01 01:02:03.456000', '1.25', 'None', '[1, 2]', 'lc', '18446744073709551615'],
        [
          ...['Date', "DateTime64(3, 'UTC')", 'Decimal(18, 2)', 'Nullable(Int32)', 'Array(UInt8)'],
          ...['LowCardinality(String)', 'UInt64'],
        ],
      ],
      parameters: [["it's \\ ?", 5]],
      settings: 2,
      clause: 3,
      'compress lz4': 30_000,
      'compress zstd': 60_000,
      'compress gzip': 90_000,
      'compress False': 120_000,
      external: [
        ['a', 1],
        ['b', 2],
      ],
      error: expect.stringContaining('UNKNOWN_IDENTIFIER'),
      refused: expect.stringMatching(/Not enough privileges|readonly/),
      'broken off': expect.stringContaining('FUNCTION_THROW_IF_VALUE_IS_NON_ZERO'),
      examples,
      'failed examples': [],
      million: [1_000_000, 499_999_500_000],
    })
    expect(grownMb ?? 0).toBeLessThan(GROWTH_MB_MAX)
  })
  test('the program that the page /connect shows', async () => {
    // A line per province, none where nothing counts yet; a query that fails ends it with an error.
    await runShown('python', 'rates.py', `${venv}/bin/python`)
  })
})

const { java } = await findJava(process.env)
const hasCompiler = java !== undefined && succeeds(java.command, '--describe-module', 'jdk.compiler')
const hasMaven = (await findMaven(process.env)) !== undefined
describe.skipIf(!hasCompiler || !hasMaven)('JDBC driver (skipped without a Java with its compiler, or Maven)', () => {
  const jars = cache('clickhouse-jdbc', 'pom.xml')
  beforeAll(
    () =>
      fetched(jars, async () => {
        await copyFile(fixture('pom.xml'), join(jars, 'pom.xml'))
        const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${jars}`]
        await run('mvn', ['-q', '-B', ...goal], { cwd: jars })
      }),
    180_000,
  )
  test('metadata, types, inserts, errors, cancel, docs/sql.md, a million rows, in LZ4 blocks', async () => {
    const arguments_ = ['-Xmx256m', '-cp', join(jars, '*'), fixture('Jdbc.java'), url, database, guide]
    const { result, grownMb } = await growth(() => run(java?.command ?? 'java', arguments_))
    const found = Object.fromEntries(
      result.stdout
        .trimEnd()
        .split('\n')
        .map(line => line.split('\t')),
    )
    expect(found).toEqual({
      create: '0',
      inserted: '1000 499500 500',
      'inserted in blocks': '2000 1000',
      tables: '[java_rows]',
      columns: '[UInt64, String, Nullable(Date)]',
      schemas: 'true',
      prepared: "it's \\ ? 42",
      types: '2025-07-01 2025-07-01 01:02:03.456 1.25 null [1, 2, 3] lc',
      clause: '0 1',
      refused: expect.stringMatching(/^SQLException: Code: (?:164|497)\./),
      error: expect.stringMatching(/^SQLException: Code: 47\..*UNKNOWN_IDENTIFIER/),
      'broken off': expect.stringMatching(/^SQLException: /),
      cancelled: expect.stringMatching(/^SQLException: Code: 394\./),
      examples: String(examples),
      'failed examples': '[]',
      million: '1000000 499999500000',
    })
    expect(grownMb ?? 0).toBeLessThan(GROWTH_MB_MAX)
  })
  test('the program that the page /connect shows', async () => {
    await runShown('java', 'Rates.java', java?.command ?? 'java', '-Xmx256m', '-cp', join(jars, '*'))
  })
})

describe.skipIf(!succeeds('curl', '--version'))('curl (skipped without it)', () => {
  const curl = async (...args: string[]) => (await run('curl', ['-sS', ...args], { encoding: 'latin1' })).stdout
  test('GET, POST, sign-in, compression, a file of a result', async () => {
    expect(await curl(url)).toBe('Ok.\n')
    expect(await curl(`${url}/?query=SELECT%201`)).toBe('1\n')
    expect(await curl('-u', 'analyst:', url, '-d', 'SELECT 2')).toBe('2\n')
    expect(await curl('--compressed', `${url}/?enable_http_compression=1`, '-d', 'SELECT 3')).toBe('3\n')
    expect(await curl(`${url}/?user=analyst`, '-d', 'SELECT number FROM numbers(9) FORMAT Parquet')).toMatch(
      /^PAR1.*PAR1$/s,
    )
    expect(await curl(`${url}/?user=analyst`, '-d', 'SELECT number FROM numbers(9) FORMAT Arrow')).toMatch(/^ARROW1/)
  })
  test('one connection for several questions, an error between them', async () => {
    const asked = ['-w', '%{num_connects} %{http_code}\n', '--data-binary']
    const next = ['--next', '-sS', ...asked]
    const output = await curl(...asked, 'SELECT 1', url, ...next, 'SELECT nope', url, ...next, 'SELECT 2', url)
    expect(output.split('\n').filter(line => /^\d \d{3}$/.test(line))).toEqual(['1 200', '0 404', '0 200'])
  })
})
