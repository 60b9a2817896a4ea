/**
 * Every question the portal asks ClickHouse, and nothing else.
 *
 * Promises: questions only read; each has a limit in time; viewers who ask the same within a second share one answer (so an
 * answer may be that old). No text of a visitor becomes SQL: values travel as parameters, names come from closed lists.
 * On failure the promise rejects with {@link FiguresError}; nothing is answered with half a result.
 */
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client'
import { rowsOf } from '../../common/clickhouse.ts'
import { TOPIC } from '../../common/progress.ts'
import { overColumns } from '../../pipelines/indicators/measures.ts'
import type { Calendar } from './period.ts'
import { createShare, type Share } from './share.ts'
import { createUnits, type Tier, type Unit, type Units } from './units.ts'

export class FiguresError extends Error {
  readonly code = 'FIGURES_UNAVAILABLE'
  readonly statusCode = 503
}

/** What is counted. Rates are only ever made of these. */
export interface Counts {
  received: number
  received_online: number
  settled: number
  settled_early: number
  settled_on_time: number
  settled_late: number
}

/** A row of the view `rates`. */
export interface RatesRow extends Counts {
  unit_code: string
  unit_valid_from: string
  unit_name: string
  online_rate: number | null
  on_time_rate: number | null
  sources: string[]
}

/** A part of a unit: a unit below it, a month of it, or what was recorded at the unit itself. */
export interface Part extends Counts {
  kind: 'province' | 'district' | 'commune' | 'own' | 'month'
  /** Code of the unit; of a month its first day; empty for the unit itself. */
  code: string
  valid_from: string
  name: string
  /** For months of a commune: the province they count for. */
  province: string
  sources: string[]
}

export interface RatesQuestion {
  tier: Tier
  from: string
  to: string
  /** Only rows of this unit, or, where it stands above the tier, only the units within it. */
  unit?: { code: string; level: Tier } | undefined
}

/** A row of the view `indicator_values` or `indicator_values_rebased`. */
export interface IndicatorsRow {
  indicator_code: string
  indicator_version: number
  name_vi: string
  name_en: string
  unit_code: string
  unit_valid_from: string
  unit_name: string
  numerator: number
  denominator: number
  value: number | null
  comparable?: boolean
}

export interface IndicatorsQuestion {
  tier: Tier
  from: string
  to: string
  unit?: string | undefined
  indicator?: string | undefined
  /** `as_recorded`, or the day on whose units the figures stand. */
  units: string
  split: string
}

export interface PartsQuestion {
  /** Undefined: the country. */
  unit?: Pick<Unit, 'code' | 'valid_from' | 'level'> | undefined
  from: string
  to: string
}

/** The state of the log: how many events, and up to when the figures hold everything that was ingested. */
export interface Moment {
  events: number
  as_of_ms: number | undefined
}

export interface EventRow {
  id: string
  event_type: string
  dossier_id: string
  source: string
  occurred_at_ms: number
  ingested_at_ms: number
  /** Unit of the dossier, as far as it is known; empty: not known. */
  unit_code: string
}

export interface DeadLetterRow {
  id: string
  reason: string
  field: string
  message: string
  failed_at_ms: number
}

export interface AlertRow {
  alert_id: string
  state: string
  severity: string
  unit_code: string
  value: number | null
  numerator: number | null
  denominator: number | null
  threshold: number | null
  window_from_ms: number
  window_to_ms: number
  changed_at_ms: number
  text_vi: string
  text_en: string
}

/** Days between which a province has sample dossiers. */
export interface SampleSpan {
  province_code: string
  first: string
  last: string
}

export interface Figures {
  rates(question: RatesQuestion): Promise<RatesRow[]>
  indicators(question: IndicatorsQuestion): Promise<IndicatorsRow[]>
  parts(question: PartsQuestion): Promise<Part[]>
  calendar(): Promise<Calendar>
  samples(): Promise<SampleSpan[]>
  units(): Promise<Units>
  moment(): Promise<Moment>
  lastEvents(): Promise<EventRow[]>
  deadLetters(): Promise<{ total: number; rows: DeadLetterRow[] }>
  openAlerts(): Promise<AlertRow[]>
  /** Names of needed tables and views that are not there. */
  missing(): Promise<string[]>
}

