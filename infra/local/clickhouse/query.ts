/**
 * One query from text to answer: parse, judge, take in the rows, wait for a slot, prepare a session, run, clean up.
 * The parent of every step: it owns the order and all that has to be undone, whatever happens in between.
 */
import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { About, Answer, Format, Summary } from './answer.ts'
import type { Engine, Session } from './engine.ts'
import { refuse } from './errors.ts'
import { type Guard, READS, refuseFormat } from './guard.ts'
import { insertRows, removeRows, spoolRows } from './insert.ts'
import { judgeKill } from './kill.ts'
import { killText, withClientIds } from './query-ids.ts'
import { type Request, readWholeText, utf8 } from './request.ts'
import { intoFile, type Result, startSelect } from './select.ts'
import type { createSessions } from './sessions.ts'
import type { createSlots } from './slots.ts'
import { liftSettings, parseStatement, type Setting, type Statement } from './statement.ts'
import { limitsOf, type User } from './users.ts'

export type Server = {
  engine: Engine
  guard: Guard
  slots: ReturnType<typeof createSlots>
  sessions: ReturnType<typeof createSessions>
  /** By lower-case name. */
  formats: ReadonlyMap<string, Format>
  about: About
  spoolDir: string
  /** Whose queries run, by their ids. */
  running: Map<string, User>
}

export type Asked = {
  user: User
  method: string
  queryId: string
  request: Request
  answer: Answer
  cancel: AbortSignal
}

const KILL_AGAIN_MS = 200

/** All is undone when it returns: the answer may end, and the client may ask again in the same session. */
export async function runQuery(server: Server, asked: Asked): Promise<Summary> {
  const { user, queryId, request } = asked
  if (server.running.has(queryId)) {
    throw refuse('QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING', `Query with id = ${queryId} is already running`)
  }
  server.running.set(queryId, user)
  try {
    const { statement, settings } = await readStatement(asked)
    await judge(server, asked, statement, settings)
    const file = statement.insert && (await spoolRows(request, statement.insert, server.spoolDir))
    try {
      return await inSlot(server, asked, statement, settings, file)
    } finally {
      if (file) await removeRows(file)
    }
  } finally {
    server.running.delete(queryId)
  }
}

async function inSlot(
  server: Server,
  asked: Asked,
  statement: Statement,
  settings: readonly Setting[],
  file: string | undefined,
): Promise<Summary> {
  const { user, queryId, request, cancel } = asked
  const slot = await server.slots.acquire()
  try {
    // What an analyst may kill was judged; its own sessions could not kill at all.
    const limits = limitsOf(statement.verb === 'KILL' ? 'ingest' : user, utf8(statement.sql))
    const lease = await server.sessions.lease(request, { user, queryId, settings, limits })
    try {
      cancel.throwIfAborted()
      const work = execute(server, asked, statement, lease.session, slot.pipe, file)
      const reported = request.progressMs === undefined ? work : withProgress(server, asked, request.progressMs, work)
      return await killedWith(server.engine, queryId, cancel, reported)
    } finally {
      await lease.release()
    }
  } finally {
    slot.release()
  }
}

/** What is asked, and all settings for it. Those that cannot stand in the text are SET before: see insert.ts, users.ts. */
async function readStatement({ user, request }: Asked): Promise<{ statement: Statement; settings: Setting[] }> {
  const begun = parseStatement(request.head)
  if (begun.insert) return { statement: begun, settings: [...request.settings, ...begun.insert.settings] }
  const whole = request.complete ? begun : parseStatement(await readWholeText(request))
  if (user !== 'analyst') return { statement: whole, settings: request.settings }
  const { statement, settings } = liftSettings(whole)
  return { statement, settings: [...request.settings, ...settings] }
}

