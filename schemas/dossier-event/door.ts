/**
 * The door: decides whether one dossier event is accepted, the same way for intake (422) and ingest (dead letter).
 *
 * Pure: all it needs to know comes in as arguments. It promises that an accepted event can be stored and counted without
 * further checks; it does not look at other events (that is the fold's duty, inside ClickHouse).
 */
import type { z } from 'zod'
import { type DossierEvent, dossierEventJson, NULLABLE_FIELDS } from './event.ts'

/** Why an event is refused: the closed list of the contract. */
export const REASONS = [
  'unknown_field',
  'missing_field',
  'wrong_type',
  'not_allowed_value',
  'too_long',
  'time_out_of_range',
  'received_in_future',
  'due_before_received',
  'settled_before_received',
  'negative_value',
  'unknown_unit',
  'set_and_cleared',
  'key_mismatch',
  'unknown_magic',
  'unknown_schema',
  'truncated_body',
  'out_of_scope',
] as const
export type Reason = (typeof REASONS)[number]

/** One refusal: which field, why, and a sentence that names the value and what is allowed. */
export interface Refusal {
  reason: Reason
  field: string
  message: string
}

/** What the door knows beside the event itself. */
export interface DoorContext {
  /** Kafka's time of the record; at intake the present moment. Milliseconds since 1970 UTC. */
  now_ms: number
  /** Whether a code stands in any list of administrative units, of any time. */
  knownUnit: (code: string) => boolean
  /** The record's key; undefined where there is none. */
  key?: string | undefined
}

const ID_LENGTH_MAX = 64
const CODE_LENGTH_MAX = 32
const TIME_MIN_MS = Date.UTC(1990, 0, 1)
const TIME_MAX_MS = Date.UTC(2100, 0, 1)
const FUTURE_MS_MAX = 24 * 3_600_000

const EVENT_ID = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/
const CLEARABLE: ReadonlySet<string> = new Set(NULLABLE_FIELDS)
const TEXTS = [
  ['dossier_id', ID_LENGTH_MAX],
  ['source', ID_LENGTH_MAX],
  ['receiving_unit', CODE_LENGTH_MAX],
  ['processing_unit', CODE_LENGTH_MAX],
  ['procedure_code', CODE_LENGTH_MAX],
  ['sector_code', CODE_LENGTH_MAX],
] as const
const TIMES = ['occurred_at', 'received_at', 'due_at', 'settled_at', 'returned_at'] as const
const AMOUNTS = ['revision', 'supplement_pause_ms', 'supplement_requests'] as const
const UNITS = ['receiving_unit', 'processing_unit'] as const

/** All that is wrong with a well-shaped event, in the order of the rules; empty when it is accepted. */
export function judge(event: DossierEvent, context: DoorContext): Refusal[] {
  const refusals: Refusal[] = []
  const refuse = (reason: Reason, field: string, message: string) => refusals.push({ reason, field, message })

  if (event.event_id === '') refuse('not_allowed_value', 'event_id', 'event_id is empty; it must be a UUID')
  else if (!EVENT_ID.test(event.event_id))
    refuse('wrong_type', 'event_id', `event_id is ${show(event.event_id)}; it must be a UUID of 8-4-4-4-12 hex digits`)
  for (const [field, length_max] of TEXTS) {
    const text = event[field]
    if (text === null) continue
    if (text === '') refuse('not_allowed_value', field, `${field} is empty; leave it out or give a value`)
    else if (text.length > length_max && lengthOf(text) > length_max)
      refuse('too_long', field, `${field} has ${lengthOf(text)} characters; at most ${length_max} are allowed`)
    else if (!text.isWellFormed())
      refuse('not_allowed_value', field, `${field} is ${show(text)}; half a surrogate pair is no character`)
  }
  for (const field of TIMES) {
    const time_ms = event[field]
    if (time_ms !== null && !(time_ms >= TIME_MIN_MS && time_ms < TIME_MAX_MS))
      refuse(
        'time_out_of_range',
        field,
        `${field} is ${showTime(time_ms)}; it must lie from 1990-01-01 to before 2100-01-01`,
      )
  }
  for (const field of AMOUNTS) {
    const amount = event[field]
    if (amount !== null && amount < 0) refuse('negative_value', field, `${field} is ${amount}; it must not be negative`)
  }
  for (const field of UNITS) {
    const code = event[field]
    if (code !== null && code !== '' && !context.knownUnit(code))
      refuse(
        'unknown_unit',
        field,
        `${field} is ${show(code)}; it must be the code of a unit in the administrative lists, of any time`,
      )
  }
  for (const name of event.cleared) {
    if (!CLEARABLE.has(name))
      refuse('not_allowed_value', 'cleared', `cleared names ${show(name)}; allowed are ${NULLABLE_FIELDS.join(', ')}`)
    else if (event[name as keyof DossierEvent] !== null)
      refuse('set_and_cleared', name, `${name} has a value and stands in cleared; it can only be one of both`)
  }
  const { received_at } = event
  if (received_at !== null) {
    if (received_at > context.now_ms + FUTURE_MS_MAX)
      refuse(
        'received_in_future',
        'received_at',
        `received_at is ${showTime(received_at)}; it must not lie more than 24 h after ${showTime(context.now_ms)}`,
      )
    if (event.due_at !== null && event.due_at < received_at)
      refuse(
        'due_before_received',
        'due_at',
        `due_at is ${showTime(event.due_at)}; it must not lie before received_at, ${showTime(received_at)}`,
      )
    if (event.settled_at !== null && event.settled_at < received_at)
      refuse(
        'settled_before_received',
        'settled_at',
        `settled_at is ${showTime(event.settled_at)}; it must not lie before received_at, ${showTime(received_at)}`,
      )
  }
  if (context.key !== undefined && context.key !== event.dossier_id)
    refuse(
      'key_mismatch',
      'dossier_id',
      `the record's key is ${show(context.key)}; it must be the dossier_id, ${show(event.dossier_id)}`,
    )
  return refusals
}

