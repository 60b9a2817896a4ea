/**
 * The HTTP side: which path is what, who asks, and one answer for each request, whatever fails.
 * Knows nothing of SQL. `drain()` ends it: no new connection, running queries within the limit, then they are killed.
 */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { createAnswer } from './answer.ts'
import { fromEngine, refuse } from './errors.ts'
import { createPages } from './pages.ts'
import { runQuery, type Server } from './query.ts'
import { readRequest } from './request.ts'
import { signIn } from './users.ts'

const KEEP_ALIVE_MS = 30_000
const KILLED_MS_MAX = 3_000

export function createHttpServer(server: Server, log: Logger) {
  const running = new Map<Promise<void>, AbortController>()
  const page = createPages(server.about.version)
  const http = createServer({ requestTimeout: 0, keepAliveTimeout: KEEP_ALIVE_MS, maxHeaderSize: 1024 * 1024 }, handle)

  function handle(message: IncomingMessage, response: ServerResponse): void {
    const url = new URL(message.url ?? '/', 'http://clickhouse')
    const asks = url.pathname === '/' && (message.method === 'POST' || url.searchParams.has('query'))
    if (asks) ask(message, response, url.searchParams)
    else if (page(url.pathname, message, response)) return
    else if (['/', '/ping', '/replicas_status'].includes(url.pathname)) plain(response, 200, 'Ok.\n')
    else plain(response, 404, `There is no handle ${url.pathname}\n\n`)
  }

  function ask(message: IncomingMessage, response: ServerResponse, query: URLSearchParams): void {
    const cancel = new AbortController()
    response.once('close', () => !response.writableFinished && cancel.abort())
    const work = serve(message, response, query, cancel.signal).catch(error =>
      log.error({ err: error }, 'answer failed'),
    )
    running.set(work, cancel)
    work.finally(() => running.delete(work))
  }

  async function serve(
    message: IncomingMessage,
    response: ServerResponse,
    query: URLSearchParams,
    cancel: AbortSignal,
  ) {
    const queryId = query.get('query_id') || randomUUID()
    const answer = createAnswer(message, response, server.about, queryId)
    try {
      refuseForeignPages(message)
      const user = signIn(message.headers, query)
      const request = await readRequest(message, query)
      const method = message.method ?? 'GET'
      const summary = await runQuery(server, { user, method, queryId, request, answer, cancel })
      answer.end(summary)
    } catch (cause) {
      const error = fromEngine(cause)
      if (error.type === 'UNKNOWN_EXCEPTION' && !cancel.aborted)
        log.error({ err: error }, 'query failed for an unknown reason')
      answer.fail(error)
    }
  }

  /** False when queries still run. */
  async function drain(limitMs: number): Promise<boolean> {
    http.close()
    http.closeIdleConnections()
    const ended = async () => {
      while (running.size > 0) await Promise.all(running.keys())
    }
    await Promise.race([ended(), sleep(limitMs)])
    if (running.size > 0) log.warn({ queries: running.size }, 'killing queries that did not end in time')
    for (const cancel of running.values()) cancel.abort()
    await Promise.race([ended(), sleep(KILLED_MS_MAX)])
    http.closeAllConnections()
    return running.size === 0
  }

  return { http, drain }
}

/** There are no passwords: a page of another site, open in a browser of this machine, must not be able to ask. */
function refuseForeignPages(message: IncomingMessage): void {
  const { origin, host } = message.headers
  if (origin !== undefined && origin !== `http://${host}`) {
    throw refuse('ACCESS_DENIED', `Requests of pages of ${origin} are not answered`)
  }
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/html; charset=UTF-8' }).end(text)
}