async function judge(
  server: Server,
  { user, method, request }: Asked,
  statement: Statement,
  settings: readonly Setting[],
): Promise<void> {
  server.guard(user, statement, settings, request.defaultFormat)
  for (const { format } of request.external) refuseFormat(user, format)
  if (statement.verb === 'KILL') judgeKill(user, statement, server.running)
  const reads = READS.has(statement.verb)
  if (method !== 'POST' && !reads) {
    throw refuse(
      'READONLY',
      `Cannot execute query in readonly mode. For queries over HTTP, method ${method} implies readonly. ` +
        'You should use method POST for modifying queries',
    )
  }
  // A second opinion, of the engine's own parser: what the guard took for one read is one read.
  if (user !== 'default' && reads && !(await server.engine.onlyReads(utf8(statement.sql)))) {
    throw refuse('ACCESS_DENIED', `${user}: Not enough privileges: the statement does not only read`)
  }
}

/** Runs the statement and sends its answer, all but the end. */
async function execute(
  server: Server,
  { request, answer }: Asked,
  statement: Statement,
  session: Session,
  pipe: string,
  file: string | undefined,
): Promise<Summary> {
  const wanted = statement.output?.format ?? request.defaultFormat
  const format = server.formats.get(wanted.toLowerCase())
  if (!format) throw refuse('UNKNOWN_FORMAT', `Unknown format ${wanted}`)
  answer.expect(format, { http: request.compressAnswer, blocks: request.compressBlocks })
  if (statement.verb === 'INSERT') {
    const write =
      statement.insert && file ? insertRows(session, statement.insert, file) : session.write(utf8(statement.sql))
    const { rowsWritten, bytesWritten, elapsed } = await write
    return { rowsWritten, bytesWritten, elapsedS: elapsed }
  }
  if (statement.verb !== 'SELECT') {
    const sql = statement.verb === 'KILL' ? killText(statement) : statement.sql
    const { bytes, rowsRead, bytesRead, elapsed } = await session.query(utf8(sql), format.name)
    await answer.write(bytes)
    return { resultRows: rowsRead, resultBytes: bytesRead, elapsedS: elapsed }
  }
  const select = withClientIds(statement)
  if (request.waitEndOfQuery) return answerFromFile(session, select, format.name, server.spoolDir, answer)
  const { output, done } = startSelect(session, select, format.name, pipe)
  try {
    for await (const chunk of output) await answer.write(chunk)
  } catch {
    // Broken off: the query tells why.
  }
  return summaryOf(await done)
}

/** wait_end_of_query: nothing is sent before all is known, and nothing is held but on disk. */
async function answerFromFile(
  session: Session,
  statement: Statement,
  format: string,
  spoolDir: string,
  answer: Answer,
) {
  const file = join(spoolDir, `result-${randomUUID()}`)
  try {
    const { rowsRead, bytesRead, elapsed } = await session.query(intoFile(statement, format, file))
    const summary = summaryOf({ rows: rowsRead, bytes: bytesRead, elapsedS: elapsed })
    answer.begin(summary)
    for await (const chunk of createReadStream(file)) await answer.write(chunk)
    return summary
  } finally {
    await rm(file, { force: true })
  }
}

function summaryOf({ rows, bytes, elapsedS }: Result): Summary {
  return { resultRows: rows, resultBytes: bytes, elapsedS }
}

/** Tells how far the query has come while nothing of its answer is sent. */
async function withProgress<T>(
  server: Server,
  { queryId, answer }: Asked,
  everyMs: number,
  work: Promise<T>,
): Promise<T> {
  const timer = setInterval(async () => {
    const progress = await server.engine.progress(queryId).catch(() => undefined)
    if (progress) answer.progress(progress)
  }, everyMs)
  return work.finally(() => clearInterval(timer))
}

/** A kill that comes before the engine knows the query finds nothing: so again, until the work has ended. */
async function killedWith<T>(engine: Engine, queryId: string, cancel: AbortSignal, work: Promise<T>): Promise<T> {
  let ended = false
  const kill = async () => {
    while (!ended) {
      await engine.kill(queryId)
      await sleep(KILL_AGAIN_MS)
    }
  }
  const start = () => void kill().catch(() => undefined)
  cancel.addEventListener('abort', start, { once: true })
  try {
    return await work
  } finally {
    ended = true
    cancel.removeEventListener('abort', start)
  }
}
