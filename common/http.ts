/**
 * The HTTP server every service starts from: health, metrics, errors as RFC 9457 problem+json, explicit time-outs.
 * `app.ts` of a service adds its routes and never listens; `main.ts` listens.
 */
import Fastify, { type FastifyInstance, type FastifyServerOptions, LogController } from 'fastify'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'

/** Undefined: all is well. Else a sentence that says what is not. */
export type HealthCheck = () => string | undefined | Promise<string | undefined>

export interface HttpDeps {
  log: Log
  metrics: Metrics
  /** Whether the process should go on; failing it asks for a restart. */
  live?: HealthCheck
  /** Whether the service can do its work now. */
  ready: HealthCheck
  options?: FastifyServerOptions
}

/** An RFC 9457 problem. Everything in `more` stands beside the standard members. */
export const problem = (status: number, title: string, detail: string, more: Record<string, unknown> = {}) => ({
  type: 'about:blank',
  title,
  status,
  detail,
  ...more,
})

export function createHttp(deps: HttpDeps): FastifyInstance {
  const app: FastifyInstance = Fastify({
    loggerInstance: deps.log as never,
    // Normal operation logs little; what failed is logged by the error handler.
    logController: new LogController({ disableRequestLogging: true }),
    requestTimeout: 60_000,
    connectionTimeout: 65_000,
    forceCloseConnections: true,
    ...deps.options,
  }) as never

  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const status = error.statusCode ?? 500
    if (status >= 500) request.log.error({ err: error, url: request.url }, 'request failed')
    const detail = status >= 500 ? 'The service could not do this; its log says why.' : error.message
    return reply
      .code(status)
      .type('application/problem+json')
      .send(problem(status, titleOf(status), detail))
  })
  app.setNotFoundHandler((request, reply) =>
    reply
      .code(404)
      .type('application/problem+json')
      .send(problem(404, 'Not Found', `There is nothing at ${request.method} ${request.url}.`)),
  )

  const health =
    (check: HealthCheck) =>
    async (_: unknown, reply: { code: (status: number) => { send: (body: unknown) => unknown } }) => {
      const trouble = await check()
      return reply
        .code(trouble === undefined ? 200 : 503)
        .send(trouble === undefined ? { status: 'ok' } : { status: 'failing', reason: trouble })
    }
  app.get('/health/live', health(deps.live ?? (() => undefined)))
  app.get('/health/ready', health(deps.ready))
  app.get('/metrics', async (_, reply) =>
    reply.type(deps.metrics.registry.contentType).send(await deps.metrics.registry.metrics()),
  )
  return app
}

const TITLES: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  503: 'Service Unavailable',
}
const titleOf = (status: number) => TITLES[status] ?? (status >= 500 ? 'Internal Server Error' : 'Request Refused')
