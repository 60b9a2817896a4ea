/**
 * The ledger against the log, dossier by dossier: the events are folded once more on another road (sorted by the text of
 * their ids and numbered, where the ledger goes by `rank`), and per dossier and counted facts the postings must sum to what
 * this fold says, 1 or 0. Reads only, a slice at a time.
 *
 * Postings are told apart by the facts they show, not by the hash stored beside them: an altered posting shows.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../../common/clickhouse.ts'
import type { Slice } from './slices.ts'

/** What is wrong with a dossier's postings. */
export type DifferenceKind =
  /** There are postings, and no event in the log. */
  | 'unknown_dossier'
  /** The signs of some facts sum to neither 0 nor 1. */
  | 'unbalanced'
  /** Other facts stand than the events say, or none, or some that should not. */
  | 'other_facts'

export interface Difference {
  dossier_id: string
  kind: DifferenceKind
  /** Units at which it counts wrongly. */
  units: string[]
  /** The facts that stand and should not, or the other way round: `+1 {…}` is one too many. */
  facts: string[]
}

export interface Conflict {
  event_id: string
  dossier_ids: string[]
}

export interface Quarantined {
  dossier_id: string
  reasons: string[]
}

/** Columns of the ledger that are the facts of a posting, in the order of their hash. */
const FACTS = [
  ...['unit_code', 'receiving_unit', 'source', 'procedure_code', 'sector_code', 'channel', 'service_level'],
  ...['received_on', 'due_on', 'settled_on', 'compared_on', 'returned_on'],
  ...['ended_on', 'ended_as', 'overdue_on', 'waiting_on', 'supplement_requests'],
  ...['fee_due', 'paid_online', 'digital_result', 'digitised', 'data_reused'],
]
const FACTS_LIST = FACTS.join(', ')
const FACTS_HASH = `cityHash64(${FACTS_LIST})`

/** Fields in the order of the bits of `says`; after them come the life of the dossier and its waiting for a supplement. */
const FIELDS = [
  ...['receiving_unit', 'processing_unit', 'procedure_code', 'sector_code', 'channel', 'service_level'],
  ...['received_at', 'due_at', 'settled_at', 'returned_at', 'supplement_pause_ms', 'supplement_requests'],
  ...['fee_due', 'paid_online', 'digital_result', 'digitised', 'data_reused'],
]
const LIFE_BIT = FIELDS.length
const WAITING_BIT = LIFE_BIT + 1
const CONTENT = ['revision', 'event_type', 'occurred_at', 'source', ...FIELDS, 'arraySort(cleared)', 'says']

/** All that a query of the audit may take. */
export const AUDIT_SETTINGS = {
  max_threads: 2,
  max_memory_usage: '1000000000',
  max_bytes_before_external_group_by: '500000000',
  max_bytes_before_external_sort: '500000000',
  max_execution_time: 3_600,
  max_query_size: '4000000',
  join_use_nulls: 0,
  aggregate_functions_null_for_empty: 0,
  transform_null_in: 0,
} as const

/** The client waits as long as the server may take. */
export const AUDIT_REQUEST_MS_MAX = 3_600_000

const NO_TIME = "toDateTime64(0, 3, 'UTC')"
/** A time of the log as a day at +07:00; no time is day 0. */
const dayOf = (time: string, less_ms = '0') =>
  `if(${time} = ${NO_TIME}, toDate(0), toDate(fromUnixTimestamp64Milli(greatest(toUnixTimestamp64Milli(${time}) - ${less_ms} + 25200000, 0), 'UTC')))`
/** A day is 16 bits wide: later than its last means never. */
const LAST_DAY = "toDate('2149-06-06')"

