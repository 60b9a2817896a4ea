/**
 * Kafka's codecs for kafkajs, which has only gzip of its own: whatever producers compress with can be read and written.
 * Importing this file registers them. A batch unpacks to `UNPACKED_BYTES_MAX` at most: a small batch can hold more zeros
 * than the machine has memory. On failure: {@link UnpackError}, which kafkajs does not retry.
 */
import { promisify } from 'node:util'
import { gzip, unzip, zstdCompress, zstdDecompress } from 'node:zlib'
import kafkajs from 'kafkajs'
import { compressFrame, decompressFrame } from 'lz4-napi'
import snappy from 'snappy'

/** What the records of one batch may take when unpacked. */
export const UNPACKED_BYTES_MAX = 268_435_456

/** Output grows by pieces of this size; zlib's 16 KiB make it three times slower. */
const CHUNK_BYTES = 131_072

/**
 * Parts of a batch that are unpacked one after the other. Clients write one frame of zstd, and blocks of snappy of 32 KiB; each
 * costs a call, however empty it is.
 */
const FRAMES_MAX = 100
const BLOCKS_MAX = 16_384

export class UnpackError extends Error {
  readonly code: 'TOO_LARGE' | 'CORRUPT'
  /** Asked by kafkajs: the same bytes fail again. */
  readonly retriable = false
  constructor(code: 'TOO_LARGE' | 'CORRUPT', message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'UnpackError'
    this.code = code
  }
}

/** As kafkajs wants it: `compress` gets its encoder. */
export interface Codec {
  compress(encoder: { buffer: Buffer }): Promise<Buffer>
  decompress(packed: Buffer): Promise<Buffer>
}

export type CodecName = 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** The four codecs; `bytes_max` is for tests. */
export const createCodecs = (bytes_max = UNPACKED_BYTES_MAX): Record<CodecName, Codec> => ({
  gzip: codec('gzip', promisify(gzip), packed => ungzip(packed, bytes_max), bytes_max),
  snappy: codec('snappy', packSnappy, packed => unpackSnappy(packed, bytes_max), bytes_max),
  lz4: codec('lz4', compressFrame, packed => unpackLz4(packed, bytes_max), bytes_max),
  zstd: codec('zstd', promisify(zstdCompress), packed => unpackZstd(packed, bytes_max), bytes_max),
})

function codec(
  name: CodecName,
  pack: (bytes: Buffer) => Promise<Buffer>,
  unpack: (packed: Buffer) => Promise<Buffer>,
  bytes_max: number,
): Codec {
  return {
    compress: ({ buffer }) => pack(buffer),
    async decompress(packed) {
      try {
        return await unpack(packed)
      } catch (cause) {
        if (cause instanceof UnpackError) throw cause
        if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(name, packed, bytes_max)
        if (isMemory(cause as NodeJS.ErrnoException)) throw cause
        const what = `a batch of ${packed.length} bytes is no ${name}: ${(cause as Error).message}`
        throw new UnpackError('CORRUPT', what, { cause })
      }
    },
  }
}

/** Memory is short for now; that says nothing of the bytes. V8's own error about it has no code. */
const isMemory = (error: NodeJS.ErrnoException): boolean =>
  error.code === 'Z_MEM_ERROR' ||
  error.code === 'ZSTD_error_memory_allocation' ||
  (error instanceof RangeError && error.code === undefined)

const tooLarge = (name: CodecName, packed: Buffer, bytes_max: number) =>
  new UnpackError(
    'TOO_LARGE',
    `a batch of ${packed.length} bytes (${name}) unpacks to more than the ${bytes_max} bytes that one batch may have`,
  )

// --- gzip and zstd --------------------------------------------------------------------------------------------------

const ungzip = (packed: Buffer, bytes_max: number): Promise<Buffer> =>
  promisify<Buffer, object, Buffer>(unzip)(packed, { maxOutputLength: bytes_max, chunkSize: CHUNK_BYTES })

/** Node ends with the first frame of several without a word; Kafka's own clients read them all. */
async function unpackZstd(packed: Buffer, bytes_max: number): Promise<Buffer> {
  const frames: Buffer[] = []
  let unpacked_bytes = 0
  for (let at = 0; at < packed.length; ) {
    const { frame, read_bytes } = await unpackFrame(packed.subarray(at), bytes_max - unpacked_bytes)
    frames.push(frame)
    unpacked_bytes += frame.length
    if (read_bytes === 0) throw new Error('an empty frame')
    if (frames.length > FRAMES_MAX) throw new Error(`more than ${FRAMES_MAX} frames`)
    at += read_bytes
  }
  return joined(frames)
}

