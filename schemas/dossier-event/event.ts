/**
 * The shape of a dossier event in JSON: the zod twin of `v1.avsc`, made from the table of fields.
 *
 * Shape only (names, types, enum values); what a well-shaped event may say is decided by the door (`door.ts`).
 * `event.test.ts` holds the twins together: what one accepts the other accepts.
 */
import { z } from 'zod'
import {
  type DossierEvent,
  FIELDS,
  type Field,
  type FieldName,
  type fieldsOf,
  type NullableField,
  namesOf,
} from './fields.ts'

export {
  CHANNELS,
  type DossierEvent,
  EVENT_TYPES,
  type EventType,
  NULLABLE_FIELDS,
  type NullableField,
  SERVICE_LEVELS,
} from './fields.ts'

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

/** How each kind of field is written in JSON. */
function jsonOf(field: Field): z.ZodType {
  switch (field.kind) {
    case 'uuid':
    case 'text':
      return z.string()
    case 'amount':
      return field.bits === 64 ? long : int
    case 'choice':
      return z.enum(field.of as [string, ...string[]])
    case 'time':
      return time
    case 'flag':
      return z.boolean()
    case 'cleared':
      return z
        .array(z.string())
        .nullable()
        .default([])
        .transform(names => names ?? [])
  }
}

/** The JSON form of a dossier event, as intake takes it. Parsing yields a {@link DossierEvent}. */
export const dossierEventJson = z.strictObject(
  Object.fromEntries(
    namesOf(FIELDS).map(name => {
      const type = jsonOf(FIELDS[name])
      return [name, 'bit' in FIELDS[name] ? orNull(type) : type]
    }),
  ),
) as unknown as z.ZodObject<Record<FieldName, z.ZodType>> & z.ZodType<DossierEvent, DossierEventJson>

type JsonOf<Value> = Value extends bigint ? number | string : Value extends string[] ? string[] | null : Value
type Times = ReturnType<typeof fieldsOf<'time'>>[number]
type InJson<Name extends FieldName> = Name extends Times
  ? string | Extract<DossierEvent[Name], null>
  : JsonOf<DossierEvent[Name]>
type Optional = NullableField | 'cleared'

/** The same as a producer writes it in JSON. */
export type DossierEventJson = { [Name in Exclude<FieldName, Optional>]: InJson<Name> } & {
  [Name in Optional]?: InJson<Name> | undefined
}