/** The state of every dossier of a slice, from the log alone. */
const foldOf = (slice: Slice) => `
  SELECT dossier_id,
    if(f_processing_unit != '', f_processing_unit, f_receiving_unit) AS unit_code, f_receiving_unit AS receiving_unit, f_source AS source,
    f_procedure_code AS procedure_code, f_sector_code AS sector_code, f_channel AS channel, f_service_level AS service_level,
    ${dayOf('f_received_at')} AS received_on, ${dayOf('f_due_at')} AS due_on, ${dayOf('f_settled_at')} AS settled_on,
    ${dayOf('f_settled_at', 'f_supplement_pause_ms')} AS compared_on, ${dayOf('f_returned_at')} AS returned_on,
    f_settled_at = ${NO_TIME} AND f_returned_at = ${NO_TIME} AND f_life NOT IN ('SETTLED', 'RETURNED', 'WITHDRAWN', 'STOPPED') AS pending,
    if(f_settled_at != ${NO_TIME}, settled_on, if(f_returned_at != ${NO_TIME}, returned_on, ${dayOf('f_life_at')})) AS end_day,
    if(pending, toDate(0), if(end_day < received_on, received_on, end_day)) AS ended_on,
    if(pending, '', if(f_settled_at != ${NO_TIME}, 'SETTLED', if(f_returned_at != ${NO_TIME}, 'RETURNED', toString(f_life)))) AS ended_as,
    addDays(due_on, least(1 + intDiv(f_supplement_pause_ms, 86400000), dateDiff('day', due_on, ${LAST_DAY}))) AS late_day,
    if(f_due_at = ${NO_TIME}, toDate(0), if(late_day < received_on, received_on, late_day)) AS overdue_on,
    if(pending AND f_waiting = 'SUPPLEMENT_REQUESTED', ${dayOf('f_waiting_at')}, toDate(0)) AS waiting_on,
    f_supplement_requests AS supplement_requests,
    ${['fee_due', 'paid_online', 'digital_result', 'digitised', 'data_reused'].map(field => `f_${field} AS ${field}`).join(', ')},
    unit_code != '' AND received_on != toDate(0) AND f_life NOT IN ('VOIDED', 'NOT_ACCEPTED') AS counted
  FROM
  (
    SELECT dossier_id,
      argMaxIf(event_type, place, bitTest(says, ${LIFE_BIT})) AS f_life, argMaxIf(source, place, bitTest(says, ${LIFE_BIT})) AS f_source,
      argMaxIf(occurred_at, place, bitTest(says, ${LIFE_BIT})) AS f_life_at,
      argMaxIf(event_type, place, bitTest(says, ${WAITING_BIT})) AS f_waiting, argMaxIf(occurred_at, place, bitTest(says, ${WAITING_BIT})) AS f_waiting_at,
      ${FIELDS.map((field, bit) => `argMaxIf(${field}, place, bitTest(says, ${bit})) AS f_${field}`).join(',\n      ')}
    FROM
    (
      SELECT dossier_id, says, event_type, occurred_at, source, ${FIELDS.join(', ')},
        row_number() OVER (PARTITION BY dossier_id ORDER BY revision, lower(toString(event_id))) AS place
      FROM dossier_events WHERE ${slice}
    )
    GROUP BY dossier_id
  )`

/** Per dossier and facts: what stands in the ledger, and what the events tell. */
const comparedOf = (slice: Slice) => `
  SELECT dossier_id, hash, sum(stand) AS stands, sum(tell) AS tells, max(in_log) AS known, sum(stale) AS stale_hashes,
    any(facts) AS one_facts, any(unit) AS one_unit
  FROM
  (
    SELECT dossier_id, ${FACTS_HASH} AS hash, toInt64(0) AS stand, toInt64(counted) AS tell, 1 AS in_log, 0 AS stale,
      unit_code AS unit, tuple(${FACTS_LIST}) AS facts
    FROM (${foldOf(slice)})
    UNION ALL
    SELECT dossier_id, ${FACTS_HASH} AS hash, toInt64(sign) AS stand, toInt64(0) AS tell, 0 AS in_log, dossier_postings.facts != hash AS stale,
      unit_code AS unit, tuple(${FACTS_LIST}) AS facts
    FROM dossier_postings WHERE ${slice}
  )
  GROUP BY dossier_id, hash`

export interface SliceFindings {
  dossiers: number
  differing: number
  /** Some of them, up to a limit. */
  differences: Difference[]
  /** Postings whose stored hash is not that of their facts: once altered, and balanced since. They do no harm. */
  stale_hashes: number
}

type DifferenceRow = [dossier_id: string, known: number, unbalanced: number, units: string[], facts: string[]]

