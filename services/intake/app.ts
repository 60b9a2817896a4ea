/**
 * Intake: dossier events over HTTP into Kafka. An event is accepted when all replicas of the broker have it, and not before;
 * every other row of the request is answered with what is wrong with it. Builds, never listens.
 */
import { isUtf8 } from 'node:buffer'
import type { FastifyInstance } from 'fastify'
import type { Producer } from 'kafkajs'
import { createHttp, type HealthCheck, problem } from '../../common/http.ts'
import type { Log } from '../../common/log.ts'
import type { Metrics } from '../../common/metrics.ts'
import { sendAll } from '../../common/send.ts'
import { judgeJson, type Refusal } from '../../schemas/dossier-event/door.ts'
import type { DossierEvent } from '../../schemas/dossier-event/event.ts'
import type { Registered } from '../../schemas/registry.ts'
import { frame } from '../../schemas/wire.ts'
import { rowsOfBody } from './body.ts'
import { createKeyCheck } from './keys.ts'

export interface IntakeDeps {
  producer: Pick<Producer, 'send'>
  schema: Registered
  knownUnit: (code: string) => boolean
  demoKey: string
  body_bytes_max: number
  ready: HealthCheck
  metrics: Metrics
  log: Log
  now?: () => number
}

/** One problem of one row, as it stands in the answer. */
interface RowError extends Refusal {
  index: number
  line?: number
}

const PROBLEM = 'application/problem+json'
/** A body up to this many times too large is read and thrown away before it is refused. */
const DRAIN_FACTOR = 8

export function createIntake(deps: IntakeDeps): FastifyInstance {
  const { producer, schema, metrics, now = Date.now } = deps
  const app = createHttp({ log: deps.log, metrics, ready: deps.ready, options: { bodyLimit: deps.body_bytes_max } })
  const keyIsGood = createKeyCheck(deps.demoKey)

  // The body arrives as bytes whatever its content type says; it is judged by what is in it.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, done) => done(null, body))

  app.route({
    method: 'POST',
    url: '/v1/dossier-events',
    // Before the body is read: a stranger's gigabytes are not.
    onRequest: async (request, reply) => {
      if (!keyIsGood(request.headers.authorization, request.ip))
        return reply
          .code(401)
          .header('www-authenticate', 'Bearer')
          .type(PROBLEM)
          .send(problem(401, 'Unauthorized', 'Send a valid key as "Authorization: Bearer KEY".'))
      const bytes = Number(request.headers['content-length'] ?? 0)
      if (bytes <= deps.body_bytes_max) return
      // A client that is still sending when the connection closes sees a broken pipe instead of the answer: hear it out.
      if (bytes <= DRAIN_FACTOR * deps.body_bytes_max) for await (const _ of request.raw) void _
      return reply
        .code(413)
        .type(PROBLEM)
        .send(
          problem(
            413,
            'Content Too Large',
            `The body has ${bytes} bytes; at most ${deps.body_bytes_max} are taken in one request. Send it in parts.`,
          ),
        )
    },
    handler: async (request, reply) => {
      const body = request.body instanceof Buffer ? request.body : Buffer.alloc(0)
      // Decoded all the same, two broken texts would become one.
      if (!isUtf8(body))
        return reply
          .code(400)
          .type(PROBLEM)
          .send(problem(400, 'Bad Request', 'The body is not UTF-8. Send JSON in UTF-8, as RFC 8259 has it.'))
      const text = body.toString('utf8').replace(/^\uFEFF/, '')
      const rows = rowsOfBody(text, request.headers['content-type'])
      if (rows === undefined)
        return reply
          .code(400)
          .type(PROBLEM)
          .send(
            problem(
              400,
              'Bad Request',
              'The body is not JSON: send one object, an array of objects, or one object a line (NDJSON).',
            ),
          )

      const accepted: DossierEvent[] = []
      const errors: RowError[] = []
      const context = { now_ms: now(), knownUnit: deps.knownUnit }
      for (const row of rows) {
        const verdict =
          row.unreadable === undefined
            ? judgeJson(row.value, context)
            : {
                refusals: [
                  { reason: 'wrong_type' as const, field: '', message: `the line is no JSON: ${row.unreadable}` },
                ],
              }
        if (verdict.event !== undefined) accepted.push(verdict.event)
        else
          for (const refusal of verdict.refusals)
            errors.push({ index: row.index, ...(row.line === undefined ? {} : { line: row.line }), ...refusal })
      }

      if (accepted.length > 0) {
        try {
          const messages = accepted.map(event => ({
            key: event.dossier_id,
            value: frame(schema.id, schema.type, event),
          }))
          await sendAll(producer, 'dossier-events', messages)
        } catch (error) {
          request.log.error({ err: error }, 'Kafka did not take the events')
          return reply
            .code(503)
            .header('retry-after', '5')
            .type(PROBLEM)
            .send(
              problem(
                503,
                'Service Unavailable',
                'Kafka did not acknowledge the events. Send the same request again: an event that did arrive counts once.',
                { accepted: 0 },
              ),
            )
        }
      }
      metrics.intake_accepted.inc(accepted.length)
      for (const { reason } of errors) metrics.intake_refused.inc({ reason })
      if (errors.length === 0) return reply.code(202).send({ accepted: accepted.length })
      const refused = new Set(errors.map(error => error.index)).size
      const detail = `${accepted.length} of ${rows.length} events were accepted; ${refused} were not, see errors.`
      return reply
        .code(422)
        .type(PROBLEM)
        .send(problem(422, 'Some events were refused', detail, { accepted: accepted.length, errors }))
    },
  })
  return app
}
