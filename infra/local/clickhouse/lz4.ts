/**
 * LZ4's block format, both ways: sequences of literal bytes and of matches with what was written at most 64 KB before.
 * Kept libraries for Node are native addons that know neither the dictionaries of linked frames nor bare blocks.
 * Guarantees that no input, however broken, reads or writes outside the two arrays: it throws.
 */
const MATCH_MIN = 4
const OFFSET_MAX = 65_535
/** The format asks for a block's last 5 bytes to be literals, and for no match to begin in the last 12. */
const LITERALS_AT_END = 5
const NO_MATCH_AT_END = 12
const HASH_BITS = 14

/** Fills `to` from `start` on; matches may reach back before `start`. Returns where the output ends. */
export function decompressBlock(from: Uint8Array, to: Uint8Array, start = 0): number {
  let at = 0
  let out = start
  const length = (nibble: number): number => {
    let size = nibble
    for (let byte = nibble === 15 ? 255 : 0; byte === 255; size += byte) byte = byteOf(from, at++)
    return size
  }
  while (at < from.length) {
    const token = byteOf(from, at++)
    const literals = length(token >> 4)
    if (at + literals > from.length || out + literals > to.length) throw corrupt()
    to.set(from.subarray(at, at + literals), out)
    at += literals
    out += literals
    if (at === from.length) return out
    const offset = byteOf(from, at) | (byteOf(from, at + 1) << 8)
    at += 2
    const match = length(token & 15) + MATCH_MIN
    if (offset === 0 || offset > out || out + match > to.length) throw corrupt()
    if (offset >= match) to.copyWithin(out, out - offset, out - offset + match)
    // A match that reaches into itself repeats.
    else for (let i = 0; i < match; i++) to[out + i] = to[out + i - offset] as number
    out += match
  }
  throw corrupt()
}

/** Where four bytes of this hash stood last. */
const seen = new Int32Array(1 << HASH_BITS)

/** A new array with the block of `from`. */
export function compressBlock(from: Buffer): Buffer {
  const to = Buffer.allocUnsafe(from.length + Math.ceil(from.length / 255) + 16)
  seen.fill(-1)
  let out = 0
  let anchor = 0
  const put = (literals: number, offset: number, match: number) => {
    const tail = match - MATCH_MIN
    to[out++] = (Math.min(literals, 15) << 4) | (offset === 0 ? 0 : Math.min(tail, 15))
    out = putLength(to, out, literals)
    out += from.copy(to, out, anchor, anchor + literals)
    if (offset === 0) return
    out = to.writeUInt16LE(offset, out)
    out = putLength(to, out, tail)
  }
  for (let at = 0, missed = 0; at < from.length - NO_MATCH_AT_END; ) {
    const four = from.readInt32LE(at)
    const slot = Math.imul(four, -1640531535) >>> (32 - HASH_BITS)
    const candidate = seen[slot] as number
    seen[slot] = at
    if (candidate < 0 || at - candidate > OFFSET_MAX || from.readInt32LE(candidate) !== four) {
      // The longer nothing repeats, the longer the steps: bytes that do not compress are passed quickly.
      at += 1 + (missed++ >> 6)
      continue
    }
    missed = 0
    let match = MATCH_MIN
    const longest = from.length - LITERALS_AT_END - at
    while (match < longest && from[candidate + match] === from[at + match]) match++
    put(at - anchor, at - candidate, match)
    at += match
    anchor = at
  }
  put(from.length - anchor, 0, 0)
  return to.subarray(0, out)
}

/** A length of 15 and more goes on in bytes behind its token. */
function putLength(to: Uint8Array, at: number, length: number): number {
  if (length < 15) return at
  let out = at
  let rest = length - 15
  for (; rest >= 255; rest -= 255) to[out++] = 255
  to[out++] = rest
  return out
}

function byteOf(from: Uint8Array, at: number): number {
  const byte = from[at]
  if (byte === undefined) throw corrupt()
  return byte
}

function corrupt(): Error {
  return new RangeError('the LZ4 block is corrupt')
}
