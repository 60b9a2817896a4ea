/**
 * A writer's schema as a registry hands it out: text that anyone with the right to register may have written. Reading it
 * costs little, whatever it says: its size and depth are bounded, and only what decoding needs reaches avsc. Above all no
 * defaults: avsc would copy them out, and nested ones double with every level.
 */
import { type AvroSchema, type AvroType, avroType } from './avro.ts'
import { wellFormed } from './well-formed.ts'

const TEXT_LENGTH_MAX = 262_144
const PARTS_MAX = 10_000
const DEPTH_MAX = 64
const WHY_LENGTH_MAX = 200

/** A schema with which bodies can be read, or why not. */
export type WriterSchema = { type: AvroType; refused?: undefined } | { type?: undefined; refused: string }

/** The type of a schema's text. Never throws: what is wrong with the text is in the answer. */
export function readWriterSchema(text: string): WriterSchema {
  if (text.length > TEXT_LENGTH_MAX)
    return { refused: `the schema has ${text.length} characters; at most ${TEXT_LENGTH_MAX} are read` }
  try {
    const type = avroType(plain(JSON.parse(text), { parts: PARTS_MAX }, 1))
    wellFormed(type)
    return { type }
  } catch (error) {
    return { refused: `the schema is no Avro schema that can be used: ${shown((error as Error).message)}` }
  }
}

const PRIMITIVES = new Set(['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'])

/** What decoding needs of a part of a schema. Throws where it is none, too deep or too large. */
function plain(part: unknown, left: { parts: number }, depth: number): AvroSchema {
  if (depth > DEPTH_MAX) throw new Error(`it is nested deeper than ${DEPTH_MAX} levels`)
  if (--left.parts < 0) throw new Error(`it has more than ${PARTS_MAX} parts`)
  if (typeof part === 'string') return part
  if (Array.isArray(part)) return part.map(branch => plain(branch, left, depth + 1)) as AvroSchema
  if (typeof part !== 'object' || part === null) throw new Error(`${shown(part)} is no type`)
  const { type, name, namespace, ...rest } = part as Record<string, unknown>
  const inner = (what: unknown) => plain(what, left, depth + 1)
  const named = { type, name, ...(typeof namespace === 'string' ? { namespace } : {}) }
  switch (type) {
    case 'record':
    case 'error':
      return { ...named, fields: fieldsOf(rest.fields, inner) } as AvroSchema
    case 'enum':
      return { ...named, symbols: rest.symbols } as AvroSchema
    case 'fixed':
      return { ...named, size: rest.size } as AvroSchema
    case 'array':
      return { type, items: inner(rest.items) } as AvroSchema
    case 'map':
      return { type, values: inner(rest.values) } as AvroSchema
    default:
      if (typeof type !== 'string' || !PRIMITIVES.has(type)) throw new Error(`${shown(type)} is no type`)
      return { type, logicalType: rest.logicalType } as unknown as AvroSchema
  }
}

function fieldsOf(fields: unknown, inner: (type: unknown) => AvroSchema) {
  if (!Array.isArray(fields)) throw new Error('a record has no list of fields')
  return fields.map((field: unknown) => {
    if (typeof field !== 'object' || field === null) throw new Error(`${shown(field)} is no field`)
    const { name, type } = field as Record<string, unknown>
    return { name, type: inner(type) }
  })
}

/** A value in a message; objects are not written out, they may be of any depth. */
const shown = (value: unknown) =>
  typeof value === 'object' && value !== null ? 'an object' : String(value).slice(0, WHY_LENGTH_MAX)
