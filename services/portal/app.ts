/**
 * The portal: a read API and one live page, from the figures it is given. Never listens; `main.ts` does.
 *
 * Promises: what it shows comes from ClickHouse's own views or the same flows, never counted here; a page whose figures
 * cannot be fetched says so (503) instead of showing some of them.
 */
import { readFileSync } from 'node:fs'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { createHttp, problem } from '../../common/http.ts'
import type { Log } from '../../common/log.ts'
import type { Metrics } from '../../common/metrics.ts'
import { indicatorsBody, type Parsed, parseIndicatorsQuery, parseRatesQuery, problemText, ratesBody } from './api.ts'
import { ASSETS, hashOf } from './assets.ts'
import type { ClickHouseAddress } from './connect.ts'
import { type Figures, FiguresError } from './figures.ts'
import type { Language } from './format.ts'
import { SECURITY_HEADERS } from './headers.ts'
import { connectPage } from './pages/connect.ts'
import { liveFragment } from './pages/live.ts'
import { errorPage, page } from './pages/shell.ts'
import type { PageView } from './pages/view.ts'
import { AddressError, languageOf, type Query, stateOf } from './state.ts'
import { WORDS } from './words.ts'

export interface PortalDeps {
  figures: Figures
  /** Where readers with tools of their own find ClickHouse. */
  clickhouse: ClickHouseAddress
  log: Log
  metrics: Metrics
}

const HTML = 'text/html; charset=utf-8'
/** As it is in the repository: generated from the database's own comments, and plain to read. */
const SQL_GUIDE = readFileSync(new URL('../../docs/sql.md', import.meta.url), 'utf8')

export function createPortal({ figures, clickhouse, log, metrics }: PortalDeps): FastifyInstance {
  const app = createHttp({ log, metrics, ready: () => readiness(figures) })

  app.addHook('onSend', async (_, reply) => {
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) reply.header(name, value)
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store')
  })

  for (const asset of Object.values(ASSETS))
    app.get(`/assets/${asset.name}`, (_, reply) =>
      reply.type(asset.type).header('cache-control', 'public, max-age=31536000, immutable').send(asset.body),
    )

  app.get('/api/rates', async (request, reply) => {
    const parsed = parseRatesQuery(request.query as Query, await figures.units())
    if ('problems' in parsed) return refuse(reply, parsed)
    return ratesBody(parsed.question, await figures.rates(parsed.question))
  })
  app.get('/api/indicators', async (request, reply) => {
    const parsed = parseIndicatorsQuery(request.query as Query, await figures.units())
    if ('problems' in parsed) return refuse(reply, parsed)
    return indicatorsBody(parsed.question, await figures.indicators(parsed.question))
  })

  app.get('/', async (request, reply) => answerPage(request, reply, async () => page(await look(figures, request))))

  app.get('/connect', async (request, reply) =>
    answerPage(request, reply, async language => connectPage(language, clickhouse)),
  )
  app.get('/sql.md', (_, reply) => reply.type('text/plain; charset=utf-8').send(SQL_GUIDE))

  /** The live part alone. Says "not changed" to a page that already shows exactly this. */
  app.get('/live', async (request, reply) =>
    answerPage(request, reply, async () => {
      const fragment = liveFragment(await look(figures, request))
      const tag = hashOf(fragment)
      reply.header('hx-ptag', tag)
      if (request.headers['hx-ptag'] !== tag) return fragment
      reply.code(304)
      return ''
    }),
  )
  return app
}

const refuse = (reply: FastifyReply, { problems }: Extract<Parsed, { problems: unknown }>) =>
  reply
    .code(400)
    .type('application/problem+json')
    .send(problem(400, 'Bad Request', problemText(problems), { parameters: problems }))

async function readiness(figures: Figures): Promise<string | undefined> {
  try {
    const missing = await figures.missing()
    return missing.length === 0
      ? undefined
      : `not in ClickHouse yet: ${missing.join(', ')}; npm start or npm run migrate creates them`
  } catch (error) {
    return error instanceof FiguresError ? 'ClickHouse does not answer' : Promise.reject(error)
  }
}

/** All that a page shows, asked at once. */
async function look(figures: Figures, request: FastifyRequest): Promise<PageView> {
  const units = await figures.units()
  const state = stateOf(request.query as Query, request.headers['accept-language'], units)
  const { unit, period } = state
  const [parts, calendar, samples, moment, events, deadLetters, alerts] = await Promise.all([
    figures.parts({
      unit: unit && { code: unit.code, valid_from: unit.valid_from, level: unit.level },
      from: period.from,
      to: period.to,
    }),
    figures.calendar(),
    figures.samples(),
    figures.moment(),
    figures.lastEvents(),
    figures.deadLetters(),
    figures.openAlerts(),
  ])
  return { state, units, parts, calendar, samples, moment, events, deadLetters, alerts }
}

/** Sends a page in the visitor's language, problems too. */
async function answerPage(
  request: FastifyRequest,
  reply: FastifyReply,
  render: (language: Language) => Promise<string>,
): Promise<FastifyReply> {
  const language = languageOf(request.query as Query, request.headers['accept-language'])
  const words = WORDS[language]
  reply.type(HTML).header('content-language', language).header('vary', 'accept-language')
  try {
    return reply.send(await render(language))
  } catch (error) {
    if (error instanceof AddressError)
      return reply.code(error.statusCode).send(errorPage(language, words.error_address, error.message))
    request.log.error({ err: error, url: request.url }, 'a page could not be made')
    const status = error instanceof FiguresError ? error.statusCode : 500
    return reply.code(status).send(errorPage(language, words.error_unavailable, words.error_unavailable_text))
  }
}
