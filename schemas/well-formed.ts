/**
 * Whether bytes are a well-formed Avro body of a schema. The schema is compiled once into a tree of small functions; they
 * walk the bytes once and build nothing. What passes here can be decoded; what a hostile producer wrote does not get as far
 * as a decoder that would allocate or loop as the bytes tell it to.
 *
 * A walk is bounded by the body: every item takes a byte, or is paid out of the body's length; nesting ends at
 * {@link DEPTH_MAX}. Stricter than Avro asks in two points: lengths and counts fit in 32 bits, and a body cannot hold more
 * items without a byte than it has bytes.
 */
import { type AvroRecord, type AvroSchema, type AvroType, avroType, avroTypes } from './avro.ts'
import { AvroCursor } from './avro-cursor.ts'

/** How deep records, arrays and maps of a body may lie in one another. */
export const DEPTH_MAX = 64
/** How many parts of a schema may take no byte (null outside a union, a record without fields, fixed of size 0). */
const EMPTIES_MAX = 16

/** A schema that is Avro, but of which no body can be read within bounds. */
export class UnboundedSchema extends Error {
  readonly code = 'UNBOUNDED_SCHEMA'
}

/** Moves the cursor over one value; false where the bytes are wrong. */
type Skip = (cursor: AvroCursor, depth: number) => boolean
/** `empties`: how many parts a decoder visits in a value that takes no byte; 0 where every value takes at least one. */
interface Part {
  skip: Skip
  empties: number
}

/**
 * The check for a schema: `(bytes, at)` answers where the value that begins at `at` ends, or -1 where there is none.
 * Throws {@link UnboundedSchema} where a value would have no end or next to no bytes, and avsc's errors where the schema is
 * none. The check itself never throws.
 */
export function wellFormed(schema: AvroSchema): (bytes: Uint8Array, at: number) => number {
  const { skip } = compiler().part(avroType(schema))
  const cursor = new AvroCursor()
  return (bytes, at) => {
    cursor.start(bytes, at)
    const end = at >= 0 && skip(cursor, 1) ? cursor.at : -1
    cursor.release()
    return end
  }
}

const NO_RECORDS: ReadonlySet<AvroType> = new Set()

/** Compiles the types of one schema. Works on avsc's types, so that check and decoder cannot disagree about a name. */
function compiler() {
  const done = new Map<AvroType, Part>()
  let empties = 0

  /** `open`: the records around this type with no union, array or map between, so with no byte between. */
  function part(type: AvroType, open: ReadonlySet<AvroType> = NO_RECORDS): Part {
    if (open.has(type)) throw new UnboundedSchema(`a ${type.name} lies in every ${type.name}, without end`)
    const before = done.get(type)
    if (before !== undefined) return before
    if (type instanceof avroTypes.RecordType) return record(type, open)
    const made = other(type)
    done.set(type, made)
    return made
  }

  function record(type: AvroRecord, open: ReadonlySet<AvroType>): Part {
    // A record that is met again inside itself is not finished yet: it is called through this, and takes a byte.
    const made: Part = { skip: (cursor, depth) => finished(cursor, depth), empties: 0 }
    done.set(type, made)
    const inside = new Set(open).add(type)
    const parts = type.fields.map(field => counted(part(field.type, inside)))
    const finished = skipRecord(parts.filter(field => field.empties === 0).map(field => field.skip))
    if (parts.every(field => field.empties > 0)) made.empties = parts.reduce((sum, field) => sum + field.empties, 1)
    made.skip = finished
    return made
  }

  function other(type: AvroType): Part {
    if (type instanceof avroTypes.ArrayType) return { skip: skipBlocks(counted(part(type.itemsType))), empties: 0 }
    if (type instanceof avroTypes.MapType)
      return { skip: skipBlocks(entry(counted(part(type.valuesType)))), empties: 0 }
    if (type instanceof avroTypes.UnwrappedUnionType || type instanceof avroTypes.WrappedUnionType)
      return { skip: skipUnion(type.types.map(branch => part(branch).skip)), empties: 0 }
    if (type instanceof avroTypes.EnumType) return { skip: skipIndex(type.symbols.length), empties: 0 }
    if (type instanceof avroTypes.FixedType) return { skip: skipFixed(type.size), empties: type.size === 0 ? 1 : 0 }
    const primitive = PRIMITIVES.get(type.typeName)
    if (primitive === undefined) throw new UnboundedSchema(`${type.typeName} is no type of Avro`)
    return { skip: primitive, empties: type.typeName === 'null' ? 1 : 0 }
  }

  /** Records can be nested so that a few bytes hold billions of empty parts; a decoder would visit all of them. */
  function counted(made: Part): Part {
    empties += made.empties
    if (empties > EMPTIES_MAX) throw new UnboundedSchema(`more than ${EMPTIES_MAX} parts take no byte`)
    return made
  }

  return { part }
}

const PRIMITIVES: ReadonlyMap<string, Skip> = new Map<string, Skip>([
  ['null', () => true],
  ['boolean', cursor => cursor.skipBoolean()],
  ['int', cursor => cursor.skipInt()],
  ['long', cursor => cursor.skipLong()],
  ['abstract:long', cursor => cursor.skipLong()],
  ['float', cursor => cursor.skip(4)],
  ['double', cursor => cursor.skip(8)],
  ['string', cursor => cursor.skipString()],
  ['bytes', cursor => cursor.skipBytes()],
])

const skipRecord =
  (fields: readonly Skip[]): Skip =>
  (cursor, depth) => {
    if (depth > DEPTH_MAX) return false
    for (const skip of fields) if (!skip(cursor, depth + 1)) return false
    return true
  }

const skipUnion =
  (branches: readonly Skip[]): Skip =>
  (cursor, depth) => {
    const branch = branches[cursor.int()]
    return branch?.(cursor, depth) ?? false
  }

const skipIndex =
  (symbols: number): Skip =>
  cursor => {
    const index = cursor.int()
    return index >= 0 && index < symbols
  }

const skipFixed =
  (size: number): Skip =>
  cursor =>
    cursor.skip(size)

/** The items of an array or the entries of a map: blocks of a count, or of a negative count and the block's bytes. */
const skipBlocks =
  (item: Part): Skip =>
  (cursor, depth) => {
    if (depth > DEPTH_MAX) return false
    for (let count = cursor.int(); count !== 0; count = cursor.int()) {
      let until = -1
      if (count < 0) {
        count = -count
        until = endOfBlock(cursor)
        if (until < 0) return false
      }
      if (!cursor.affords(count, item.empties)) return false
      if (item.empties === 0) for (; count > 0; count--) if (!item.skip(cursor, depth + 1)) return false
      if (until >= 0 && cursor.at !== until) return false
    }
    return true
  }

function endOfBlock(cursor: AvroCursor): number {
  const size = cursor.int()
  return size >= 0 && size <= cursor.end - cursor.at ? cursor.at + size : -1
}

/** An entry of a map: its key takes a byte, whatever its value takes. */
const entry = (value: Part): Part => ({
  skip: (cursor, depth) => cursor.skipString() && value.skip(cursor, depth),
  empties: 0,
})
