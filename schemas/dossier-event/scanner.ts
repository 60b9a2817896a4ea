/**
 * The door for the bytes of an Avro body: walks them once, builds nothing, and answers what the event speaks of (says.ts) or
 * that it is not let in just so. It is made from the same table as the door (fields.ts), and lets in nothing that the door
 * refuses. What it does not let in is decoded and judged by the door, which finds the words.
 *
 * Strict: every number in its shortest form, the list of cleared names in one block. So the bytes of an event that it lets in
 * can be passed on as they are; others the door may let in, and then they are encoded anew.
 */
import { isUtf8 } from 'node:buffer'
import type { AvroType } from '../avro.ts'
import { avroTypes } from '../avro.ts'
import { faultOf } from '../text.ts'
import {
  AFTER_RECEIVED,
  type EventType,
  FIELDS,
  type Field,
  type FieldName,
  FUTURE_MS_MAX,
  NULLABLE_FIELDS,
  TIME_MAX_MS,
  TIME_MIN_MS,
} from './fields.ts'
import { bitOf, bitsOfType, SILENT_SOURCE, WAITING_BIT } from './says.ts'

/** What is known beside the bytes. */
export interface ScanContext {
  knownUnit: (code: string) => boolean
}

export interface Scanner {
  /**
   * The bits of `says` for the body from `at` to `end`; -1 where it is not let in just so. `time_ms`: Kafka's time of the
   * record. The record's key lies in the same bytes; `key_at` is negative where there is none.
   */
  scan(bytes: Buffer, at: number, end: number, time_ms: number, key_at: number, key_end: number): number
  /** What has to stand behind the body: the defaults of fields that its schema does not have yet. */
  suffix: Buffer
}

/** Reads one value, or refuses. */
type Step = (body: Body) => boolean

/**
 * A scanner for bodies of a writer's schema, or undefined where they cannot be passed on: its fields are not the leading ones
 * of the reader's. `fields` has a rule for each field of the reader.
 */
export function createScanner(
  writer: AvroType,
  reader: AvroType,
  context: ScanContext,
  fields: Readonly<Record<string, Field>> = FIELDS,
): Scanner | undefined {
  if (!(writer instanceof avroTypes.RecordType && reader instanceof avroTypes.RecordType)) return undefined
  const [ours, theirs] = [reader.fields, writer.fields]
  const leading = theirs.every((field, at) => field.name === ours[at]?.name && same(field.type, ours[at].type))
  if (!leading) return undefined
  const missing = ours.slice(theirs.length)
  if (missing.some(field => field.defaultValue() === undefined)) return undefined
  const body = new Body(context)
  const steps = theirs.map(({ name }) => stepOf(name, fields[name] as Field))
  return {
    suffix: Buffer.concat(missing.map(field => field.type.toBuffer(field.defaultValue()))),
    scan(bytes, at, end, time_ms, key_at, key_end) {
      body.start(bytes, at, end)
      let fine = true
      for (let nth = 0; fine && nth < steps.length; nth++) fine = (steps[nth] as Step)(body)
      fine = fine && body.at === end && (body.says & body.emptied) === 0
      fine = fine && body.inOrder(time_ms) && body.hasKey(key_at, key_end)
      const says = fine ? body.says | body.emptied : -1
      body.release()
      return says
    },
  }
}

/** Parsing Canonical Form: what does not change the bytes is not looked at. */
const same = (a: AvroType, b: AvroType) => JSON.stringify(a.schema()) === JSON.stringify(b.schema())

function stepOf(name: string, field: Field): Step {
  const step = stepOver(name, field)
  if (field.bit === undefined) return step
  const bit = 1 << field.bit
  return body => {
    const branch = body.byte()
    if (branch !== 2) return branch === 0
    body.says |= bit
    return step(body)
  }
}

/** Where a time is kept that others are compared with. */
const TIMES: Readonly<Record<string, number>> = { received_at: 0, due_at: 1, settled_at: 2 } satisfies Partial<
  Record<FieldName, number>
>