export interface FiguresOptions {
  /** How long an answer serves everyone who asks the same. */
  fresh_ms?: number
}

const FRESH_MS = 1_000
/** Months that hold dossiers, and which provinces hold samples, change seldom. */
const CALENDAR_FRESH_MS = 3_000
const SAMPLES_FRESH_MS = 15_000
const UNITS_FRESH_MS = 60_000
const EVENTS_MAX = 12
const DEAD_LETTERS_MAX = 5
const ALERTS_MAX = 50

/** Read from every session, never inherited: a view computes with the settings of whoever reads it. */
const SETTINGS: ClickHouseSettings = {
  max_execution_time: 10,
  join_use_nulls: 0,
  aggregate_functions_null_for_empty: 0,
}
export const PORTAL_SETTINGS = SETTINGS
export const PORTAL_REQUEST_MS_MAX = 15_000

const NEEDED = [
  'rates',
  'indicators',
  'indicator_values',
  'indicator_values_rebased',
  'flows',
  'unit_on_day',
  'administrative_units',
  'dossier_events',
  'ingest_watermark',
  'dead_letters',
  'open_alerts',
]

const COUNTS = 'received, received_online, settled, settled_early, settled_on_time, settled_late'
const NOT_EMPTY = 'received != 0 OR received_online != 0 OR settled != 0 OR settled_early != 0 OR settled_late != 0'

type Ask = <Row>(query: string, parameters?: Record<string, unknown>) => Promise<Row[]>

export function createFigures(client: ClickHouseClient, { fresh_ms = FRESH_MS }: FiguresOptions = {}): Figures {
  const share: Share = createShare({ fresh_ms })
  const ask: Ask = async (query, parameters = {}) => {
    try {
      return await rowsOf(client, query, parameters)
    } catch (cause) {
      throw new FiguresError('ClickHouse did not answer a question of the portal', { cause })
    }
  }
  const longer = (wanted_ms: number) => (fresh_ms === 0 ? 0 : wanted_ms)
  return {
    rates: question => share(`rates ${JSON.stringify(question)}`, () => rates(ask, question)),
    indicators: question => share(`indicators ${JSON.stringify(question)}`, () => indicators(ask, question)),
    parts: question => share(`parts ${JSON.stringify(question)}`, () => parts(ask, question)),
    calendar: () => share('calendar', () => calendar(ask), longer(CALENDAR_FRESH_MS)),
    samples: () => share('samples', () => samples(ask), longer(SAMPLES_FRESH_MS)),
    units: async () => {
      const units = await share('units', () => loadUnits(ask), longer(UNITS_FRESH_MS))
      // Before the reference data are loaded: ask again soon.
      return units.size > 0 ? units : share('units, none yet', () => loadUnits(ask))
    },
    moment: () => share('moment', () => moment(ask)),
    lastEvents: () => share('events', () => lastEvents(ask)),
    deadLetters: () => share('dead letters', () => deadLetters(ask)),
    openAlerts: () => share('alerts', () => openAlerts(ask)),
    missing: () => share('missing', () => missing(ask)),
  }
}

/** The contract's rows, from the view `rates`; within a unit above the tier, from the same flows. */
function rates(ask: Ask, { tier, from, to, unit }: RatesQuestion): Promise<RatesRow[]> {
  if (unit !== undefined && unit.level !== tier) return ratesWithin(ask, { tier, from, to, unit })
  const only = unit === undefined ? '' : 'WHERE unit_code = {unit:String}'
  return ask(
    `SELECT unit_code, unit_valid_from, unit_name, received, received_online, online_rate, settled, settled_early, settled_on_time, settled_late, on_time_rate, sources
     FROM rates(from = {from:Date}, to = {to:Date}, tier = {tier:String}) ${only} ORDER BY unit_code, unit_valid_from`,
    { tier, from, to, ...(unit === undefined ? {} : { unit: unit.code }) },
  )
}

