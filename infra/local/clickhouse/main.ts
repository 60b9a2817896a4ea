/**
 * ClickHouse's HTTP interface over chDB, as a process of its own: node infra/local/clickhouse/main.ts --data DIR
 * Prints one line when ready. SIGTERM or SIGINT: running queries end within 10 s, the data are left in order, exit 0.
 */
import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { pino } from 'pino'
import type { Format } from './answer.ts'
import { DataDirError, type Engine, openEngine } from './engine.ts'
import { createGuard } from './guard.ts'
import { engineConfig } from './limits.ts'
import { createPipes } from './select.ts'
import { createHttpServer } from './server.ts'
import { createSessions } from './sessions.ts'
import { createSlots } from './slots.ts'

const QUERIES_MAX = 24
const QUEUE_MAX = 200
const QUEUE_WAIT_MS_MAX = 30_000
const DRAIN_MS_MAX = 10_000
/** A running query keeps a libuv thread; files, compression and kills need some too. */
const THREADS = String(QUERIES_MAX + 8)

const options = new Command('clickhouse')
  .requiredOption('--data <dir>', 'data directory', path => resolve(path))
  .option('--host <address>', 'address to listen on', '127.0.0.1')
  .option('--port <number>', 'port to listen on', readPort, 8123)
  .parse()
  .opts<{ data: string; host: string; port: number }>()

// libuv reads its number of threads once, before this line runs: so this process begins again, under the same id.
// The engine's time zone is that of the process.
if (process.env.UV_THREADPOOL_SIZE !== THREADS && process.execve) {
  const env = { ...process.env, UV_THREADPOOL_SIZE: THREADS, TZ: 'UTC' }
  process.execve(process.execPath, [process.execPath, ...process.execArgv, ...process.argv.slice(1)], env)
}

const log = pino(
  { name: 'clickhouse', level: process.env.LOG_LEVEL ?? 'info' },
  pino.destination({ dest: 2, sync: true }),
)

try {
  await main()
} catch (error) {
  console.error(`clickhouse: ${explain(error)}`)
  process.exit(1)
}

async function main(): Promise<void> {
  const paths = prepare(options.data)
  writeFileSync(paths.config, engineConfig())
  // The engine locks the data directory: what lies in the spool from here on is a leftover of a process that was killed.
  const engine = openEngine(paths.engine, paths.config)
  rmSync(paths.spool, { recursive: true, force: true })
  mkdirSync(paths.spool, { mode: 0o700 })
  const sessions = createSessions(engine, paths.spool)
  const { http, drain } = createHttpServer(
    {
      engine,
      sessions,
      guard: createGuard((await engine.list('SELECT name FROM system.table_functions')).flat()),
      slots: createSlots(await createPipes(paths.spool, QUERIES_MAX), QUEUE_MAX, QUEUE_WAIT_MS_MAX),
      formats: await listFormats(engine),
      about: { ...(await aboutEngine(engine)), displayName: hostname() },
      spoolDir: paths.spool,
      running: new Map(),
    },
    log,
  )
  http.listen(options.port, options.host)
  await once(http, 'listening')
  const address = http.address()
  const port = typeof address === 'object' ? address?.port : options.port
  console.log(
    `ClickHouse is ready at http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`,
  )

  let stopping = false
  const stop = async () => {
    if (stopping) return
    stopping = true
    const ended = await drain(DRAIN_MS_MAX)
    rmSync(paths.spool, { recursive: true, force: true })
    if (!ended) {
      // The engine's own shutdown would wait for them for ever. Whatever was acknowledged is on disk.
      log.error('queries did not end even when killed: leaving without closing the engine')
      process.kill(process.pid, 'SIGKILL')
    }
    await sessions.close()
    engine.close()
    process.exit(0)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop)
}

function prepare(data: string) {
  mkdirSync(data, { recursive: true })
  return {
    engine: join(data, 'engine'),
    spool: join(data, 'spool'),
    config: join(data, 'engine.xml'),
  }
}

async function listFormats(engine: Engine): Promise<Map<string, Format>> {
  const rows = await engine.list("SELECT name, ifNull(content_type, '') FROM system.formats")
  return new Map(
    rows.map(([name = '', contentType]) => [
      name.toLowerCase(),
      { name, contentType: contentType || 'text/plain; charset=UTF-8' },
    ]),
  )
}

async function aboutEngine(engine: Engine): Promise<{ version: string; timezone: string }> {
  const [row] = await engine.list('SELECT version(), timezone()')
  return { version: row?.[0] ?? '', timezone: row?.[1] ?? '' }
}

function readPort(text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port >= 0 && port <= 65535) return port
  throw new InvalidArgumentError('a number from 0 to 65535 is expected')
}

function explain(error: unknown): string {
  if (error instanceof DataDirError) return error.message
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
    return `port ${options.port} on ${options.host} is in use: stop what listens there, or set CLICKHOUSE_PORT to another port`
  }
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
