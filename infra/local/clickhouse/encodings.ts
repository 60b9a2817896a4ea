/**
 * HTTP's content encodings, as ClickHouse knows them: of the body of a request, and of an answer. Of several that a client
 * accepts the one ClickHouse prefers is taken, whatever their order and weights.
 */
import type { Transform } from 'node:stream'
import {
  createBrotliCompress,
  createBrotliDecompress,
  createDeflate,
  createGunzip,
  createGzip,
  createInflate,
  createZstdCompress,
  createZstdDecompress,
  constants as zlib,
} from 'node:zlib'
import { createLz4, createUnlz4 } from './frames.ts'

type Coding = { encode: () => Transform; decode: () => Transform }

/** Best first. Speed counts more than size on one machine. */
const CODINGS: Readonly<Record<string, Coding>> = {
  zstd: { encode: createZstdCompress, decode: createZstdDecompress },
  br: {
    encode: () => createBrotliCompress({ params: { [zlib.BROTLI_PARAM_QUALITY]: 1 } }),
    decode: createBrotliDecompress,
  },
  lz4: { encode: createLz4, decode: createUnlz4 },
  gzip: { encode: () => createGzip({ level: 3 }), decode: createGunzip },
  deflate: { encode: () => createDeflate({ level: 3 }), decode: createInflate },
}

export const ENCODINGS: readonly string[] = Object.keys(CODINGS)

export function acceptedEncoding(header: string | string[] | undefined): string | undefined {
  const accepted = String(header ?? '').toLowerCase()
  return ENCODINGS.find(name => new RegExp(`(?:^|[ ,])${name}(?:$|[ ,;])(?! *q=0(?:$|[ ,]))`).test(accepted))
}

export function encoderOf(encoding: string | undefined): Transform | undefined {
  return encoding === undefined ? undefined : CODINGS[encoding]?.encode()
}

/** Undefined for an encoding that is not known. */
export function decoderOf(encoding: string): Transform | undefined {
  return CODINGS[encoding === 'x-gzip' ? 'gzip' : encoding]?.decode()
}
