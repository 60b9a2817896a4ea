/**
 * The shape of a dossier event: the zod twin of `v1.avsc` in its JSON form, and the type that the whole project uses.
 *
 * Shape only (names, types, enum values); what a well-shaped event may say is decided by the door (`door.ts`).
 * `event.test.ts` holds the twins together: what one accepts the other accepts.
 */
import { z } from 'zod'

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
export const CHANNELS = ['ONLINE', 'COUNTER', 'POSTAL'] as const
export const SERVICE_LEVELS = ['FULL', 'PARTIAL', 'INFORMATION'] as const

export const LONG_MAX = 2n ** 63n - 1n

/** An Avro long in JSON: an integer up to 2^53-1 or a decimal string; a bigint from here on. */
const long = z
  .union([z.int(), z.string().regex(/^-?\d{1,19}$/)], {
    error: issue =>
      issue.input === undefined ? undefined : 'an integer up to 2^53-1, or any 64-bit integer as a decimal string',
  })
  .transform(BigInt)
  .refine(value => value >= -LONG_MAX - 1n && value <= LONG_MAX, { error: 'an integer that fits in 64 bits' })

const int = z
  .int()
  .min(-(2 ** 31))
  .max(2 ** 31 - 1)

/** RFC 3339 with an offset and at most milliseconds; milliseconds since 1970 UTC from here on. */
const time = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,3})?([Zz]|[+-]\d{2}:\d{2})$/, {
    error: 'a time like 2025-08-04T09:00:00.000+07:00 (RFC 3339 with offset, at most milliseconds)',
  })
  .transform(text => parseTime(text))
  .refine(Number.isFinite, { error: 'a time that exists, like 2025-08-04T09:00:00.000+07:00' })

/** `Date.parse` rolls 30 February over to March; a day that does not exist is no time. */
function parseTime(text: string): number {
  const upper = text.toUpperCase().replace(' ', 'T')
  const day = Date.parse(`${upper.slice(0, 10)}T00:00:00Z`)
  if (!Number.isFinite(day) || new Date(day).toISOString().slice(0, 10) !== upper.slice(0, 10)) return Number.NaN
  return Date.parse(upper)
}

/** Absent and null are one: the event says nothing about the field. */
const orNull = <T extends z.ZodType>(type: T) => type.nullable().default(null as never)

const NULLABLE = {
  receiving_unit: orNull(z.string()),
  processing_unit: orNull(z.string()),
  procedure_code: orNull(z.string()),
  sector_code: orNull(z.string()),
  channel: orNull(z.enum(CHANNELS)),
  service_level: orNull(z.enum(SERVICE_LEVELS)),
  received_at: orNull(time),
  due_at: orNull(time),
  settled_at: orNull(time),
  returned_at: orNull(time),
  supplement_pause_ms: orNull(long),
  supplement_requests: orNull(int),
  fee_due: orNull(z.boolean()),
  paid_online: orNull(z.boolean()),
  digital_result: orNull(z.boolean()),
  digitised: orNull(z.boolean()),
  data_reused: orNull(z.boolean()),
}

/** The fields an event may leave unsaid or empty through `cleared`. Their order is the order of the bits of `says`. */
export const NULLABLE_FIELDS = Object.keys(NULLABLE) as readonly NullableField[]
export type NullableField = keyof typeof NULLABLE

/** The JSON form of a dossier event, as intake takes it. Parsing yields a {@link DossierEvent}. */
export const dossierEventJson = z.strictObject({
  event_id: z.string(),
  dossier_id: z.string(),
  revision: long,
  event_type: z.enum(EVENT_TYPES),
  occurred_at: time,
  source: z.string(),
  ...NULLABLE,
  cleared: z
    .array(z.string())
    .nullable()
    .default([])
    .transform(names => names ?? []),
})

/** A dossier event inside the project: times in milliseconds since 1970 UTC, 64-bit integers as bigint. */
export type DossierEvent = z.output<typeof dossierEventJson>
/** The same as a producer writes it in JSON. */
export type DossierEventJson = z.input<typeof dossierEventJson>
export type EventType = (typeof EVENT_TYPES)[number]
