/**
 * The answer to one query: headers, body, compression, and failure in a way clients notice. A failure before the first
 * byte is an HTTP error; one after it is the exception block clients look for, on a connection that breaks off.
 * Small answers are held back until their query has ended, so that status and summary are true for them.
 */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Transform } from 'node:stream'
import { createBlocks } from './blocks.ts'
import { acceptedEncoding, encoderOf } from './encodings.ts'
import type { Progress } from './engine.ts'
import { errorText, httpStatus, type ServerError } from './errors.ts'

const HELD_BYTES_MAX = 256 * 1024
const HELD_MS_MAX = 250

export type About = { version: string; timezone: string; displayName: string }
export type Format = { name: string; contentType: string }
/** `http`: as the client's Accept-Encoding allows. `blocks`: ClickHouse's own, inside of that. */
export type Compression = { http: boolean; blocks: boolean }
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
  let blocks = false
  /** What compresses, the one next to the response first. */
  let stages: Transform[] = []
  let body: ServerResponse | Transform = response
  let progressed = false
  let held: Buffer[] = []
  let heldBytes = 0
  let timer: NodeJS.Timeout | undefined

  function begin(status: number, contentType: string, headers: Record<string, string>): void {
    clearTimeout(timer)
    response.writeHead(status, {
      'Content-Type': contentType,
      'X-ClickHouse-Server-Display-Name': about.displayName,
      'X-ClickHouse-Query-Id': headerText(queryId),
      'X-ClickHouse-Timezone': about.timezone,
      ...headers,
    })
    if (progressed) withoutStatusLine(response)
  }

  function beginResult(summary: Summary | undefined): void {
    begin(200, format.contentType, {
      'X-ClickHouse-Format': format.name,
      'X-ClickHouse-Exception-Tag': tag,
      'X-ClickHouse-Summary': summaryJson(summary),
      ...(encoding ? { 'Content-Encoding': encoding, Vary: 'Accept-Encoding' } : {}),
    })
    stages = [encoderOf(encoding), blocks ? createBlocks() : undefined].filter(stage => stage !== undefined)
    for (const stage of stages) {
      stage.pipe(body)
      body = stage
    }
    for (const chunk of held) body.write(chunk)
    held = []
  }

  return {
    /** What the answer will be, once it is known and before anything is written. */
    expect(expected: Format, compression: Compression): void {
      format = expected
      blocks = compression.blocks
      encoding = compression.http ? acceptedEncoding(message.headers['accept-encoding']) : undefined
    },
    /** A header of its own, sent at once, while the query runs and nothing of its result is there. */
    progress(progress: Progress): void {
      const { socket } = response
      if (response.headersSent || held.length > 0 || !socket) return
      if (!progressed) socket.write('HTTP/1.1 200 OK\r\n')
      progressed = true
      socket.write(`X-ClickHouse-Progress: ${progressJson(progress)}\r\n`)
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
        begin(progressed ? 200 : httpStatus(error.code), 'text/plain; charset=UTF-8', {
          'X-ClickHouse-Exception-Code': String(error.code),
          // The rest of a body that nobody reads must not be taken for the next request.
          ...(message.complete ? {} : { Connection: 'close' }),
        })
        response.end(text)
      } else if (!response.writableEnded) {
        breakOff(response, stages, exceptionBlock(text, tag))
      }
    },
  }
}

/** A client's own text as bytes of UTF-8, without what would end the header. */
function headerText(text: string): string {
  return Buffer.from(text.replaceAll(/\p{Cc}/gu, '?')).toString('latin1')
}

/** The status went out with the first progress header; what Node writes now has to go on behind it. */
function withoutStatusLine(response: ServerResponse): void {
  const head = response as unknown as { _header: string }
  head._header = head._header.slice(head._header.indexOf('\r\n') + 2)
}

/** Until the client has read enough, or has gone. */
function drained(body: ServerResponse | Transform, response: ServerResponse): Promise<void> {
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
function breakOff(response: ServerResponse, stages: readonly Transform[], block: string): void {
  const leave = () => response.socket?.destroySoon()
  const [last] = stages
  if (!last) {
    response.write(block, leave)
    return
  }
  // Whatever compresses may end in order, the answer may not.
  last.once('end', leave)
  last.unpipe(response)
  last.on('data', (chunk: Buffer) => response.write(chunk))
  last.resume()
  stages.at(-1)?.end(block)
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

function progressJson({ readRows, readBytes, rowsToRead, elapsedNs }: Progress): string {
  return JSON.stringify({
    read_rows: readRows,
    read_bytes: readBytes,
    total_rows_to_read: rowsToRead,
    elapsed_ns: elapsedNs,
  })
}
