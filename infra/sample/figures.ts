/** What ClickHouse says about a sample: from the views, from the plain count, and how far the log has come. */
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../../common/clickhouse.ts'
import { SOURCE } from './history.ts'
import { type Figures, NO_FIGURES } from './plan.ts'
import type { ReplayedSample } from './state.ts'

type Where = Pick<ReplayedSample, 'unit' | 'valid_from' | 'from' | 'to'>

export interface ViewFigures {
  figures: Figures
  /** Other systems whose dossiers count in the same unit and period; the figures leave them out. */
  others: string[]
}

interface RatesRow {
  received: number
  received_online: number
  settled: number
  settled_early: number
  settled_on_time: number
  settled_late: number
  sources: string[]
}

const AT = 'unit_code = {unit:String} AND unit_valid_from = {valid_from:Date}'

/** The view `rates`; where other systems count there too, the sample's part of the view below it. */
export async function figuresOfViews(clickhouse: ClickHouseClient, where: Where): Promise<ViewFigures> {
  const [row] = await rowsOf<RatesRow>(
    clickhouse,
    `SELECT * FROM rates(from={from:Date}, to={to:Date}, tier='province') WHERE ${AT}`,
    { ...where },
  )
  if (row === undefined) return { figures: NO_FIGURES, others: [] }
  const others = row.sources.filter(source => source !== SOURCE)
  if (others.length > 0) return { figures: await figuresOfSampleAlone(clickhouse, where), others }
  const [land] = await rowsOf<RatesRow>(
    clickhouse,
    `SELECT * FROM rates_by_sector(from={from:Date}, to={to:Date}, tier='province') WHERE ${AT} AND sector_code = 'LAND'`,
    { ...where },
  )
  return {
    others,
    figures: {
      received: row.received,
      received_online: row.received_online,
      settled: row.settled,
      settled_on_time: row.settled_early + row.settled_on_time,
      settled_late: row.settled_late,
      land_received: land?.received ?? 0,
      land_online: land?.received_online ?? 0,
    },
  }
}

const LAND = "procedure_code IN (SELECT procedure_code FROM procedures WHERE sector_code = 'LAND')"
const UNITS =
  'unit_code IN (SELECT unit_code FROM administrative_units WHERE province_code = {unit:String} AND valid_from <= {to:Date} AND valid_to >= {from:Date})'

async function figuresOfSampleAlone(clickhouse: ClickHouseClient, where: Where): Promise<Figures> {
  const query_params = { ...where, source: SOURCE }
  const [row] = await rowsOf<Figures>(
    clickhouse,
    `SELECT sum(f.received) AS received, sum(f.received_online) AS received_online, sum(f.settled) AS settled,
      sum(f.settled - f.settled_late) AS settled_on_time, sum(f.settled_late) AS settled_late
    FROM flows_of_tier(tier='province') AS f
    WHERE at_code = {unit:String} AND at_valid_from = {valid_from:Date} AND day BETWEEN {from:Date} AND {to:Date} AND source = {source:String}`,
    query_params,
  )
  const [land] = await rowsOf<Figures>(
    clickhouse,
    `SELECT sum(sign) AS land_received, sumIf(sign, channel = 'ONLINE') AS land_online FROM dossier_postings
    WHERE received_on BETWEEN {from:Date} AND {to:Date} AND source = {source:String} AND ${UNITS} AND ${LAND}`,
    query_params,
  )
  return { ...NO_FIGURES, ...row, ...land }
}

/** The ordinary counting view over the same events, for comparison. */
export async function figuresOfPlainCount(clickhouse: ClickHouseClient, where: Where): Promise<Figures> {
  const query_params = { ...where, source: SOURCE }
  const [row] = await rowsOf<Figures>(
    clickhouse,
    `SELECT sum(f.received) AS received, sum(f.received_online) AS received_online, sum(f.settled) AS settled,
      sum(f.settled - f.settled_late) AS settled_on_time, sum(f.settled_late) AS settled_late
    FROM plain_count AS f
    WHERE source = {source:String} AND month BETWEEN toStartOfMonth({from:Date}) AND {to:Date} AND ${UNITS}`,
    query_params,
  )
  const [land] = await rowsOf<Figures>(
    clickhouse,
    `SELECT count() AS land_received, countIf(channel = 'ONLINE') AS land_online FROM
    (SELECT if(processing_unit != '', processing_unit, receiving_unit) AS unit_code, channel FROM dossier_events
      WHERE event_type = 'RECEIVED' AND source = {source:String} AND ${LAND}
        AND toStartOfMonth(toDate(received_at, 'Asia/Ho_Chi_Minh')) BETWEEN toStartOfMonth({from:Date}) AND {to:Date})
    WHERE ${UNITS}`,
    query_params,
  )
  return { ...NO_FIGURES, ...row, ...land }
}

/** Records of samples in the log, repeats included, by unit. */
export async function recordsInLog(clickhouse: ClickHouseClient): Promise<ReadonlyMap<string, number>> {
  const rows = await rowsOf<{ unit: string; records: number }>(
    clickhouse,
    `SELECT splitByChar('.', dossier_id)[2] AS unit, count() AS records FROM dossier_events
    WHERE source = {source:String} AND startsWith(dossier_id, 'SAMPLE.') GROUP BY unit`,
    { source: SOURCE },
  )
  return new Map(rows.map(row => [row.unit, row.records]))
}

export async function isInLog(clickhouse: ClickHouseClient, event_id: string): Promise<boolean> {
  const rows = await rowsOf(
    clickhouse,
    'SELECT 1 AS found FROM dossier_events WHERE event_id = {event_id:UUID} LIMIT 1',
    { event_id },
  )
  return rows.length > 0
}

export async function anyPosting(clickhouse: ClickHouseClient): Promise<boolean> {
  const query = 'SELECT 1 AS found FROM dossier_postings WHERE source = {source:String} LIMIT 1'
  return (await rowsOf(clickhouse, query, { source: SOURCE })).length > 0
}

/** Whether any dossier whose life a sample decided counts anywhere. */
export async function sampleCounts(clickhouse: ClickHouseClient): Promise<boolean> {
  const [row] = await rowsOf<{ sources: string[] }>(
    clickhouse,
    "SELECT sources FROM rates(from='1990-01-01', to='2100-01-01', tier='country')",
  )
  return row?.sources.includes(SOURCE) ?? false
}
