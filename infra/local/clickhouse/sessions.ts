/**
 * Which engine session a request runs in. Without session_id: a fresh one, closed afterwards, so that nothing of one
 * request reaches the next. With one: a session kept between requests (temporary tables, SET, USE), used by one at a time.
 * Settings of an URL hold for one request there too: they are put back afterwards.
 */
import { type Engine, identifier, literal, markOf, type Session, setStatement } from './engine.ts'
import { refuse } from './errors.ts'
import { createTables, dropTables } from './external.ts'
import type { Request } from './request.ts'
import type { Setting } from './statement.ts'
import type { User } from './users.ts'

/** Whose session, for which query, its settings, and those set last, which no request can undo. */
export type Wanted = { user: User; queryId: string; settings: readonly Setting[]; limits: readonly Setting[] }

/** A session costs about a megabyte; the longest unused one makes room. */
const NAMED_SESSIONS_MAX = 100

/** The engine's default of max_query_size, in bytes. */
const QUERY_SIZE_MAX = 262_144

type Named = { session: Session; busy: boolean; expiry: NodeJS.Timeout | undefined }
export type Lease = { session: Session; release: () => Promise<void> }

export function createSessions(engine: Engine, spoolDir: string) {
  const named = new Map<string, Named>()

  async function lease(request: Request, wanted: Wanted): Promise<Lease> {
    // The analyst's sessions are read-only for good: nothing could be kept in one anyway.
    if (request.sessionId === undefined || wanted.user === 'analyst') return fresh(request, wanted)
    const key = JSON.stringify([wanted.user, request.sessionId])
    const held = named.get(key) ?? open(key, request)
    if (held.busy) throw refuse('SESSION_IS_LOCKED', `Session ${request.sessionId} is locked by a concurrent client`)
    held.busy = true
    clearTimeout(held.expiry)
    let restore: Setting[] = []
    const release = async () => {
      // Also lets go of a cancelled statement, which stays in system.processes until its session runs another.
      await held.session.query(restore.length > 0 ? setStatement(restore) : 'SELECT 1')
      await dropTables(held.session, request.external)
      held.busy = false
      held.expiry = setTimeout(() => drop(key), request.sessionTimeoutS * 1000)
    }
    try {
      restore = await valuesNow(held.session, wanted.settings)
      await prepare(held.session, request, wanted)
    } catch (error) {
      await release()
      throw error
    }
    return { session: held.session, release }
  }

  async function fresh(request: Request, wanted: Wanted): Promise<Lease> {
    const session = engine.session()
    try {
      await prepare(session, request, wanted)
    } catch (error) {
      await session.close()
      throw error
    }
    return { session, release: () => session.close() }
  }

  function open(key: string, request: Request): Named {
    if (request.sessionCheck) throw refuse('SESSION_NOT_FOUND', `Session ${request.sessionId} not found`)
    const idle = [...named].find(([, one]) => !one.busy)
    if (named.size >= NAMED_SESSIONS_MAX && idle) drop(idle[0])
    const held = { session: engine.session(), busy: false, expiry: undefined }
    named.set(key, held)
    return held
  }

  function drop(key: string): void {
    const held = named.get(key)
    clearTimeout(held?.expiry)
    named.delete(key)
    held?.session.close()
  }

  async function close(): Promise<void> {
    const all = [...named.values()]
    for (const { expiry } of all) clearTimeout(expiry)
    named.clear()
    await Promise.all(all.map(({ session }) => session.close()))
  }

  async function prepare(session: Session, request: Request, { queryId, settings, limits }: Wanted): Promise<void> {
    if (request.database !== undefined) await session.query(`USE ${identifier(request.database)}`)
    const first = [markOf(queryId), ...settings, ...request.parameters]
    if (request.external.length === 0) return setAll(session, [...first, ...limits])
    await setAll(session, first)
    await createTables(session, request.external, spoolDir)
    if (limits.length > 0) await setAll(session, limits)
  }

  return { lease, close }
}

async function setAll(session: Session, all: readonly Setting[]): Promise<void> {
  const set = setStatement(all)
  if (set.length < QUERY_SIZE_MAX / 4) {
    await session.query(set)
    return
  }
  // Parameters of any length: max_query_size holds for the query, not for them.
  await session.query(setStatement([{ name: 'max_query_size', value: String(set.length * 4) }]))
  await session.query(setStatement([{ name: 'max_query_size', value: String(QUERY_SIZE_MAX) }, ...all]))
}

async function valuesNow(session: Session, settings: readonly Setting[]): Promise<Setting[]> {
  if (settings.length === 0) return []
  const names = settings.map(({ name }) => literal(name)).join(', ')
  const { bytes } = await session.query(
    `SELECT name, value FROM system.settings WHERE name IN (${names})`,
    'JSONEachRow',
  )
  const lines = bytes.toString('utf8').split('\n')
  return lines.filter(line => line !== '').map(line => JSON.parse(line))
}