function indicators(ask: Ask, { unit, indicator, ...period }: IndicatorsQuestion): Promise<IndicatorsRow[]> {
  const recorded = period.units === 'as_recorded'
  const words = 'from = {from:Date}, to = {to:Date}, tier = {tier:String}'
  const view = recorded
    ? `indicator_values(${words})`
    : `indicator_values_rebased(${words}, units = {units:String}, split = {split:String})`
  const only = [
    ...(unit === undefined ? [] : ['unit_code = {unit:String}']),
    ...(indicator === undefined ? [] : ['indicator_code = {indicator:String}']),
  ]
  return ask(
    `SELECT v.indicator_code AS indicator_code, indicator_version, name_vi, name_en, unit_code, unit_valid_from, unit_name,
       toFloat64(v.numerator) AS numerator, toFloat64(v.denominator) AS denominator, value${recorded ? '' : ', comparable'}
     FROM ${view} AS v
     ANY LEFT JOIN indicators AS i ON v.indicator_code = i.indicator_code AND v.indicator_version = i.version
     ${only.length === 0 ? '' : `WHERE ${only.join(' AND ')}`}
     ORDER BY indicator_code, unit_code, unit_valid_from`,
    { ...period, ...(unit !== undefined && { unit }), ...(indicator !== undefined && { indicator }) },
  )
}

/** The rates of the pages, as the catalogue has them. */
const ONLINE = overColumns('online_submission', { day: '{to:Date}' })
const ON_TIME = overColumns('on_time', { day: '{to:Date}' })

const COLUMNS: Record<Exclude<Tier, 'country'>, { code: string; valid_from: string; name: string }> = {
  commune: { code: 'u.commune_code', valid_from: 'u.commune_valid_from', name: 'u.commune_name' },
  district: { code: 'u.district_code', valid_from: 'u.district_valid_from', name: 'u.district_name' },
  province: { code: 'u.province_code', valid_from: 'u.province_valid_from', name: 'u.province_name' },
}

function ratesWithin(
  ask: Ask,
  { tier, from, to, unit }: RatesQuestion & { unit: { code: string; level: Tier } },
): Promise<RatesRow[]> {
  if (tier === 'country') throw new Error('nothing stands above the country')
  const { code, valid_from, name } = COLUMNS[tier]
  const within = unit.level === 'country' ? '' : `AND ${COLUMNS[unit.level].code} = {unit:String}`
  return ask(
    `SELECT part_code AS unit_code, part_valid_from AS unit_valid_from, part_name AS unit_name, received, received_online,
       ${ONLINE.value} AS online_rate, settled, settled_early, settled_on_time, settled_late,
       ${ON_TIME.value} AS on_time_rate, sources
     FROM (${grouped({ kind: `'${tier}'`, code, valid_from, name, province: `''` }, `${code} != '' ${within}`)})
     ORDER BY unit_code, unit_valid_from`,
    { from, to, unit: unit.code },
  )
}

interface PartColumns {
  kind: string
  code: string
  valid_from: string
  name: string
  province: string
}

/** Sums of flows per part of a unit, on their day: the arithmetic of the view `rates`, with the unit above kept in sight. */
const grouped = ({ kind, code, valid_from, name, province }: PartColumns, where: string): string =>
  `SELECT part_kind, part_code, part_valid_from, any(a_name) AS part_name, part_province,
     sum(n_received) AS received, sum(n_online) AS received_online, sum(n_settled) AS settled, sum(n_early) AS settled_early,
     settled - settled_early - settled_late AS settled_on_time, sum(n_late) AS settled_late,
     arraySort(groupArrayIf(from_source, n_received != 0 OR n_settled != 0)) AS sources
   FROM (
     SELECT ${kind} AS part_kind, ${code} AS part_code, ${valid_from} AS part_valid_from, any(${name}) AS a_name, ${province} AS part_province, f.source AS from_source,
       sum(f.received) AS n_received, sumIf(f.received, f.channel = 'ONLINE') AS n_online,
       sum(f.settled) AS n_settled, sum(f.settled_early) AS n_early, sum(f.settled_late) AS n_late
     FROM flows AS f ASOF LEFT JOIN unit_on_day AS u ON f.unit_code = u.unit_code AND f.day >= u.from_day
     WHERE f.day BETWEEN {from:Date} AND {to:Date} AND ${where}
     GROUP BY part_kind, part_code, part_valid_from, part_province, from_source
   )
   GROUP BY part_kind, part_code, part_valid_from, part_province
   HAVING ${NOT_EMPTY}`

