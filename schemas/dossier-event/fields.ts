/**
 * The fields of a dossier event, in order, and what each may say: the one table of which the JSON form (event.ts), the door
 * (door.ts) and the scanner of Avro bytes (scanner.ts) are made. The rules are those of the contract, "Door".
 *
 * A new field goes last and is nullable: events that were written before it can then be read as if they did not speak of it.
 */

/** What a field holds. */
export type Rule =
  /** 8-4-4-4-12 hex digits. */
  | { kind: 'uuid' }
  /** An id, a code or a name (text.ts); `unit`: in the lists of administrative units. */
  | { kind: 'text'; characters_max: number; unit?: true }
  /** A whole number, not negative. */
  | { kind: 'amount'; bits: 32 | 64 }
  | { kind: 'choice'; of: readonly string[] }
  /** A moment, from {@link TIME_MIN_MS} to before {@link TIME_MAX_MS}. */
  | { kind: 'time' }
  | { kind: 'flag' }
  /** Names of nullable fields that the event empties. */
  | { kind: 'cleared' }

/** `bit`: of a nullable field, its place in `says` (says.ts, which has 17 and 18); it never changes. */
export type Field = Rule & { bit?: number }

export const EVENT_TYPES = [
  'SUBMITTED',
  'RECEIVED',
  'NOT_ACCEPTED',
  'PROCESSING',
  'SUPPLEMENT_REQUESTED',
  'SUPPLEMENT_RECEIVED',
  'FEE_REQUESTED',
  'DEADLINE_CHANGED',
  'SETTLED',
  'RETURNED',
  'WITHDRAWN',
  'STOPPED',
  'CORRECTED',
  'VOIDED',
] as const
export type EventType = (typeof EVENT_TYPES)[number]
export const CHANNELS = ['ONLINE', 'COUNTER', 'POSTAL'] as const
export const SERVICE_LEVELS = ['FULL', 'PARTIAL', 'INFORMATION'] as const

/** 1990 to before 2100, in milliseconds since 1970 UTC. */
export const TIME_MIN_MS = Date.UTC(1990, 0, 1)
export const TIME_MAX_MS = Date.UTC(2100, 0, 1)
/** `received_at` may lie so far after Kafka's time of the record. */
export const FUTURE_MS_MAX = 24 * 3_600_000

const ID = { kind: 'text', characters_max: 64 } as const
const CODE = { kind: 'text', characters_max: 32 } as const
const UNIT = { ...CODE, unit: true } as const
const AMOUNT = { kind: 'amount', bits: 64 } as const
const TIME = { kind: 'time' } as const
const FLAG = { kind: 'flag' } as const

export const FIELDS = {
  event_id: { kind: 'uuid' },
  dossier_id: ID,
  revision: AMOUNT,
  event_type: { kind: 'choice', of: EVENT_TYPES },
  occurred_at: TIME,
  source: ID,
  receiving_unit: { ...UNIT, bit: 0 },
  processing_unit: { ...UNIT, bit: 1 },
  procedure_code: { ...CODE, bit: 2 },
  sector_code: { ...CODE, bit: 3 },
  channel: { kind: 'choice', of: CHANNELS, bit: 4 },
  service_level: { kind: 'choice', of: SERVICE_LEVELS, bit: 5 },
  received_at: { ...TIME, bit: 6 },
  due_at: { ...TIME, bit: 7 },
  settled_at: { ...TIME, bit: 8 },
  returned_at: { ...TIME, bit: 9 },
  supplement_pause_ms: { ...AMOUNT, bit: 10 },
  supplement_requests: { kind: 'amount', bits: 32, bit: 11 },
  fee_due: { ...FLAG, bit: 12 },
  paid_online: { ...FLAG, bit: 13 },
  digital_result: { ...FLAG, bit: 14 },
  digitised: { ...FLAG, bit: 15 },
  data_reused: { ...FLAG, bit: 16 },
  cleared: { kind: 'cleared' },
} as const satisfies Record<string, Field>

type Fields = typeof FIELDS
export type FieldName = keyof Fields
export type NullableField = { [Name in FieldName]: Fields[Name] extends { bit: number } ? Name : never }[FieldName]

/** The fields an event may leave unsaid or empty through `cleared`. */
export const NULLABLE_FIELDS = namesOf(FIELDS).filter(name => 'bit' in FIELDS[name]) as readonly NullableField[]

/** Fields that must not lie before `received_at`, where one event carries both; and the reason for a refusal. */
export const AFTER_RECEIVED = [
  ['due_at', 'due_before_received'],
  ['settled_at', 'settled_before_received'],
] as const

type ValueOf<One extends Rule> = One extends { kind: 'uuid' | 'text' }
  ? string
  : One extends { kind: 'amount'; bits: 64 }
    ? bigint
    : One extends { kind: 'amount' | 'time' }
      ? number
      : One extends { kind: 'choice'; of: readonly (infer Symbols)[] }
        ? Symbols
        : One extends { kind: 'flag' }
          ? boolean
          : string[]

/** A dossier event inside the project: times in milliseconds since 1970 UTC, 64-bit integers as bigint. */
export type DossierEvent = {
  [Name in FieldName]: ValueOf<Fields[Name]> | (Name extends NullableField ? null : never)
}

/** The names of a table, typed. */
export function namesOf<Table extends object>(table: Table): (keyof Table)[] {
  return Object.keys(table) as (keyof Table)[]
}

/** The fields of one kind, in order. */
export const fieldsOf = <Kind extends Rule['kind']>(kind: Kind) =>
  namesOf(FIELDS).filter(name => FIELDS[name].kind === kind) as {
    [Name in FieldName]: Fields[Name] extends { kind: Kind } ? Name : never
  }[FieldName][]