function stepOver(name: string, field: Field): Step {
  switch (field.kind) {
    case 'uuid':
      return body => body.uuid()
    case 'text': {
      const { characters_max, unit = false } = field
      if (unit) return body => body.text(characters_max) && body.isUnit()
      if (name === 'dossier_id') return body => body.text(characters_max) && body.keepId()
      if (name === 'source') return body => body.text(characters_max) && body.heed()
      return body => body.text(characters_max)
    }
    case 'amount':
      return field.bits === 64 ? body => body.amount() : body => body.smallAmount()
    case 'choice': {
      if (name === 'event_type') {
        const bits = field.of.map(type => bitsOfType(type as EventType))
        return body => {
          const index = body.index(bits.length)
          if (index < 0) return false
          body.says |= bits[index] as number
          return true
        }
      }
      const { length } = field.of
      return body => body.index(length) >= 0
    }
    case 'time': {
      const slot = TIMES[name] ?? -1
      return body => body.time(slot)
    }
    case 'flag':
      return body => {
        const byte = body.byte()
        return byte === 0 || byte === 1
      }
    case 'cleared':
      return body => body.cleared()
  }
}

/** In which slots the times lie, and that of the field that the others must not lie before. */
const COMPARED = AFTER_RECEIVED.map(([name]) => ({ bit: bitOf(name), slot: TIMES[name] as number }))
const RECEIVED = { bit: bitOf('received_at'), slot: TIMES.received_at as number }

const CLEARED_BITS: ReadonlyMap<string, number> = new Map(NULLABLE_FIELDS.map(name => [name, bitOf(name)]))
const CLEARED_LENGTH_MAX = Math.max(...NULLABLE_FIELDS.map(name => name.length))
const SILENT = Buffer.from(SILENT_SOURCE)
const NOTHING = Buffer.alloc(0)
/** A code of so many bytes fits into a number, which is found faster than a text. */
const PACKED_MAX = 6
const UNITS_KEPT_MAX = 100_000
const [SPACE, TILDE, HYPHEN] = [0x20, 0x7e, 0x2d]

/** For each byte whether it is a hexadecimal digit. */
const IS_HEX = Uint8Array.from({ length: 256 }, (_, byte) => (/[0-9a-fA-F]/.test(String.fromCharCode(byte)) ? 1 : 0))

/**
 * Bytes of the character there, where it is ASCII or a Latin letter up to U+027F or from U+1E80 to U+1EFF, as Vietnamese is written:
 * these are seen, and in form NFC whatever stands beside them. 0: another one, or none.
 */
function letterAt(bytes: Buffer, at: number, to: number): 0 | 1 | 2 | 3 {
  const byte = bytes[at] as number
  if (byte < 0x80) return byte >= SPACE && byte <= TILDE ? 1 : 0
  const goesOn = (next: number) => next < to && ((bytes[next] as number) & 0xc0) === 0x80
  if (byte >= 0xc3 && byte <= 0xc9) return goesOn(at + 1) ? 2 : 0
  const isLatin = byte === 0xe1 && goesOn(at + 2) && (bytes[at + 1] === 0xba || bytes[at + 1] === 0xbb)
  return isLatin ? 3 : 0
}

/** The bytes that are walked, and what was learned on the way. */
class Body {
  bytes: Buffer = NOTHING
  at = 0
  end = 0
  /** Of what is set, and of the type; and of what is cleared. */
  says = 0
  emptied = 0
  /** The text that was read last. */
  private from = 0
  private to = 0
  private id_from = 0
  private id_to = 0
  private readonly times = new Float64Array(3)
  private readonly knownUnit: (code: string) => boolean
  /** Codes that are known, as numbers. A unit never leaves the lists. */
  private readonly units = new Set<number>()

  constructor({ knownUnit }: ScanContext) {
    this.knownUnit = knownUnit
  }

  start(bytes: Buffer, at: number, end: number): void {
    this.bytes = bytes
    this.at = at
    this.end = end
    this.says = 0
    this.emptied = 0
  }

  release(): void {
    this.bytes = NOTHING
  }

  /** -1 behind the end. */
  byte(): number {
    return this.at < this.end ? (this.bytes[this.at++] as number) : -1
  }

  /** The raw value of a varint in its shortest form, up to ten bytes: exact up to 2^53. -1 where there is none. */
  private raw(): number {
    let byte = this.byte()
    if (byte < 0x80) return byte
    let raw = byte & 0x7f
    let factor = 0x80
    for (let nth = 1; byte >= 0x80; nth++) {
      byte = this.byte()
      // The tenth byte has room for one bit.
      if (byte < 0 || (nth === 9 && byte > 1)) return -1
      raw += (byte & 0x7f) * factor
      factor *= 0x80
    }
    return byte === 0 ? -1 : raw
  }

