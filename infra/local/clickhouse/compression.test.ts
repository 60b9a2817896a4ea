/** LZ4, its frames, CityHash and ClickHouse's blocks: what others wrote is read, what is written is read by others. */
import { Readable, type Transform } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createBlocks, readBlocks } from './blocks.ts'
import { cityHash128 } from './cityhash.ts'
import { acceptedEncoding } from './encodings.ts'
import { createLz4, createUnlz4 } from './frames.ts'
import { compressBlock, decompressBlock } from './lz4.ts'

/** Of the first n bytes of the input below, by com.clickhouse.data.ClickHouseCityHash of the JDBC driver. */
const VECTORS: ReadonlyArray<readonly [length: number, low: string, high: string]> = [
  [0, '3df09dfc64c09a2b', '3cb540c392e51e29'],
  [3, '6473720e9e25546d', '55ad3d94ab5ba66b'],
  [7, '2b10aba75d97da2d', 'bd3a37170971ff49'],
  [8, '8e7cf242a241c273', 'aa643fb72007a5ba'],
  [15, '3a18191fc587126a', 'f25d4b46a1c520c'],
  [16, 'd4af481bc580b0ef', 'cf8fb13a6db2b0ef'],
  [24, '3a9bc443bb6b0a78', '95af10633ba201b3'],
  [32, 'c08ad7e28dcb66d6', '8ef1cc2e48204925'],
  [33, '3e083759360ed67b', '5cd6ea7eebf307ec'],
  [143, 'aed560c8a0362cf', '630ef7f5bbbae3e9'],
  [144, 'bb7e18d642c59d97', 'fe0dc4de366e5752'],
  [145, '7494163ed1a542ce', 'ef301c0b61f076c'],
  [255, '3f878badfec60493', '2c975da4d1f2ec5f'],
  [272, 'ce97b36cddf635bc', '10204e32807e1e07'],
  [527, '33ccbac3a6afdeab', 'cb94ec338c66a2fe'],
  [1969, '6c97fcd0648d3c46', 'a56dfb8bef0e2a6b'],
]

/** Written by Python's lz4.frame 4.4.5, which clickhouse-connect uses. */
const FRAMES: ReadonlyArray<readonly [name: string, frame: string, text: string]> = [
  [
    'no checksum',
    '04224d186840c201000000000000e91b000000ff006d6f7463756120646f7373696572200f00ff9c50736965722000000000',
    'motcua dossier '.repeat(30),
  ],
  [
    'independent, checksums',
    '04224d187c40c201000000000000571b000000ff006d6f7463756120646f7373696572200f00ff9c507369657220303bb3490000000091892690',
    'motcua dossier '.repeat(30),
  ],
  [
    'size stored',
    '04224d186c40c201000000000000941b000000ff006d6f7463756120646f7373696572200f00ff9c5073696572200000000091892690',
    'motcua dossier '.repeat(30),
  ],
  [
    'two frames',
    '04224d186840c800000000000000d41a000000ff006d6f7463756120646f7373696572200f00a1506d6f7463750000000004224d186840fa00000000000000aa1a000000ff006120646f7373696572206d6f7463750f00d350736965722000000000',
    'motcua dossier '.repeat(30),
  ],
  [
    'two linked blocks',
    '04224d184040c023000000ff0930313233343536373839616263646566206d6f74637561201800305074637561200a0000000f60004850746375612000000000',
    '0123456789abcdef motcua '.repeat(8),
  ],
]

/** The columns of a part the engine wrote, each with one string and a CODEC: their .bin files. */
const ENGINE_BLOCKS: ReadonlyArray<readonly [codec: string, block: string]> = [
  ['LZ4', '1ac707632410fffb5ccec39309b6e2b0821c0000008e0000009f8c016d6f746375612007006d507463756120'],
  ['ZSTD', 'f2e6dc045e7634df86ac7893af6cccdc90220000008e00000028b52ffd208e850000488c016d6f746375612001000251e508'],
  [
    'NONE',
    '14891353108e8a8908fa78d64ed0b4d802970000008e0000008c016d6f74637561206d6f74637561206d6f74637561206d6f74637561206d6f74637561206d6f74637561206d6f74637561206d6f74637561206d6f74637561206d6f74637561206d6f74637561206d6f74637561206d6f74637561206d6f74637561206d6f74637561206d6f74637561206d6f74637561206d6f74637561206d6f74637561206d6f7463756120',
  ],
]

