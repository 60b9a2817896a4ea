/**
 * From the bytes of a Kafka record to a dossier event that the door has judged: decode, then door. All that is done with a
 * single record is done here. Whatever a producer wrote into key, value or schema is a verdict, never an exception.
 */
import { type AvroType, avroTypes } from '../avro.ts'
import { createLookup, type Usable } from '../lookup.ts'
import { newestType, type SchemaRegistry } from '../registry.ts'
import { readBody, schemaIdOf, unframe } from '../wire.ts'
import { type DoorContext, judge, type Refusal } from './door.ts'
import type { DossierEvent } from './fields.ts'
import { createScanner, type ScanContext, type Scanner } from './scanner.ts'

/** What a record turned out to be. `schema_id` is undefined where the value does not name one. */
export type Verdict =
  | { event: DossierEvent; schema_id: number; refusals?: undefined }
  | { event?: undefined; schema_id: number | undefined; refusals: Refusal[] }

export interface RecordToJudge {
  key: Buffer | null
  value: Buffer | null
  /** Kafka's time of the record, milliseconds since 1970 UTC. */
  timestamp_ms: number
}

/** How many of the leading values can be judged now; where not all of them, what the next one waits for. */
export interface Prepared {
  ready: number
  trouble?: string
  /** The schema registry does not answer: no record was at fault, and it may last. */
  unavailable?: boolean
  /** When to prepare the rest again. */
  pause_ms?: number
}

/** A body is as small as its fields are bounded; what is decoded of a large one could fill the memory. */
const BODY_BYTES_MAX = 262_144
/** A schema that is not looked up, or not any more: where very many are named at once. Prepare the records again. */
export class SchemaForgotten extends Error {
  readonly code = 'SCHEMA_FORGOTTEN'
}

const RECORD_NAME = 'motcua.DossierEvent'
const READER = newestType('dossier-event')

/** Reads any registered version of a dossier event as today's. `now` only has to grow, in milliseconds. */
export function createDecoder(registry: SchemaRegistry, knownUnit: DoorContext['knownUnit'], now?: () => number) {
  const lookup = createLookup(registry, writer => readerFor(writer, { knownUnit }), now)

  /**
   * Looks up the schemas that values name. Never throws and never sleeps: where `ready` is less than the number of values,
   * judge that many, wait, and prepare the rest again.
   */
  async function prepare(values: FramedValues): Promise<Prepared> {
    const ids = new Set<number>()
    let last: number | undefined
    for (let at = 0; at < values.length; at++) {
      const id = values.schemaIdAt(at)
      if (id !== undefined && id !== last) ids.add(id)
      last = id
    }
    const undecided = await lookup.prepare(ids)
    if (undecided === undefined) return { ready: values.length }
    const { id, ...why } = undecided
    let ready = 0
    while (values.schemaIdAt(ready) !== id) ready++
    return { ready, ...why }
  }

  /**
   * The verdict on one record. Throws for no record that {@link prepare} counted as ready; for others an error, since a guess
   * would refuse good records.
   */
  function judgeRecord(record: RecordToJudge): Verdict {
    const framed = unframe(record.value)
    if (framed === 'unknown_magic')
      return refused(
        undefined,
        'unknown_magic',
        'the value does not begin with byte 0, the mark of the Confluent wire format',
      )
    if (framed === 'unknown_schema')
      return refused(
        undefined,
        'unknown_schema',
        'the value ends before its schema id; five bytes of header are needed',
      )
    const { schema_id, body } = framed
    const found = lookup.found(schema_id)
    if (found === undefined)
      throw new SchemaForgotten(`schema id ${schema_id} must be prepared before records with it are judged`)
    if (found.use === undefined)
      return refused(
        schema_id,
        'unknown_schema',
        `schema id ${schema_id} names no version of ${RECORD_NAME} that can be read: ${found.refused}`,
      )
    if (body.length > BODY_BYTES_MAX)
      return refused(
        schema_id,
        'too_long',
        `the body has ${body.length} bytes; at most ${BODY_BYTES_MAX} are read, and an event has some hundred`,
      )
    const event = found.use.read(body)
    if (event === undefined)
      return refused(
        schema_id,
        'truncated_body',
        `the body of ${body.length} bytes cannot be read to its last byte with schema ${schema_id}`,
      )
    const refusals = judge(event, { now_ms: record.timestamp_ms, knownUnit, key: record.key ?? undefined })
    return refusals.length > 0 ? { schema_id, refusals } : { schema_id, event }
  }

  return {
    prepare,
    judgeRecord,
    /** The scanner for bodies of a schema; undefined where its records have to be decoded. */
    scannerOf: (schema_id: number): Scanner | undefined => lookup.found(schema_id)?.use?.scanner,
  }
}
export type Decoder = ReturnType<typeof createDecoder>

/** Values of which each may begin with the id of a schema. */
export interface FramedValues {
  readonly length: number
  schemaIdAt(index: number): number | undefined
}

/** {@link FramedValues} of values that are at hand. */
export const framed = (values: readonly (Buffer | null)[]): FramedValues => ({
  length: values.length,
  schemaIdAt: at => schemaIdOf(values[at] ?? null),
})

interface Reader {
  read: (body: Buffer) => DossierEvent | undefined
  scanner?: Scanner | undefined
}

/** A reader for bodies of one writer's schema, or why today's schema cannot read them. Never throws. */
function readerFor(writer: AvroType, context: ScanContext): Usable<Reader> {
  if (writer.name !== RECORD_NAME) return { refused: `it is ${writer.name?.slice(0, 100) ?? 'no record'}` }
  const field = bytesForText(writer)
  if (field !== undefined) return { refused: `its field ${field} holds bytes; it must hold text` }
  try {
    const scanner = createScanner(writer, READER, context)
    const resolving = { reader: READER, resolver: READER.createResolver(writer) }
    const read = (body: Buffer) => readBody(writer, body, resolving) as DossierEvent | undefined
    // The same schema needs no resolving, which costs.
    return {
      use: { read: scanner?.suffix.length === 0 ? body => readBody(READER, body) as DossierEvent : read, scanner },
    }
  } catch (error) {
    return { refused: `today's schema cannot read it: ${(error as Error).message.slice(0, 200)}` }
  }
}

/** A field of ours that a writer declares as bytes. Avro would read them as text, but they need not be UTF-8. */
function bytesForText(writer: AvroType): string | undefined {
  const ours = new Set(fieldsOf(READER).map(field => field.name))
  return fieldsOf(writer).find(field => ours.has(field.name) && holdsBytes(field.type))?.name
}

const fieldsOf = (type: AvroType) => (type instanceof avroTypes.RecordType ? type.fields : [])

function holdsBytes(type: AvroType): boolean {
  if (type instanceof avroTypes.UnwrappedUnionType) return type.types.some(holdsBytes)
  if (type instanceof avroTypes.ArrayType) return holdsBytes(type.itemsType)
  return type instanceof avroTypes.BytesType
}

const refused = (schema_id: number | undefined, reason: Refusal['reason'], message: string): Verdict => ({
  schema_id,
  refusals: [{ reason, field: '', message }],
})