  /** An even raw value stands for half of it; an odd one is negative. Beyond 2^53 only the first byte tells. */
  amount(): boolean {
    const even = this.at < this.end && ((this.bytes[this.at] as number) & 1) === 0
    return even && this.raw() >= 0
  }

  smallAmount(): boolean {
    const raw = this.raw()
    return raw >= 0 && raw % 2 === 0 && raw / 2 < 2 ** 31
  }

  time(slot: number): boolean {
    const raw = this.raw()
    const time_ms = raw / 2
    if (slot >= 0) this.times[slot] = time_ms
    return raw % 2 === 0 && time_ms >= TIME_MIN_MS && time_ms < TIME_MAX_MS
  }

  /** The index of one of so many symbols, or -1. */
  index(symbols: number): number {
    const raw = this.raw()
    return raw >= 0 && raw % 2 === 0 && raw / 2 < symbols ? raw / 2 : -1
  }

  /** Moves over a length and as many bytes; answers the length, or -1. */
  private length(): number {
    const raw = this.raw()
    const length = raw / 2
    if (raw < 0 || raw % 2 !== 0 || length > this.end - this.at) return -1
    this.from = this.at
    this.at += length
    this.to = this.at
    return length
  }

  uuid(): boolean {
    if (this.length() !== 36) return false
    const { bytes, from } = this
    for (let at = 0; at < 36; at++) {
      const byte = bytes[from + at] as number
      if (at === 8 || at === 13 || at === 18 || at === 23) {
        if (byte !== HYPHEN) return false
      } else if (IS_HEX[byte] === 0) return false
    }
    return true
  }

  text(characters_max: number): boolean {
    const length = this.length()
    if (length < 1 || length > 4 * characters_max) return false
    const { bytes, from, to } = this
    if (bytes[from] === SPACE || bytes[to - 1] === SPACE) return false
    let characters = 0
    for (let at = from; at < to; characters++) {
      const width = letterAt(bytes, at, to)
      if (width === 0) return this.isFine(characters_max)
      at += width
    }
    return characters <= characters_max
  }

  /** For other texts. */
  private isFine(characters_max: number): boolean {
    const bytes = this.bytes.subarray(this.from, this.to)
    if (!isUtf8(bytes)) return false
    const text = bytes.toString()
    return faultOf(text) === undefined && [...text].length <= characters_max
  }

  isUnit(): boolean {
    const { bytes, from, to } = this
    let packed = 1
    for (let at = from; at < to; at++) packed = packed * 0x100 + (bytes[at] as number)
    const fits = to - from <= PACKED_MAX
    if (fits && this.units.has(packed)) return true
    if (!this.knownUnit(bytes.toString('utf8', from, to))) return false
    if (fits && this.units.size < UNITS_KEPT_MAX) this.units.add(packed)
    return true
  }

  keepId(): boolean {
    this.id_from = this.from
    this.id_to = this.to
    return true
  }

  /** The source of silent events says nothing about waiting. */
  heed(): boolean {
    if (this.to - this.from === SILENT.length && this.bytes.compare(SILENT, 0, SILENT.length, this.from, this.to) === 0)
      this.says &= ~WAITING_BIT
    return true
  }

  cleared(): boolean {
    const raw = this.raw()
    if (raw === 0) return true
    if (raw < 0 || raw % 2 !== 0 || raw / 2 > NULLABLE_FIELDS.length) return false
    for (let left = raw / 2; left > 0; left--) {
      const length = this.length()
      if (length < 0 || length > CLEARED_LENGTH_MAX) return false
      const bit = CLEARED_BITS.get(this.bytes.toString('latin1', this.from, this.to)) ?? 0
      if (bit === 0) return false
      this.emptied |= bit
    }
    return this.byte() === 0
  }

  /** The times that one event carries, and Kafka's. */
  inOrder(time_ms: number): boolean {
    const { says, times } = this
    if ((says & RECEIVED.bit) === 0) return true
    const received_ms = times[RECEIVED.slot] as number
    if (received_ms > time_ms + FUTURE_MS_MAX) return false
    for (const { bit, slot } of COMPARED) if ((says & bit) !== 0 && (times[slot] as number) < received_ms) return false
    return true
  }

  hasKey(key_at: number, key_end: number): boolean {
    if (key_at < 0) return true
    const { bytes, id_from } = this
    const length = this.id_to - id_from
    if (key_end - key_at !== length) return false
    for (let at = 0; at < length; at++) if (bytes[key_at + at] !== bytes[id_from + at]) return false
    return true
  }
}
