/**
 * From the bytes of a Kafka record to a dossier event that the door has judged: decode, then door.
 * What cannot be decoded is a refusal like any other, never an exception; only a registry that does not answer throws.
 */
import type { AvroType } from '../avro.ts'
import { newestType, type SchemaRegistry } from '../registry.ts'
import { readBody, unframe } from '../wire.ts'
import { type DoorContext, judge, type Refusal } from './door.ts'
import type { DossierEvent } from './event.ts'

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

const RECORD_NAME = 'motcua.DossierEvent'
const READER = newestType('dossier-event')

/** Reads any registered version of a dossier event as today's. */
export function createDecoder(registry: SchemaRegistry, knownUnit: DoorContext['knownUnit']) {
  const readers = new Map<number, Reader | undefined>()

  async function readerOf(schema_id: number): Promise<Reader | undefined> {
    if (!readers.has(schema_id)) {
      const writer = await registry.byId(schema_id)
      readers.set(schema_id, writer && readerFor(writer))
    }
    return readers.get(schema_id)
  }

  /** Makes sure that every schema the records name is at hand, so that {@link judgeRecord} need not wait. */
  async function prepare(values: Iterable<Buffer | null>): Promise<void> {
    for (const value of values) {
      const framed = unframe(value)
      if (typeof framed === 'object' && !readers.has(framed.schema_id)) await readerOf(framed.schema_id)
    }
  }

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
    const read = readers.get(schema_id)
    if (read === undefined)
      return refused(
        schema_id,
        'unknown_schema',
        `schema id ${schema_id} is not registered as a version of ${RECORD_NAME}`,
      )
    const event = read(body)
    if (event === undefined)
      return refused(
        schema_id,
        'truncated_body',
        `the body of ${body.length} bytes cannot be read to its last byte with schema ${schema_id}`,
      )
    const context = { now_ms: record.timestamp_ms, knownUnit, key: record.key?.toString('utf8') }
    const refusals = judge(event, context)
    return refusals.length > 0 ? { schema_id, refusals } : { schema_id, event }
  }

  return { prepare, judgeRecord }
}

type Reader = (body: Buffer) => DossierEvent | undefined

/** A reader for bodies of one writer's schema; undefined where it is no dossier event that today's schema can read. */
function readerFor(writer: AvroType): Reader | undefined {
  if (writer.name !== RECORD_NAME) return undefined
  const sameSchema = JSON.stringify(writer.schema()) === JSON.stringify(READER.schema())
  let resolver: ReturnType<AvroType['createResolver']> | undefined
  try {
    resolver = sameSchema ? undefined : READER.createResolver(writer)
  } catch {
    return undefined
  }
  return body => {
    const own = resolver === undefined ? READER : writer
    const value = readBody(own, body) as Record<string, unknown> | undefined
    if (value === undefined || (hasReplacementCharacter(value) && !own.toBuffer(value).equals(body))) return undefined
    return (resolver === undefined ? value : READER.fromBuffer(body, resolver)) as unknown as DossierEvent
  }
}

/** The free texts of an event: all its other texts are of a closed list, or hexadecimal. */
const TEXTS = ['dossier_id', 'source', 'receiving_unit', 'processing_unit', 'procedure_code', 'sector_code'] as const

/** Avro text is UTF-8. Where it is not, decoding leaves U+FFFD, and then the bytes written back differ from those read. */
function hasReplacementCharacter(value: Record<string, unknown>): boolean {
  for (const name of TEXTS) {
    const text = value[name]
    if (typeof text === 'string' && text.includes('\ufffd')) return true
  }
  return false
}

const refused = (schema_id: number | undefined, reason: Refusal['reason'], message: string): Verdict => ({
  schema_id,
  refusals: [{ reason, field: '', message }],
})
