/**
 * ClickHouse's own compressed blocks, what `compress=1` and `decompress=1` mean and its native protocol speaks:
 * CityHash128 of all that follows (16 bytes), method (1), size with these 9 bytes (4), size of the content (4), content.
 * Written as LZ4, as a server does; read as LZ4, ZSTD or none. A wrong checksum, method or size is an error.
 */
import { Transform, type TransformCallback } from 'node:stream'
import { zstdDecompressSync } from 'node:zlib'
import { cityHash128 } from './cityhash.ts'
import { createCollector } from './collector.ts'
import { refuse } from './errors.ts'
import { compressBlock, decompressBlock } from './lz4.ts'

const CHECKSUM_BYTES = 16
const HEADER_BYTES = 9
const LZ4 = 0x82
const ZSTD = 0x90
const NONE = 0x02
/** What a server writes at most in one block. */
const CONTENT_BYTES = 1024 * 1024
/** DBMS_MAX_COMPRESSED_SIZE of ClickHouse is 1 GiB; nobody sends blocks of more than a few MB. */
const BLOCK_BYTES_MAX = 64 * 1024 * 1024

export function createBlocks(): Transform {
  return new Transform({
    transform(chunk: Buffer, _, done) {
      for (let at = 0; at < chunk.length; at += CONTENT_BYTES) this.push(block(chunk.subarray(at, at + CONTENT_BYTES)))
      done()
    },
  })
}

function block(content: Buffer): Buffer {
  const packed = compressBlock(content)
  const header = Buffer.allocUnsafe(HEADER_BYTES)
  header.writeUInt8(LZ4, 0)
  header.writeUInt32LE(packed.length + HEADER_BYTES, 1)
  header.writeUInt32LE(content.length, 5)
  const body = Buffer.concat([header, packed])
  return Buffer.concat([cityHash128(body), body])
}

export function readBlocks(): Transform {
  const collector = createCollector()
  return new Transform({
    transform(chunk: Buffer, _, done) {
      collector.add(chunk)
      settle(done, () => {
        for (let one = nextBlock(collector); one; one = nextBlock(collector)) this.push(contentOf(one))
      })
    },
    flush(done) {
      settle(done, () => {
        if (collector.size > 0) throw new RangeError('the last compressed block is cut off')
      })
    },
  })
}

function nextBlock(collector: ReturnType<typeof createCollector>): Buffer | undefined {
  const header = collector.peek(CHECKSUM_BYTES + HEADER_BYTES)
  if (!header) return undefined
  const size = header.readUInt32LE(CHECKSUM_BYTES + 1)
  const contentSize = header.readUInt32LE(CHECKSUM_BYTES + 5)
  if (size < HEADER_BYTES || size > BLOCK_BYTES_MAX || contentSize > BLOCK_BYTES_MAX) {
    throw new RangeError(`a compressed block of ${size} bytes, ${contentSize} unpacked, is not accepted`)
  }
  return collector.take(CHECKSUM_BYTES + size)
}

function contentOf(bytes: Buffer): Buffer {
  const body = bytes.subarray(CHECKSUM_BYTES)
  if (!cityHash128(body).equals(bytes.subarray(0, CHECKSUM_BYTES))) {
    throw refuse('CHECKSUM_DOESNT_MATCH', "Checksum doesn't match: corrupted data in the body of the request")
  }
  const packed = body.subarray(HEADER_BYTES)
  const content = unpack(body.readUInt8(0), packed, body.readUInt32LE(5))
  if (content.length !== body.readUInt32LE(5)) throw new RangeError('a compressed block has another size than it says')
  return content
}

function unpack(method: number, packed: Buffer, size: number): Buffer {
  if (method === NONE) return packed
  if (method === ZSTD) return zstdDecompressSync(packed, { maxOutputLength: size })
  if (method !== LZ4) throw refuse('UNKNOWN_COMPRESSION_METHOD', `Unknown compression method: ${method}`)
  const content = Buffer.allocUnsafe(size)
  return content.subarray(0, decompressBlock(packed, content))
}

/** Ends a step of a stream: what the work throws is the stream's error. */
function settle(done: TransformCallback, work: () => void): void {
  try {
    work()
    done()
  } catch (cause) {
    const isRefused = cause instanceof Error && cause.name === 'ServerError'
    done(isRefused ? cause : refuse('CANNOT_DECOMPRESS', `Cannot decompress: ${cause}`))
  }
}
