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
import { type Guard, READS } from './guard.ts'
import { insertRows, removeRows, spoolRows } from './insert.ts'
import { type Request, readWholeText, utf8 } from './request.ts'
import { intoFile, type Result, startSelect } from './select.ts'
import type { createSessions } from './sessions.ts'
import type { createSlots } from './slots.ts'
import { parseStatement, type Statement } from './statement.ts'
import type { User } from './users.ts'

export type Server = {
  engine: Engine
  guard: Guard
  slots: ReturnType<typeof createSlots>
  sessions: ReturnType<typeof createSessions>
  /** By lower-case name. */
  formats: ReadonlyMap<string, Format>
  about: About
  spoolDir: string
}

export type Asked = { user: User; method: string; request: Request; answer: Answer; cancel: AbortSignal }

const KILL_AGAIN_MS = 200

/** All is undone when it returns: the answer may end, and the client may ask again in the same session. */
export async function runQuery(server: Server, asked: Asked): Promise<Summary> {
  const { request, cancel } = asked
  const statement = await readStatement(request)
  await judge(server, asked, statement)
  const file = statement.insert && (await spoolRows(request, statement.insert, server.spoolDir))
  try {
    const slot = await server.slots.acquire()
    try {
      const lease = await server.sessions.lease(request, asked.user, [
        ...request.settings,
        ...(statement.insert?.settings ?? []),
      ])
      try {
        cancel.throwIfAborted()
        const work = execute(server, asked, statement, lease.session, slot.pipe, file)
        return await killedWith(server.engine, lease.session, cancel, work)
      } finally {
        await lease.release()
      }
    } finally {
      slot.release()
    }
  } finally {
    if (file) await removeRows(file)
  }
}

async function readStatement(request: Request): Promise<Statement> {
  const statement = parseStatement(request.head)
  return statement.insert || request.complete ? statement : parseStatement(await readWholeText(request))
}

async function judge(server: Server, { user, method, request }: Asked, statement: Statement): Promise<void> {
  server.guard(user, statement, request.settings, request.defaultFormat)
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
  answer.expect(format, request.compressAnswer)
  if (statement.verb === 'INSERT') {
    const write =
      statement.insert && file ? insertRows(session, statement.insert, file) : session.write(utf8(statement.sql))
    const { rowsWritten, bytesWritten, elapsed } = await write
    return { rowsWritten, bytesWritten, elapsedS: elapsed }
  }
  if (statement.verb !== 'SELECT') {
    const { bytes, rowsRead, bytesRead, elapsed } = await session.query(utf8(statement.sql), format.name)
    await answer.write(bytes)
    return { resultRows: rowsRead, resultBytes: bytesRead, elapsedS: elapsed }
  }
  if (request.waitEndOfQuery) return answerFromFile(session, statement, format.name, server.spoolDir, answer)
  const { output, done } = startSelect(session, statement, format.name, pipe)
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

/** A kill that comes before the engine knows the query finds nothing: so again, until the work has ended. */
async function killedWith<T>(engine: Engine, session: Session, cancel: AbortSignal, work: Promise<T>): Promise<T> {
  let ended = false
  const kill = async () => {
    while (!ended) {
      await engine.kill(session.mark)
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