/** A province has districts and, from 1 July 2025 or where a code says no more, communes and itself: all parts, so that they add up. */
const PARTS: Record<Tier, { columns: PartColumns; where: string }> = {
  country: { columns: { kind: `'province'`, ...COLUMNS.province, province: `''` }, where: `u.province_code != ''` },
  province: {
    columns: {
      kind: `multiIf(u.district_code != '', 'district', u.commune_code != '', 'commune', 'own')`,
      code: `if(u.district_code != '', u.district_code, u.commune_code)`,
      valid_from: "if(u.district_code != '', u.district_valid_from, u.commune_valid_from)",
      name: `if(u.district_code != '', u.district_name, u.commune_name)`,
      province: `''`,
    },
    where: 'u.province_code = {unit:String} AND u.province_valid_from = {valid_from:Date}',
  },
  district: {
    columns: { kind: `if(u.commune_code != '', 'commune', 'own')`, ...COLUMNS.commune, province: `''` },
    where: 'u.district_code = {unit:String} AND u.district_valid_from = {valid_from:Date}',
  },
  commune: {
    columns: {
      kind: `'month'`,
      code: 'toString(toStartOfMonth(f.day))',
      valid_from: 'toDate(0)',
      name: `''`,
      province: 'u.province_name',
    },
    where: 'u.commune_code = {unit:String} AND u.commune_valid_from = {valid_from:Date}',
  },
}

function parts(ask: Ask, { unit, from, to }: PartsQuestion): Promise<Part[]> {
  const { columns, where } = PARTS[unit?.level ?? 'country']
  return ask(
    `SELECT part_kind AS kind, part_code AS code, part_valid_from AS valid_from, part_name AS name, part_province AS province, ${COUNTS}, sources
     FROM (${grouped(columns, where)}) ORDER BY code, valid_from, province`,
    { from, to, ...(unit === undefined ? {} : { unit: unit.code, valid_from: unit.valid_from }) },
  )
}

async function calendar(ask: Ask): Promise<Calendar> {
  const months = await ask<{ month: string; first: string; last: string }>(
    `SELECT toStartOfMonth(day) AS month, min(day) AS first, max(day) AS last
     FROM (SELECT day FROM flows GROUP BY day HAVING sum(received) != 0 OR sum(settled) != 0)
     GROUP BY month ORDER BY month`,
  )
  return { months: months.map(row => row.month), first: months[0]?.first ?? '', last: months.at(-1)?.last ?? '' }
}

const samples = (ask: Ask): Promise<SampleSpan[]> =>
  ask(
    `SELECT province AS province_code, min(day) AS first, max(day) AS last
     FROM (
       SELECT u.province_code AS province, f.day AS day
       FROM flows AS f ASOF LEFT JOIN unit_on_day AS u ON f.unit_code = u.unit_code AND f.day >= u.from_day
       WHERE f.source = 'sample' GROUP BY province, day HAVING sum(f.received) != 0 OR sum(f.settled) != 0
     )
     GROUP BY province`,
  )

async function loadUnits(ask: Ask): Promise<Units> {
  return createUnits(
    await ask<Unit>(
      'SELECT unit_code AS code, level, name, province_code, district_code, valid_from, valid_to FROM administrative_units',
    ),
  )
}

