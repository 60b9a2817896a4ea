/**
 * Alerts: evaluates the rules on a schedule and tells every change of state to `dossier-alerts`, keyed by unit. Which alerts
 * are open is read once from ClickHouse and then kept: the topic is told first, the copy for people follows.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import type { FastifyInstance } from 'fastify'
import type { Producer } from 'kafkajs'
import { rowsOf } from '../../common/clickhouse.ts'
import { createHttp } from '../../common/http.ts'
import type { Log } from '../../common/log.ts'
import type { Metrics } from '../../common/metrics.ts'
import type { Registered } from '../../schemas/registry.ts'
import { frame } from '../../schemas/wire.ts'
import { type Alert, changesOf } from './changes.ts'
import { observe, readLedger } from './evaluate.ts'
import { LAND_ONLINE, type Rule } from './rules.ts'

export interface AlertsDeps {
  clickhouse: ClickHouseClient
  producer: Pick<Producer, 'send'>
  schema: Registered
  metrics: Metrics
  log: Log
  rules?: readonly Rule[]
  now?: () => number
}

const TOPIC = 'dossier-alerts'
const SILENT_MS_MAX = 120_000
const SETTLED_MS = 60_000

export interface AlertsService {
  http: FastifyInstance
  /** One evaluation of every rule. Never rejects: a failure is logged, counted and shown by health. */
  evaluate(): Promise<void>
}

export function createAlerts(deps: AlertsDeps): AlertsService {
  const { clickhouse, producer, schema, metrics, log, rules = [LAND_ONLINE], now = Date.now } = deps
  let open: Map<string, Alert> | undefined
  let judged_postings = -1
  let moved_ms = now()
  let succeeded_ms = now()
  let running = false

  async function tell(change: Alert) {
    await producer.send({
      topic: TOPIC,
      acks: -1,
      messages: [{ key: change.unit_code, value: frame(schema.id, schema.type, change) }],
    })
    if (change.state === 'RESOLVED') open?.delete(change.alert_id)
    else open?.set(change.alert_id, change)
    metrics.alert_changes.inc({ rule: change.rule, state: change.state })
    log.warn(
      {
        rule: change.rule,
        state: change.state,
        reason: change.reason,
        unit_code: change.unit_code,
        numerator: change.numerator,
        denominator: change.denominator,
      },
      change.text_vi,
    )
  }

  async function evaluateRules() {
    const ledger = await readLedger(clickhouse)
    if (ledger.postings !== judged_postings) moved_ms = now()
    // Nothing was posted for a while: nothing can have changed, and no open alert waits to be told its new figures.
    else if (now() - moved_ms > SETTLED_MS) return
    open ??= await readOpen(clickhouse)
    for (const rule of rules) {
      const times = { watermark_ms: ledger.watermark_ms, now_ms: now() }
      for (const change of changesOf(rule, await observe(clickhouse, rule), [...open.values()], times))
        await tell(change)
      metrics.alert_evaluations.inc({ rule: rule.name, outcome: 'judged' })
    }
    judged_postings = ledger.postings
    metrics.alerts_open.set(open.size)
  }

  const http = createHttp({
    log,
    metrics,
    ready: () =>
      now() - succeeded_ms > SILENT_MS_MAX ? 'the rules could not be evaluated for two minutes' : undefined,
  })

  return {
    http,
    async evaluate() {
      if (running) return
      running = true
      try {
        await evaluateRules()
        succeeded_ms = now()
      } catch (error) {
        for (const rule of rules) metrics.alert_evaluations.inc({ rule: rule.name, outcome: 'failed' })
        log.warn({ err: error }, 'the rules could not be evaluated; the next turn tries again')
      } finally {
        running = false
      }
    },
  }
}

async function readOpen(clickhouse: ClickHouseClient): Promise<Map<string, Alert>> {
  const rows = await rowsOf<Alert>(
    clickhouse,
    `SELECT * REPLACE (
       toUnixTimestamp64Milli(window_from) AS window_from, toUnixTimestamp64Milli(window_to) AS window_to,
       toUnixTimestamp64Milli(watermark) AS watermark, toUnixTimestamp64Milli(changed_at) AS changed_at,
       nullIf(sector_code, '') AS sector_code)
     FROM open_alerts`,
  )
  return new Map(rows.map(row => [row.alert_id, row]))
}
