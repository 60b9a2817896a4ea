/**
 * Observes what a rule looks at, from the views and from nothing else. Nothing is judged by the wall clock: windows are
 * calendar half-years in which dossiers were received, and the watermark says up to which ingested batch was seen.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../common/clickhouse.ts'
import { halfYears, type Observation, type Rule } from './rules.ts'

export interface Observed {
  observations: Observation[]
  /** Everything ingested up to this moment was judged; milliseconds since 1970 UTC. */
  watermark_ms: number
}

/** Undefined where nothing was ever ingested: then there is nothing to judge. */
export async function observe(clickhouse: ClickHouseClient, rule: Rule): Promise<Observed | undefined> {
  const [span] = await rowsOf<{ events: number; watermark_ms: number }>(
    clickhouse,
    'SELECT count() AS events, toUnixTimestamp64Milli(max(ingested_at)) AS watermark_ms FROM dossier_events',
  )
  if (span === undefined || span.events === 0) return undefined
  const [days] = await rowsOf<{ first: string; last: string; received: number }>(
    clickhouse,
    'SELECT min(day) AS first, max(day) AS last, count() AS received FROM (SELECT day FROM flows WHERE received != 0)',
  )
  const observations: Observation[] = []
  for (const window of days === undefined || days.received === 0 ? [] : halfYears(days.first, days.last)) {
    const rows = await rowsOf<Omit<Observation, 'window_from' | 'window_to'>>(
      clickhouse,
      `SELECT unit_code, unit_valid_from, unit_name, received_online AS numerator, received AS denominator, sources
       FROM rates_by_sector(from = {from:Date}, to = {to:Date}, tier = 'province')
       WHERE sector_code = {sector:String} AND received > 0`,
      { ...window, sector: rule.sector_code },
    )
    observations.push(...rows.map(row => ({ ...row, window_from: window.from, window_to: window.to })))
  }
  return { observations, watermark_ms: span.watermark_ms }
}