/** Where no ingest has reported how far it has come, the newest event stands for it. */
async function moment(ask: Ask): Promise<Moment> {
  const [row] = await ask<{ events: number; as_of_ms: number }>(
    `SELECT (SELECT max(complete_to) FROM ingest_watermark WHERE topic = {topic:String}) AS complete_to, count() AS events,
       toUnixTimestamp64Milli(if(complete_to = toDateTime64(0, 3, 'UTC'), max(ingested_at), complete_to)) AS as_of_ms
     FROM dossier_events`,
    { topic: TOPIC },
  )
  return row === undefined || row.events === 0
    ? { events: 0, as_of_ms: undefined }
    : { events: row.events, as_of_ms: row.as_of_ms }
}

/** An event need not name the unit of its dossier, so the few dossiers on the list are folded for it. */
async function lastEvents(ask: Ask): Promise<EventRow[]> {
  const events = await ask<Omit<EventRow, 'unit_code'>>(
    `SELECT concat(topic, '-', toString(partition), '-', toString(offset)) AS id, event_type, dossier_id, source,
       toUnixTimestamp64Milli(occurred_at) AS occurred_at_ms, toUnixTimestamp64Milli(ingested_at) AS ingested_at_ms
     FROM dossier_events ORDER BY ingested_at DESC, offset DESC, partition LIMIT ${EVENTS_MAX}`,
  )
  if (events.length === 0) return []
  const dossiers = await ask<{ id: string; unit_code: string }>(
    `SELECT dossier_id AS id, argMaxIf(processing_unit, rank, bitTest(says, 1)) AS processing, argMaxIf(receiving_unit, rank, bitTest(says, 0)) AS receiving,
       if(processing != '', processing, receiving) AS unit_code
     FROM dossier_events WHERE slot IN ({slots:Array(UInt32)}) AND dossier_id IN ({ids:Array(String)}) GROUP BY dossier_id`,
    { ids: events.map(event => event.dossier_id), slots: [...new Set(events.map(event => slotOf(event.dossier_id)))] },
  )
  const unitOf = new Map(dossiers.map(dossier => [dossier.id, dossier.unit_code]))
  return events.map(event => ({ ...event, unit_code: unitOf.get(event.dossier_id) ?? '' }))
}

/** As the column `slot` has it: the number between the first two hyphens, 0 where there is none. */
function slotOf(dossierId: string): number {
  const text = dossierId.split('-')[1] ?? ''
  const value = /^\d+$/.test(text) ? Number(text) : 0
  return value <= 4_294_967_295 ? value : 0
}

async function deadLetters(ask: Ask): Promise<{ total: number; rows: DeadLetterRow[] }> {
  const rows = await ask<DeadLetterRow & { total: number }>(
    `SELECT concat(topic, '-', toString(dlq_partition), '-', toString(dlq_offset)) AS id, reason, field, substringUTF8(message, 1, 300) AS message,
       toUnixTimestamp64Milli(failed_at) AS failed_at_ms, count() OVER () AS total
     FROM dead_letters FINAL ORDER BY failed_at DESC, dlq_offset DESC LIMIT ${DEAD_LETTERS_MAX}`,
  )
  return { total: rows[0]?.total ?? 0, rows: rows.map(({ total: _, ...row }) => row) }
}

const openAlerts = (ask: Ask): Promise<AlertRow[]> =>
  ask(
    `SELECT toString(alert_id) AS alert_id, state, severity, unit_code, value, numerator, denominator, threshold, text_vi, text_en,
       toUnixTimestamp64Milli(window_from) AS window_from_ms, toUnixTimestamp64Milli(window_to) AS window_to_ms, toUnixTimestamp64Milli(changed_at) AS changed_at_ms
     FROM open_alerts
     ORDER BY indexOf(['critical', 'warning', 'info'], severity), window_to DESC, value, unit_code LIMIT ${ALERTS_MAX}`,
  )

async function missing(ask: Ask): Promise<string[]> {
  const there = await ask<{ name: string }>(
    'SELECT name FROM system.tables WHERE database = currentDatabase() AND name IN ({names:Array(String)})',
    { names: NEEDED },
  )
  return NEEDED.filter(name => !there.some(row => row.name === name))
}
