/**
 * Observes what a rule looks at, from the views and from nothing else. Nothing is judged by the wall clock: windows are
 * calendar half-years in which dossiers were received, and the watermark says up to when all that was ingested was seen.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../../common/clickhouse.ts'
import { completeTo } from '../../common/progress.ts'
import { overColumns } from '../../pipelines/indicators/measures.ts'
import { halfYears, type Observation, type Rule } from './rules.ts'

/** How far the ledger has come. Rows beside time: two inserts may post in another order than their times. */
export interface Ledger {
  postings: number
  watermark_ms: number
}

/**
 * Asked of the ledger and not of the log: an event stands in the log a moment before it counts, and a rule that looked in
 * between would think it had seen it. The watermark is asked before the postings, so that they hold all that it promises;
 * where no ingest has reported yet, the newest posting stands for it.
 */
export async function readLedger(clickhouse: ClickHouseClient): Promise<Ledger> {
  const complete_to_ms = await completeTo(clickhouse)
  const [row] = await rowsOf<{ postings: number; newest_ms: number }>(
    clickhouse,
    'SELECT count() AS postings, toUnixTimestamp64Milli(max(posted_at)) AS newest_ms FROM dossier_postings',
  )
  return { postings: row?.postings ?? 0, watermark_ms: complete_to_ms || (row?.newest_ms ?? 0) }
}

/** What a rule looks at: every province and half-year in which dossiers were received. */
export async function observe(clickhouse: ClickHouseClient, rule: Rule): Promise<Observation[]> {
  const [days] = await rowsOf<{ first: string; last: string; received: number }>(
    clickhouse,
    'SELECT min(day) AS first, max(day) AS last, count() AS received FROM (SELECT day FROM flows WHERE received != 0)',
  )
  const { numerator, denominator } = overColumns(rule.indicator_code, { day: '{to:Date}' })
  const observations: Observation[] = []
  for (const window of days === undefined || days.received === 0 ? [] : halfYears(days.first, days.last)) {
    const rows = await rowsOf<Omit<Observation, 'window_from' | 'window_to'>>(
      clickhouse,
      `SELECT unit_code, unit_valid_from, unit_name, ${numerator} AS numerator, ${denominator} AS denominator, sources
       FROM rates_by_sector(from = {from:Date}, to = {to:Date}, tier = 'province')
       WHERE sector_code = {sector:String} AND denominator > 0`,
      { ...window, sector: rule.sector_code },
    )
    observations.push(...rows.map(row => ({ ...row, window_from: window.from, window_to: window.to })))
  }
  return observations
}
