/**
 * The door: decides whether one dossier event is accepted, the same way for intake (422) and ingest (dead letter).
 *
 * Pure: all it needs to know comes in as arguments. It promises that an accepted event can be stored and counted without
 * further checks; it does not look at other events (that is the fold's duty, inside ClickHouse). What it refuses costs
 * little, however large it is: texts are cut before they are shown, and no event gets more than {@link REFUSALS_MAX}.
 */
import { isUtf8 } from 'node:buffer'
import type { z } from 'zod'
import { faultOf } from '../text.ts'
import { dossierEventJson } from './event.ts'
import {
  AFTER_RECEIVED,
  type DossierEvent,
  FIELDS,
  FUTURE_MS_MAX,
  fieldsOf,
  NULLABLE_FIELDS,
  TIME_MAX_MS,
  TIME_MIN_MS,
} from './fields.ts'

/**
 * Why an event is refused: the closed list of the contract. The last two are not the door's: ingest parks a record at which it
 * crashed more than once, and one that lies in the wrong partition again after it was sent to the right one.
 */
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
  'undecodable',
  'misplaced',
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
  /** The bytes of the record's key; undefined where there is none. */
  key?: Uint8Array | undefined
}

/** How much is told about one event at most; a hostile one could be wrong in a million places. */
const REFUSALS_MAX = 20
const SHOWN_LENGTH_MAX = 80
const SHOWN_KEY_BYTES_MAX = 32

const EVENT_ID = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/
const CLEARABLE: ReadonlySet<string> = new Set(NULLABLE_FIELDS)
const TEXTS = fieldsOf('text')
const TIMES = fieldsOf('time')
const AMOUNTS = fieldsOf('amount')
const UNITS = TEXTS.filter(name => 'unit' in FIELDS[name])