const unpackFrame = (packed: Buffer, maxOutputLength: number): Promise<{ frame: Buffer; read_bytes: number }> =>
  new Promise((resolve, reject) => {
    // `info` is in Node's documentation, not in its types: the engine tells how far it read.
    const options = { maxOutputLength: Math.max(1, maxOutputLength), chunkSize: CHUNK_BYTES, info: true }
    zstdDecompress(packed, options, (error, answer) => {
      if (error) return reject(error)
      const { buffer, engine } = answer as unknown as { buffer: Buffer; engine: { bytesWritten: number } }
      resolve({ frame: buffer, read_bytes: engine.bytesWritten })
    })
  })

// --- snappy ---------------------------------------------------------------------------------------------------------

/** Kafka's Java client frames blocks as the library xerial does: this, two versions, then each block behind its length. */
const XERIAL = Buffer.from([0x82, ...Buffer.from('SNAPPY'), 0])
const XERIAL_HEADER = Buffer.concat([XERIAL, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1])])

async function packSnappy(bytes: Buffer): Promise<Buffer> {
  const block = await snappy.compress(bytes)
  const length = Buffer.alloc(4)
  length.writeInt32BE(block.length)
  return Buffer.concat([XERIAL_HEADER, length, block])
}

async function unpackSnappy(packed: Buffer, bytes_max: number): Promise<Buffer> {
  const blocks = packed.subarray(0, XERIAL.length).equals(XERIAL) ? xerialBlocks(packed) : [packed]
  const unpacked_bytes = blocks.reduce((sum, block) => sum + snappyLength(block), 0)
  if (unpacked_bytes > bytes_max) throw tooLarge('snappy', packed, bytes_max)
  const unpacked: Buffer[] = []
  for (const block of blocks) unpacked.push((await snappy.uncompress(block)) as Buffer)
  return joined(unpacked)
}

/** Streams may stand one behind the other, each with its header. */
function xerialBlocks(packed: Buffer): Buffer[] {
  const blocks: Buffer[] = []
  for (let at = 0; at < packed.length; ) {
    if (packed.subarray(at, at + XERIAL.length).equals(XERIAL)) {
      at += XERIAL_HEADER.length
      continue
    }
    const length = packed.readInt32BE(at)
    const end = at + 4 + length
    if (length < 0 || end > packed.length) throw new Error(`a block of ${length} bytes at ${at}`)
    if (blocks.length === BLOCKS_MAX) throw new Error(`more than ${BLOCKS_MAX} blocks`)
    blocks.push(packed.subarray(at + 4, end))
    at = end
  }
  return blocks
}

/** A block begins with the length that it unpacks to: a varint. */
function snappyLength(block: Buffer): number {
  let length = 0
  for (let at = 0; at < 5; at++) {
    const byte = block[at]
    if (byte === undefined) break
    length += (byte & 0x7f) * 2 ** (7 * at)
    if (byte < 0x80) return length
  }
  throw new Error('a block without its length')
}

// --- LZ4 ------------------------------------------------------------------------------------------------------------

const LZ4_MAGIC = 0x184d2204
/** A byte of LZ4 stands for 255 bytes of a match at most. */
const LZ4_RATIO_MAX = 255

/** The library has no limit of its own: the frame is measured first. */
async function unpackLz4(packed: Buffer, bytes_max: number): Promise<Buffer> {
  if (lz4BytesMax(packed) > bytes_max) throw tooLarge('lz4', packed, bytes_max)
  return decompressFrame(packed)
}

/** The most that a frame can unpack to, from the sizes of its blocks. */
function lz4BytesMax(frame: Buffer): number {
  if (frame.readUInt32LE(0) !== LZ4_MAGIC) throw new Error('it does not begin as a frame does')
  const flags = frame.readUInt8(4)
  const block_bytes_max = 2 ** (8 + 2 * ((frame.readUInt8(5) >> 4) & 7))
  const checksum_bytes = flags & 0x10 ? 4 : 0
  let unpacked_bytes = 0
  for (let at = 7 + (flags & 0x08 ? 8 : 0) + (flags & 0x01 ? 4 : 0); ; ) {
    const size = frame.readUInt32LE(at)
    if (size === 0) return unpacked_bytes
    const packed_bytes = size & 0x7fffffff
    const plain = size > 0x7fffffff
    unpacked_bytes += plain ? packed_bytes : Math.min(block_bytes_max, packed_bytes * LZ4_RATIO_MAX)
    at += 4 + packed_bytes + checksum_bytes
  }
}

const joined = (parts: Buffer[]): Buffer => (parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts))

const codecs = createCodecs()
const { CompressionCodecs, CompressionTypes } = kafkajs
CompressionCodecs[CompressionTypes.GZIP] = () => codecs.gzip
CompressionCodecs[CompressionTypes.Snappy] = () => codecs.snappy
CompressionCodecs[CompressionTypes.LZ4] = () => codecs.lz4
CompressionCodecs[CompressionTypes.ZSTD] = () => codecs.zstd