/** Holds the ledger against the log and names up to `limit` dossiers that differ. */
export async function compareLedger(clickhouse: ClickHouseClient, slice: Slice, limit: number): Promise<SliceFindings> {
  const [row] = await rowsOf<{ dossiers: number; differing: number; stale_hashes: number; named: DifferenceRow[] }>(
    clickhouse,
    `SELECT count() AS dossiers, countIf(differs) AS differing, sum(stale) AS stale_hashes,
       arraySort(groupArrayIf(${Math.max(limit, 1)})(tuple(dossier_id, known, unbalanced, units, facts), differs)) AS named
     FROM
     (
       SELECT dossier_id, max(known) AS known, countIf(stands NOT IN (0, 1)) AS unbalanced, countIf(stands != tells) > 0 OR known = 0 AS differs,
         arraySort(groupUniqArrayIf(10)(one_unit, stands != tells)) AS units,
         arraySort(groupArrayIf(6)(concat(if(stands > tells, '+', ''), toString(stands - tells), ' ', toString(one_facts)), stands != tells)) AS facts,
         sum(stale_hashes) AS stale
       FROM (${comparedOf(slice)})
       GROUP BY dossier_id
     )
     SETTINGS output_format_json_named_tuples_as_objects = 0`,
  )
  if (row === undefined) throw new Error('ClickHouse answered a sum with no row')
  const { named, ...counts } = row
  return {
    ...counts,
    differences: named.slice(0, limit).map(([dossier_id, known, unbalanced, units, facts]) => ({
      dossier_id,
      kind: known === 0 ? 'unknown_dossier' : unbalanced > 0 ? 'unbalanced' : 'other_facts',
      units,
      facts,
    })),
  }
}

/** Different events of one dossier under one event_id. */
export async function conflictsWithin(clickhouse: ClickHouseClient, slice: Slice): Promise<Conflict[]> {
  const rows = await rowsOf<{ event_id: string; dossier_id: string }>(
    clickhouse,
    `SELECT toString(event_id) AS event_id, dossier_id FROM dossier_events WHERE ${slice}
     GROUP BY dossier_id, dossier_events.event_id HAVING min(cityHash64(${CONTENT.join(', ')})) != max(cityHash64(${CONTENT.join(', ')}))`,
  )
  return rows.map(({ event_id, dossier_id }) => ({ event_id, dossier_ids: [dossier_id] }))
}

const IDS_AT_ONCE = 2_000_000

/** Events of different dossiers under one event_id, over the whole log; as many passes as memory asks for. */
export async function conflictsAcross(clickhouse: ClickHouseClient, events: number): Promise<Conflict[]> {
  const passes = Math.max(1, Math.ceil(events / IDS_AT_ONCE))
  const found: Conflict[] = []
  for (let pass = 0; pass < passes; pass++)
    found.push(
      ...(await rowsOf<Conflict>(
        clickhouse,
        `SELECT toString(event_id) AS event_id, arraySort(groupUniqArray(3)(dossier_id)) AS dossier_ids FROM dossier_events
         WHERE event_id IN (
           SELECT event_id FROM dossier_events WHERE cityHash64(event_id) % ${passes} = ${pass}
           GROUP BY event_id HAVING min(cityHash64(dossier_id)) != max(cityHash64(dossier_id)))
         GROUP BY dossier_events.event_id`,
      )),
    )
  return found
}

/** Dossiers of a slice whose events contradict each other, by reason, with some of them named. */
export async function quarantinedIn(
  clickhouse: ClickHouseClient,
  slice: Slice,
  limit: number,
): Promise<{ total: number; by_reason: Record<string, number>; named: Quarantined[] }> {
  const rows = await rowsOf<{ reasons: string[]; dossiers: number; named: string[] }>(
    clickhouse,
    `SELECT reasons, count() AS dossiers, arraySort(groupArray(${Math.max(limit, 1)})(dossier_id)) AS named FROM quarantined_dossiers WHERE ${slice} GROUP BY reasons`,
  )
  const by_reason: Record<string, number> = {}
  for (const { reasons, dossiers } of rows)
    for (const reason of reasons) by_reason[reason] = (by_reason[reason] ?? 0) + dossiers
  return {
    total: rows.reduce((sum, { dossiers }) => sum + dossiers, 0),
    by_reason,
    named: rows.flatMap(({ reasons, named }) => named.map(dossier_id => ({ dossier_id, reasons }))).slice(0, limit),
  }
}