export type JsonVerdict = { event: DossierEvent; refusals?: undefined } | { event?: undefined; refusals: Refusal[] }

/** The door for one event in JSON: its shape by zod, then the same rules as for Avro. */
export function judgeJson(value: unknown, context: DoorContext): JsonVerdict {
  const parsed = dossierEventJson.safeParse(value)
  if (!parsed.success) return { refusals: parsed.error.issues.flatMap(issue => shapeRefusals(issue, value)) }
  const refusals = judge(parsed.data, context)
  return refusals.length > 0 ? { refusals } : { event: parsed.data }
}

/** A zod issue in the contract's words. */
function shapeRefusals(issue: z.core.$ZodIssue, root: unknown): Refusal[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map(key => ({
      reason: 'unknown_field',
      field: key,
      message: `${show(key)} is no field of a dossier event; allowed are ${Object.keys(dossierEventJson.shape).join(', ')}`,
    }))
  const field = issue.path.length === 0 ? '' : String(issue.path[0])
  const value = issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], root)
  if ((value === undefined || value === null) && field !== '')
    return [{ reason: 'missing_field', field, message: `${field} is missing; every event must carry it` }]
  if (field === '')
    return [
      { reason: 'wrong_type', field, message: `an event must be a JSON object with named fields, not ${show(value)}` },
    ]
  if (issue.code === 'invalid_value' && typeof value === 'string')
    return [
      {
        reason: 'not_allowed_value',
        field,
        message: `${field} is ${show(value)}; allowed are ${issue.values.join(', ')}`,
      },
    ]
  if (value === '')
    return [{ reason: 'not_allowed_value', field, message: `${field} is empty; leave it out or give a value` }]
  return [{ reason: 'wrong_type', field, message: `${field} is ${show(value)}; ${allowed(issue)}` }]
}

function allowed(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') return `it must be of type ${issue.expected}`
  if (issue.code === 'invalid_value') return `allowed are ${issue.values.join(', ')}`
  if (issue.code === 'too_big') return `it must be at most ${issue.maximum}`
  if (issue.code === 'too_small') return `it must be at least ${issue.minimum}`
  return `it must be ${issue.message}`
}

/** Characters, not UTF-16 units: what a person would count. */
const lengthOf = (text: string) => [...text].length

/** A value as it stands in an error message: JSON, cut to a length that fits a log line. */
function show(value: unknown): string {
  const text = JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner)) ?? String(value)
  return text.length > 80 ? `${text.slice(0, 79)}…` : text
}

const showTime = (time_ms: number) =>
  Math.abs(time_ms) <= 8.64e15 ? new Date(time_ms).toISOString() : `${time_ms} ms since 1970`