const hex = (text: string) => Buffer.from(text.replaceAll(/\s/g, ''), 'hex')
const through = async (parts: readonly Buffer[], ...stages: Transform[]): Promise<Buffer> => {
  const last = stages.reduce((from: Readable, to) => {
    from.on('error', error => to.destroy(error))
    return from.pipe(to)
  }, Readable.from(parts))
  const read: Buffer[] = []
  for await (const part of last) read.push(part)
  return Buffer.concat(read)
}
const pieces = (bytes: Buffer, size: number) =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size))
/** Bytes of all kinds: random, repeating near and far. */
const bytes = fc
  .array(fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 1, max: 300 })), { maxLength: 20 })
  .map(parts => Buffer.concat(parts.flatMap(([part, times]) => Array(times).fill(Buffer.from(part)))))

test('cityHash128 is that of ClickHouse', () => {
  const input = Buffer.from(Array.from({ length: 2000 }, (_, i) => (i * 31 + 7 * (i >> 8)) & 255))
  const found = VECTORS.map(([length]) => {
    const hash = cityHash128(input.subarray(0, length))
    return [length, hash.readBigUInt64LE(0).toString(16), hash.readBigUInt64LE(8).toString(16)]
  })
  expect(found).toEqual(VECTORS)
})

describe('LZ4', () => {
  test('every block can be read again, and what repeats gets small', () => {
    fc.assert(
      fc.property(bytes, input => {
        const to = Buffer.alloc(input.length)
        expect(decompressBlock(compressBlock(input), to)).toBe(input.length)
        expect(to.equals(input)).toBe(true)
      }),
    )
    expect(compressBlock(Buffer.alloc(100_000, 'abcdefgh')).length).toBeLessThan(1000)
  })
  test('no input reads or writes outside: an error, or bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), input => {
        const to = Buffer.alloc(300)
        try {
          decompressBlock(input, to)
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError)
        }
      }),
    )
  })
  test.each(FRAMES)('a frame of Python lz4: %s', async (_, frame, text) => {
    for (const size of [1, 7, 100_000]) {
      expect((await through(pieces(hex(frame), size), createUnlz4())).toString()).toBe(text)
    }
  })
  test('frames go out and come in', async () => {
    const input = Buffer.from(Array.from({ length: 300_000 }, (_, i) => `${i}\n`).join(''))
    expect((await through(pieces(input, 65_536), createLz4(), createUnlz4())).equals(input)).toBe(true)
    await expect(through([hex('04224d18607073'), hex('05000000'), hex('ff')], createUnlz4())).rejects.toThrow('cut off')
    await expect(through([Buffer.from('no frame')], createUnlz4())).rejects.toThrow('not an LZ4 frame')
  })
})

describe("ClickHouse's blocks", () => {
  test.each(ENGINE_BLOCKS)('of the engine, %s', async (_, block) => {
    const content = await through(pieces(hex(block), 10), readBlocks())
    // A string's length goes before it: 140 in two bytes.
    expect(content.toString('latin1')).toBe(`\x8c\x01${'motcua '.repeat(20)}`)
  })
  test('go out and come in; one bit astray is an error', async () => {
    const input = Buffer.from(Array.from({ length: 400_000 }, (_, i) => `${i * i}\n`).join(''))
    const packed = await through([input], createBlocks())
    expect(packed.length).toBeLessThan(input.length * 0.8)
    expect((await through(pieces(packed, 50_001), readBlocks())).equals(input)).toBe(true)
    const astray = Buffer.from(packed)
    astray.writeUInt8(astray.readUInt8(1000) ^ 1, 1000)
    await expect(through([astray], readBlocks())).rejects.toThrow("Checksum doesn't match")
    await expect(through([packed.subarray(0, -1)], readBlocks())).rejects.toThrow('cut off')
  })
})

test.each([
  ['lz4,zstd,br,gzip,deflate', 'zstd'],
  ['gzip, deflate', 'gzip'],
  ['lz4', 'lz4'],
  ['zstd;q=0, gzip', 'gzip'],
  ['identity', undefined],
])('of "%s" is taken: %s', (header, encoding) => {
  expect(acceptedEncoding(header)).toBe(encoding)
})