/** All that is wrong with a well-shaped event, in the order of the rules; empty when it is accepted. */
export function judge(event: DossierEvent, context: DoorContext): Refusal[] {
  const refusals: Refusal[] = []
  const refuse = (reason: Reason, field: string, message: string) => refusals.push({ reason, field, message })

  if (event.event_id === '') refuse('not_allowed_value', 'event_id', 'event_id is empty; it must be a UUID')
  else if (!EVENT_ID.test(event.event_id))
    refuse('wrong_type', 'event_id', `event_id is ${show(event.event_id)}; it must be a UUID of 8-4-4-4-12 hex digits`)
  for (const field of TEXTS) {
    const text = event[field]
    if (text === null) continue
    const { characters_max } = FIELDS[field]
    if (text === '') refuse('not_allowed_value', field, `${field} is empty; leave it out or give a value`)
    else if (isLongerThan(text, characters_max))
      refuse('too_long', field, `${field} has ${lengthOf(text)} characters; at most ${characters_max} are allowed`)
    else {
      const fault = faultOf(text)
      if (fault !== undefined) refuse('not_allowed_value', field, `${field} ${fault}`)
    }
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
  if (event.cleared.length > NULLABLE_FIELDS.length)
    refuse(
      'too_long',
      'cleared',
      `cleared has ${event.cleared.length} names; at most ${NULLABLE_FIELDS.length} are allowed, each once`,
    )
  const told = new Set<string>()
  for (const name of event.cleared.slice(0, NULLABLE_FIELDS.length)) {
    if (refusals.length >= REFUSALS_MAX) break
    if (told.has(name)) continue
    if (!CLEARABLE.has(name)) {
      told.add(name)
      refuse('not_allowed_value', 'cleared', `cleared names ${show(name)}; allowed are ${NULLABLE_FIELDS.join(', ')}`)
    } else if (event[name as keyof DossierEvent] !== null) {
      told.add(name)
      refuse('set_and_cleared', name, `${name} has a value and stands in cleared; it can only be one of both`)
    }
  }
  const { received_at } = event
  if (received_at !== null) {
    if (received_at > context.now_ms + FUTURE_MS_MAX)
      refuse(
        'received_in_future',
        'received_at',
        `received_at is ${showTime(received_at)}; it must not lie more than 24 h after ${showTime(context.now_ms)}`,
      )
    for (const [field, reason] of AFTER_RECEIVED) {
      const time_ms = event[field]
      if (time_ms !== null && time_ms < received_at)
        refuse(
          reason,
          field,
          `${field} is ${showTime(time_ms)}; it must not lie before received_at, ${showTime(received_at)}`,
        )
    }
  }
  if (context.key !== undefined && !isTextOf(context.key, event.dossier_id))
    refuse(
      'key_mismatch',
      'dossier_id',
      `the record's key is ${showKey(context.key)}; it must be the dossier_id, ${show(event.dossier_id)}`,
    )
  return refusals.slice(0, REFUSALS_MAX)
}

export type JsonVerdict = { event: DossierEvent; refusals?: undefined } | { event?: undefined; refusals: Refusal[] }

/** The door for one event in JSON: its shape by zod, then the same rules as for Avro. */
export function judgeJson(value: unknown, context: DoorContext): JsonVerdict {
  const parsed = dossierEventJson.safeParse(value)
  if (!parsed.success) return { refusals: shapeRefusalsOf(parsed.error.issues, value) }
  const refusals = judge(parsed.data, context)
  return refusals.length > 0 ? { refusals } : { event: parsed.data }
}

function shapeRefusalsOf(issues: readonly z.core.$ZodIssue[], root: unknown): Refusal[] {
  return issues
    .slice(0, REFUSALS_MAX)
    .flatMap(issue => shapeRefusals(issue, root))
    .slice(0, REFUSALS_MAX)
}

/** A zod issue in the contract's words. */
function shapeRefusals(issue: z.core.$ZodIssue, root: unknown): Refusal[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.slice(0, REFUSALS_MAX).map(key => ({
      reason: 'unknown_field',
      field: key.slice(0, SHOWN_LENGTH_MAX),
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
function lengthOf(text: string): number {
  let length = text.length
  for (let at = 0; at < text.length - 1; at++)
    if (isHighSurrogate(text.charCodeAt(at)) && isLowSurrogate(text.charCodeAt(at + 1))) length--
  return length
}

const isHighSurrogate = (unit: number) => unit >= 0xd800 && unit < 0xdc00
const isLowSurrogate = (unit: number) => unit >= 0xdc00 && unit < 0xe000

const isLongerThan = (text: string, length_max: number) =>
  text.length > length_max && (text.length > 2 * length_max || lengthOf(text) > length_max)

/** Whether bytes are the UTF-8 of a text. Compares bytes: two different keys can decode to the same text. */
function isTextOf(bytes: Uint8Array, text: string): boolean {
  if (bytes.length < text.length || bytes.length > 3 * text.length) return false
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit >= 0x80) return Buffer.from(text).equals(bytes)
    if (unit !== bytes[at]) return false
  }
  return bytes.length === text.length
}

/** A key in an error message: as text, or in hexadecimal where it is none. */
function showKey(key: Uint8Array): string {
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.length)
  if (isUtf8(key)) return show(bytes.toString('utf8', 0, 4 * SHOWN_LENGTH_MAX))
  const more = key.length > SHOWN_KEY_BYTES_MAX ? '…' : ''
  return `0x${bytes.toString('hex', 0, SHOWN_KEY_BYTES_MAX)}${more} (no UTF-8)`
}

/** A value as it stands in an error message: JSON, cut to a length that fits a log line. */
function show(value: unknown): string {
  const text = JSON.stringify(outline(value, { parts: SHOWN_LENGTH_MAX })) ?? String(value)
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX - 1).toWellFormed()}…` : text
}

/** As much of a value as a message can show: JSON.stringify would write out all of it, and fails where it is too deep. */
function outline(value: unknown, left: { parts: number }): unknown {
  left.parts--
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'string') return value.slice(0, SHOWN_LENGTH_MAX)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const items: unknown[] = []
    for (const item of value)
      if (left.parts > 0) items.push(outline(item, left))
      else break
    return items
  }
  const fields: Record<string, unknown> = Object.create(null)
  for (const name in value) {
    if (left.parts <= 0) break
    fields[name.slice(0, SHOWN_LENGTH_MAX)] = outline((value as Record<string, unknown>)[name], left)
  }
  return fields
}

const showTime = (time_ms: number) =>
  Math.abs(time_ms) <= 8.64e15 ? new Date(time_ms).toISOString() : `${time_ms} ms since 1970`
