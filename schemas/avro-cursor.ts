/**
 * A cursor over the bytes of an Avro body that cannot be hurt: it never reads behind the end, builds nothing, and takes no
 * more steps than there are bytes. It knows Avro's basic encodings and no schema.
 *
 * Reading answers NaN, skipping answers false where the bytes are wrong. The cursor then stands anywhere; stop using it.
 */
import { isUtf8 } from 'node:buffer'

/** A 64-bit varint has at most ten bytes, and its tenth holds one bit. Longer than needed is allowed, as readers do. */
const VARINT_BYTES_MAX = 10
const INT_MIN = -(2 ** 31)
const INT_MAX = 2 ** 31 - 1
/** Texts are mostly short and ASCII: this many bytes are looked at here, before a call into native code pays. */
const ASCII_BYTES = 64
const NOTHING = new Uint8Array(0)

export class AvroCursor {
  bytes: Uint8Array = NOTHING
  at = 0
  end = 0
  /** How many items without a byte may still come: as many as the body has bytes, so that no loop outlasts the body. */
  idle = 0

  /** Puts the cursor at a byte of a body. */
  start(bytes: Uint8Array, at: number): void {
    this.bytes = bytes
    this.at = at
    this.end = bytes.length
    this.idle = this.end - at
  }

  /** Whether the body can hold so many more items, each of at least one byte or of so many parts without one. */
  affords(items: number, empties: number): boolean {
    if (empties === 0) return items <= this.end - this.at
    this.idle -= items * empties
    return this.idle >= 0
  }

  /** Lets go of the body, so that it is not kept in memory. */
  release(): void {
    this.bytes = NOTHING
  }

  /** A zigzag varint of up to 64 bits: exact up to 2^53, the nearest double beyond. */
  long(): number {
    const { bytes, end } = this
    let at = this.at
    if (at >= end) return Number.NaN
    let byte = bytes[at++] as number
    if (byte < 0x80) {
      this.at = at
      return (byte >>> 1) ^ -(byte & 1)
    }
    const last = at + VARINT_BYTES_MAX - 1
    let raw = byte & 0x7f
    for (let factor = 0x80; byte >= 0x80; factor *= 0x80) {
      if (at >= end || at >= last) return Number.NaN
      byte = bytes[at++] as number
      raw += (byte & 0x7f) * factor
    }
    if (at === last && byte > 1) return Number.NaN
    this.at = at
    return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2
  }

  /** A zigzag varint that fits in 32 bits: an `int`, a length, a count, the index of a symbol or branch. */
  int(): number {
    const value = this.long()
    return value >= INT_MIN && value <= INT_MAX ? value : Number.NaN
  }

  skipInt(): boolean {
    return !Number.isNaN(this.int())
  }

  skipLong(): boolean {
    const { bytes, end } = this
    const start = this.at
    let at = start
    while (at < end) {
      const byte = bytes[at++] as number
      if (byte >= 0x80) {
        if (at - start === VARINT_BYTES_MAX) return false
        continue
      }
      this.at = at
      return at - start < VARINT_BYTES_MAX || byte <= 1
    }
    return false
  }

  skipBoolean(): boolean {
    return this.at < this.end && (this.bytes[this.at++] as number) <= 1
  }

  /** A given number of bytes: `fixed`, `float`, `double`. */
  skip(length: number): boolean {
    if (!(length >= 0 && length <= this.end - this.at)) return false
    this.at += length
    return true
  }

  /** A length and as many bytes. */
  skipBytes(): boolean {
    return this.skip(this.int())
  }

  /** A length and as many bytes of UTF-8. */
  skipString(): boolean {
    const length = this.int()
    const from = this.at
    if (!this.skip(length)) return false
    const { bytes } = this
    const to = this.at
    const near = length > ASCII_BYTES ? from + ASCII_BYTES : to
    for (let at = from; at < near; at++) if ((bytes[at] as number) >= 0x80) return isUtf8(bytes.subarray(at, to))
    return near === to || isUtf8(bytes.subarray(near, to))
  }
}
