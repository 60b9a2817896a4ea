/**
 * The engine: one chDB on one data directory, and its sessions. Every native call that computes runs on a libuv thread;
 * a session runs one statement after another and is closed only when none is running, else the engine would abort.
 *
 * Speaks to chDB's native addon instead of its `Session`: the latter keeps a closed session open until every other query
 * of the process has ended (a cancelled one then stays in system.processes), and hides how many rows an INSERT wrote.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fromEngine } from './errors.ts'
import type { Setting } from './statement.ts'

type Connection = { readonly opaque: unique symbol }
type Answer = { bytes: Buffer; elapsed: number; rowsRead: number; bytesRead: number }
type Written = { rowsWritten: number; bytesWritten: number; elapsed: number }
type Classified = { statementCount: number; queryClass: number }

type Native = {
  CreateConnection(path: string, args: string[]): Connection
  CloseConnection(connection: Connection): void
  QueryAsyncConnection(connection: Connection, sql: string, format: string): Promise<Answer>
  InsertRawAsyncConnection(connection: Connection, sql: string, rows: Buffer, countLines: boolean): Promise<Written>
  DurableClassifyAsync(connection: Connection, sql: string, database: string): Promise<Classified>
}

/** What chdb's classification calls a statement that changes nothing. */
const READ_ONLY = 0
/**
 * Names a query in system.processes: there is no way to set query_id, and this setting does nothing without send_logs_level.
 * Its value is the id in hexadecimal, as the engine reads it as a regular expression.
 */
export const MARK = 'send_logs_source_regexp'
const NO_ROWS = Buffer.from('\n')

export const markOf = (queryId: string): Setting => ({ name: MARK, value: Buffer.from(queryId).toString('hex') })

export type Progress = { readRows: string; readBytes: string; rowsToRead: string; elapsedNs: string }
export type Engine = ReturnType<typeof openEngine>
export type Session = ReturnType<Engine['session']>

export function openEngine(dataDir: string, configFile: string) {
  const native = loadNative()
  // Held for the life of the process: the engine shuts down with its last connection.
  const base = openBase(native, dataDir, configFile)

  function session() {
    const connection = native.CreateConnection(dataDir, ['--implicit_select=0'])
    let running: Promise<unknown> = Promise.resolve()
    const run = <T>(start: () => Promise<T>): Promise<T> => {
      const answer = start().catch(error => {
        throw fromEngine(error)
      })
      running = answer.catch(() => undefined)
      return answer
    }
    return {
      query: (sql: string, format = 'TabSeparated') => run(() => native.QueryAsyncConnection(connection, sql, format)),
      /** For statements that write: tells the rows written, those of materialized views included, as a server does. */
      write: (sql: string) => run(() => native.InsertRawAsyncConnection(connection, sql, NO_ROWS, false)),
      close: async () => {
        await running
        native.CloseConnection(connection)
      },
    }
  }

  /** The engine's own parser's opinion: exactly one statement, and one that only reads. Throws what the parser throws. */
  async function onlyReads(sql: string): Promise<boolean> {
    const found = await native.DurableClassifyAsync(base, sql, 'default').catch(error => {
      throw fromEngine(error)
    })
    return found.statementCount === 1 && found.queryClass === READ_ONLY
  }

  /** The session's running statement, by the mark SET in it. Never SYNC, which would wait for ever. */
  async function kill(queryId: string): Promise<void> {
    const killer = session()
    await killer.query(`KILL QUERY WHERE Settings['${MARK}'] = ${literal(markOf(queryId).value)} ASYNC`)
    await killer.close()
  }

  async function list(sql: string): Promise<string[][]> {
    const { bytes } = await native.QueryAsyncConnection(base, sql, 'JSONCompactEachRow')
    const lines = bytes.toString('utf8').split('\n')
    return lines.filter(line => line !== '').map(line => JSON.parse(line))
  }

  /** How far the running statement of a session has come; undefined when it is not running. */
  async function progress(queryId: string): Promise<Progress | undefined> {
    const [row] = await list(
      `SELECT toString(read_rows), toString(read_bytes), toString(total_rows_approx), toString(toUInt64(elapsed * 1e9))
      FROM system.processes WHERE Settings['${MARK}'] = ${literal(markOf(queryId).value)}`,
    )
    return row && { readRows: row[0] ?? '', readBytes: row[1] ?? '', rowsToRead: row[2] ?? '', elapsedNs: row[3] ?? '' }
  }

  return { session, onlyReads, kill, progress, list, close: () => native.CloseConnection(base) }
}

export class DataDirError extends Error {
  override name = 'DataDirError'
}

/** The engine locks its directory and writes its process id there; it says so on stderr only. */
function openBase(native: Native, dataDir: string, configFile: string): Connection {
  try {
    return native.CreateConnection(dataDir, [`--config-file=${configFile}`, '--implicit_select=0'])
  } catch (cause) {
    const owner = ownerOf(dataDir)
    const why = owner === undefined ? `cannot be opened: ${cause}` : `is in use by process ${owner}`
    throw new DataDirError(`the data directory ${dataDir} ${why}`, { cause })
  }
}

function ownerOf(dataDir: string): number | undefined {
  try {
    const pid = Number(/^PID: (\d+)/m.exec(readFileSync(join(dataDir, 'status'), 'utf8'))?.[1])
    process.kill(pid, 0)
    return pid === process.pid ? undefined : pid
  } catch {
    return undefined
  }
}

function loadNative(): Native {
  const require = createRequire(import.meta.url)
  const loader = join(dirname(require.resolve('chdb')), 'dist', 'loader.js')
  return require(loader).loadNative()
}

export function literal(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

export function identifier(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``
}

/** One SET for all; a name that is no identifier is left to the engine to refuse. */
export function setStatement(settings: readonly Setting[]): string {
  const name = (text: string) => (/^\w+$/.test(text) ? text : identifier(text))
  return `SET ${settings.map(one => `${name(one.name)} = ${literal(one.value)}`).join(', ')}`
}
