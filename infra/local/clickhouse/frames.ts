/**
 * LZ4 frames, what `Content-Encoding: lz4` means in ClickHouse: clickhouse-connect sends its inserts so, and takes answers so.
 * Written with independent blocks and no checksums. Read with linked blocks too, several frames one after another; the
 * checksums of a frame are skipped, not verified (TCP has its own).
 */
import { Transform } from 'node:stream'
import { createCollector } from './collector.ts'
import { compressBlock, decompressBlock } from './lz4.ts'

const MAGIC = 0x184d2204
/** Version 1, independent blocks, blocks of up to 4 MB, and the checksum of just that. */
const HEADER = Buffer.from('04224d18607073', 'hex')
const BLOCK_BYTES_MAX = 4 * 1024 * 1024
const UNCOMPRESSED = 0x80000000
const WINDOW_BYTES = 64 * 1024

export function createLz4(): Transform {
  return new Transform({
    construct(done) {
      this.push(HEADER)
      done()
    },
    transform(chunk: Buffer, _, done) {
      for (let at = 0; at < chunk.length; at += BLOCK_BYTES_MAX) {
        const content = chunk.subarray(at, at + BLOCK_BYTES_MAX)
        const packed = compressBlock(content)
        const fits = packed.length < content.length
        const size = Buffer.allocUnsafe(4)
        size.writeUInt32LE(fits ? packed.length : content.length + UNCOMPRESSED)
        this.push(size)
        this.push(fits ? packed : content)
      }
      done()
    },
    flush(done) {
      // A block of no bytes ends the frame.
      this.push(Buffer.alloc(4))
      done()
    },
  })
}

type Frame = { blockBytesMax: number; linked: boolean; blockChecksum: boolean; contentChecksum: boolean }

export function createUnlz4(): Transform {
  const collector = createCollector()
  let frame: Frame | undefined
  let window = Buffer.alloc(0)

  function next(): Buffer | undefined {
    if (!frame) {
      frame = readHeader()
      window = Buffer.alloc(0)
      return frame && Buffer.alloc(0)
    }
    const head = collector.peek(4)?.readUInt32LE(0)
    if (head === undefined) return undefined
    if (head === 0) {
      if (collector.take(frame.contentChecksum ? 8 : 4)) frame = undefined
      return frame ? undefined : Buffer.alloc(0)
    }
    const size = head % UNCOMPRESSED
    if (size > frame.blockBytesMax) throw new RangeError(`an LZ4 block of ${size} bytes`)
    const bytes = collector.take(4 + size + (frame.blockChecksum ? 4 : 0))
    if (!bytes) return undefined
    return contentOf(bytes.subarray(4, 4 + size), head >= UNCOMPRESSED, frame)
  }

  function readHeader(): Frame | undefined {
    const start = collector.peek(6)
    if (!start) return undefined
    if (start.readUInt32LE(0) !== MAGIC) throw new RangeError('not an LZ4 frame')
    const flags = start.readUInt8(4)
    if (flags >> 6 !== 1 || flags & 1) throw new RangeError('an LZ4 frame of another version, or with a dictionary')
    const blockBytesMax = 1 << (8 + 2 * ((start.readUInt8(5) >> 4) & 7))
    if (!collector.take(flags & 8 ? 15 : 7)) return undefined
    return {
      blockBytesMax,
      linked: (flags & 32) === 0,
      blockChecksum: (flags & 16) !== 0,
      contentChecksum: (flags & 4) !== 0,
    }
  }

  /** A linked block's matches may reach into the 64 KB before it. */
  function contentOf(bytes: Buffer, plain: boolean, { blockBytesMax, linked }: Frame): Buffer {
    const before = linked ? window : Buffer.alloc(0)
    const all = Buffer.allocUnsafe(before.length + (plain ? bytes.length : blockBytesMax))
    before.copy(all)
    const end = plain ? before.length + bytes.copy(all, before.length) : decompressBlock(bytes, all, before.length)
    window = linked ? Buffer.from(all.subarray(Math.max(0, end - WINDOW_BYTES), end)) : window
    return Buffer.from(all.subarray(before.length, end))
  }

  return new Transform({
    transform(chunk: Buffer, _, done) {
      collector.add(chunk)
      try {
        for (let content = next(); content; content = next()) this.push(content)
        done()
      } catch (cause) {
        done(broken(cause))
      }
    },
    flush(done) {
      done(frame || collector.size > 0 ? broken('the LZ4 frame is cut off') : null)
    },
  })
}

/** As Node's own decoders have it: `code` tells that the bytes, not the connection, are at fault. */
function broken(cause: unknown): Error {
  return Object.assign(new Error(`${cause instanceof Error ? cause.message : cause}`, { cause }), { code: 'ERR_LZ4' })
}
