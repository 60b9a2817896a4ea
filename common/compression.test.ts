// Promise: whatever a producer compresses with is read, and no batch unpacks to more than its limit.
import { zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import snappy from 'snappy'
import { describe, expect, test } from 'vitest'
import { type CodecName, createCodecs } from './compression.ts'

const codecs = createCodecs()
const names = Object.keys(codecs) as CodecName[]

describe.each(names)('%s', name => {
  const codec = codecs[name]
  test('unpacks what it packed', async () => {
    const bytes = fc
      .uint8Array({ maxLength: 3000 })
      .map(array => Buffer.concat([Buffer.from(array), Buffer.from(array)]))
    await fc.assert(
      fc.asyncProperty(bytes, async buffer => {
        expect(await codec.decompress(await codec.compress({ buffer }))).toEqual(buffer)
      }),
    )
  })
  test('a megabyte takes many pieces and blocks', async () => {
    const buffer = Buffer.from(Array.from({ length: 60_000 }, (_, at) => `dossier ${(at * 7919) % 10_007};`).join(''))
    expect(await codec.decompress(await codec.compress({ buffer }))).toEqual(buffer)
  })
  test('more than the limit is an error that says so', async () => {
    const packed = await codec.compress({ buffer: Buffer.alloc(300_001) })
    // LZ4 is measured in whole blocks.
    const enough = name === 'lz4' ? 524_288 : 300_001
    await expect(createCodecs(enough)[name].decompress(packed)).resolves.toHaveLength(300_001)
    const limit = 300_000
    await expect(createCodecs(limit)[name].decompress(packed)).rejects.toMatchObject({
      name: 'UnpackError',
      code: 'TOO_LARGE',
      retriable: false,
      message: expect.stringContaining(`more than the ${limit} bytes`),
    })
  })
  test('other bytes are an error that says so', async () => {
    await expect(codec.decompress(Buffer.alloc(40, 0xfe))).rejects.toMatchObject({
      name: 'UnpackError',
      code: 'CORRUPT',
    })
    const packed = await codec.compress({ buffer: Buffer.from('dossier '.repeat(99)) })
    await expect(codec.decompress(packed.subarray(0, -9))).rejects.toMatchObject({ code: 'CORRUPT' })
  })
})

test('snappy: bare as from librdkafka, in several blocks and streams as from Java', async () => {
  const text = Buffer.from('dossier '.repeat(1000))
  const bare = await snappy.compress(text)
  expect(await codecs.snappy.decompress(bare)).toEqual(text)
  const framed = await codecs.snappy.compress({ buffer: text })
  const [header, block] = [framed.subarray(0, 16), framed.subarray(16)]
  expect(header.toString('latin1')).toBe('\x82SNAPPY\0\0\0\0\x01\0\0\0\x01')
  const several = Buffer.concat([header, block, block, header, block])
  expect(await codecs.snappy.decompress(several)).toEqual(Buffer.concat([text, text, text]))
})

test('zstd: several frames, one behind the other, with one limit', async () => {
  const frames = Buffer.concat(['one ', 'two ', 'three'].map(text => zstdCompressSync(text)))
  expect(String(await codecs.zstd.decompress(frames))).toBe('one two three')
  await expect(createCodecs(12).zstd.decompress(frames)).rejects.toMatchObject({ code: 'TOO_LARGE' })
})

test('so many parts that each costs a call are no batch of any client', async () => {
  const empty = zstdCompressSync('')
  const frames = Buffer.concat([zstdCompressSync('one'), ...Array.from({ length: 100 }, () => empty)])
  await expect(codecs.zstd.decompress(frames)).rejects.toMatchObject({ code: 'CORRUPT' })
  const framed = await codecs.snappy.compress({ buffer: Buffer.from('dossier') })
  const [header, block] = [framed.subarray(0, 16), framed.subarray(16)]
  const blocks = Buffer.concat([header, ...Array.from({ length: 16_385 }, () => block)])
  await expect(codecs.snappy.decompress(blocks)).rejects.toMatchObject({ code: 'CORRUPT' })
})

test('LZ4: a frame with a content size, checksums and blocks of 4 MB', async () => {
  // Python: lz4.frame.compress(b'dossier ' * 9, content_checksum=True, block_checksum=True, block_size=7, store_size=True)
  const hex = '04224d187c4048000000000000002b120000008f646f737369657220080028507369657220ad577a7a00000000a96b1fd8'
  const frame = Buffer.from(hex, 'hex')
  expect(String(await codecs.lz4.decompress(frame))).toBe('dossier '.repeat(9))
})
