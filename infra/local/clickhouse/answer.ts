/**
 * The answer to one query: headers, body, compression, and failure in a way clients notice. A failure before the first
 * byte is an HTTP error; one after it is the exception block clients look for, on a connection that breaks off.
 * Small answers are held back until their query has ended, so that status and summary are true for them.
 */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createBrotliCompress, createDeflate, createGzip, createZstdCompress, constants as zlib } from 'node:zlib'
import { errorText, httpStatus, type ServerError } from './errors.ts'

const HELD_BYTES_MAX = 256 * 1024
const HELD_MS_MAX = 250

export type About = { version: string; timezone: string; displayName: string }
export type Format = { name: string; contentType: string }
export type Summary = {
  rowsWritten?: number
  bytesWritten?: number
  resultRows?: number
  resultBytes?: number
  elapsedS: number
}

export type Answer = ReturnType<typeof createAnswer>

export function createAnswer(message: IncomingMessage, response: ServerResponse, about: About, queryId: string) {
  const tag = randomBytes(8).toString('hex')
  let format: Format = { name: 'TabSeparated', contentType: 'text/plain; charset=UTF-8' }
  let encoding: string | undefined
  let body: ServerResponse | Compressor = response
  let held: Buffer[] = []
  let heldBytes = 0
  let timer: NodeJS.Timeout | undefined

  function begin(status: number, contentType: string, headers: Record<string, string>): void {
    clearTimeout(timer)
    response.writeHead(status, {
      'Content-Type': contentType,
      'X-ClickHouse-Server-Display-Name': about.displayName,
      'X-ClickHouse-Query-Id': queryId,
      'X-ClickHouse-Timezone': about.timezone,
      ...headers,
    })
  }

  function beginResult(summary: Summary | undefined): void {
    begin(200, format.contentType, {
      'X-ClickHouse-Format': format.name,
      'X-ClickHouse-Exception-Tag': tag,
      'X-ClickHouse-Summary': summaryJson(summary),
      ...(encoding ? { 'Content-Encoding': encoding, Vary: 'Accept-Encoding' } : {}),
    })
    const compressor = encoding === undefined ? undefined : compressorOf(encoding)
    if (compressor) {
      compressor.pipe(response)
      body = compressor
    }
    for (const chunk of held) body.write(chunk)
    held = []
  }

  return {
    /** What the answer will be, once it is known and before anything is written. */
    expect(expected: Format, compress: boolean): void {
      format = expected
      encoding = compress ? acceptedEncoding(message.headers['accept-encoding']) : undefined
    },
    /** Sends the headers now, with what is known. */
    begin: beginResult,
    async write(chunk: Buffer): Promise<void> {
      if (response.destroyed) return
      if (!response.headersSent) {
        held.push(chunk)
        heldBytes += chunk.length
        timer ??= setTimeout(() => beginResult(undefined), HELD_MS_MAX)
        if (heldBytes > HELD_BYTES_MAX) beginResult(undefined)
        return
      }
      if (!body.write(chunk)) await drained(body, response)
    },
    end(summary: Summary): void {
      if (!response.headersSent) beginResult(summary)
      body.end()
    },
    fail(error: ServerError): void {
      clearTimeout(timer)
      const text = errorText(error, about.version)
      if (!response.headersSent) {
        begin(httpStatus(error.code), 'text/plain; charset=UTF-8', {
          'X-ClickHouse-Exception-Code': String(error.code),
          // The rest of a body that nobody reads must not be taken for the next request.
          ...(message.complete ? {} : { Connection: 'close' }),
        })
        response.end(text)
      } else if (!response.writableEnded) {
        breakOff(response, body, exceptionBlock(text, tag))
      }
    },
  }
}

/** Until the client has read enough, or has gone. */
function drained(body: ServerResponse | Compressor, response: ServerResponse): Promise<void> {
  if (response.destroyed) return Promise.resolve()
  return new Promise(resolve => {
    const done = () => {
      body.off('drain', done)
      response.off('close', done)
      resolve()
    }
    body.on('drain', done)
    response.on('close', done)
  })
}

function exceptionBlock(text: string, tag: string): string {
  return `\r\n__exception__\r\n${tag}\r\n${text}${Buffer.byteLength(text)} ${tag}\r\n__exception__\r\n`
}

/** Sends all that is written, then ends the connection without the end of the body. */
function breakOff(response: ServerResponse, body: ServerResponse | Compressor, block: string): void {
  const end = () => response.socket?.destroySoon()
  if (!('unpipe' in body)) {
    response.write(block, end)
    return
  }
  body.once('end', end)
  body.unpipe(response)
  body.on('data', (chunk: Buffer) => response.write(chunk))
  body.resume()
  body.end(block)
}

function summaryJson(summary: Summary | undefined): string {
  return JSON.stringify({
    read_rows: String(summary?.rowsWritten ?? 0),
    read_bytes: String(summary?.bytesWritten ?? 0),
    written_rows: String(summary?.rowsWritten ?? 0),
    written_bytes: String(summary?.bytesWritten ?? 0),
    total_rows_to_read: '0',
    result_rows: String(summary?.resultRows ?? summary?.rowsWritten ?? 0),
    result_bytes: String(summary?.resultBytes ?? summary?.bytesWritten ?? 0),
    elapsed_ns: String(Math.round((summary?.elapsedS ?? 0) * 1e9)),
  })
}

function acceptedEncoding(header: string | string[] | undefined): string | undefined {
  const accepted = String(header ?? '').toLowerCase()
  return ['br', 'gzip', 'deflate', 'zstd'].find(name =>
    new RegExp(`(?:^|[ ,])${name}(?:$|[ ,;])(?! *q=0(?:$|[ ,]))`).test(accepted),
  )
}

type Compressor = ReturnType<typeof compressorOf>

function compressorOf(encoding: string) {
  if (encoding === 'br') return createBrotliCompress({ params: { [zlib.BROTLI_PARAM_QUALITY]: 1 } })
  if (encoding === 'deflate') return createDeflate({ level: 3 })
  if (encoding === 'zstd') return createZstdCompress()
  return createGzip({ level: 3 })
}
