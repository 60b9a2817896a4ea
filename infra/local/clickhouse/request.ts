/**
 * One HTTP request taken apart: what is asked (text), how (settings, parameters, database, format), and the rest of the body.
 * Guarantees bounded memory: at most HEAD_BYTES_MAX of a body are held; the rows of an INSERT stay a stream.
 */
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import { refuse, ServerError } from './errors.ts'
import type { Setting } from './statement.ts'

/** A statement without rows must fit; of an INSERT only the part before the rows. ClickHouse's own limit (max_query_size) is 256 KiB. */
const HEAD_BYTES_MAX = 16 * 1024 * 1024
/** Enough to see whether the text is an INSERT whose rows follow. */
const HEAD_BYTES_FIRST = 256 * 1024

export type Request = {
  /** Query of the URL and the beginning of the body, as bytes (latin1). */
  head: string
  /** False while more of the body is to come than `head` holds. */
  complete: boolean
  body: AsyncIterator<Buffer>
  settings: Setting[]
  parameters: Setting[]
  database: string | undefined
  defaultFormat: string
  queryId: string | undefined
  sessionId: string | undefined
  sessionTimeoutS: number
  sessionCheck: boolean
  waitEndOfQuery: boolean
  compressAnswer: boolean
}

/** URL parameters that are no settings. */
const OWN_PARAMETERS = new Set([
  'query',
  'query_id',
  'database',
  'default_format',
  'user',
  'password',
  'quota_key',
  'session_id',
  'session_timeout',
  'session_check',
  'compress',
  'decompress',
  'buffer_size',
  'wait_end_of_query',
  'enable_http_compression',
  'http_zlib_compression_level',
  'send_progress_in_http_headers',
  'http_headers_progress_interval_ms',
  'http_response_buffer_size',
  'http_wait_end_of_query',
  'http_write_exception_in_output_format',
  'cancel_http_readonly_queries_on_client_close',
  'http_native_compression_disable_checksumming_on_decompress',
  'add_http_cors_header',
  'client_protocol_version',
  'stacktrace',
])

export async function readRequest(message: IncomingMessage, query: URLSearchParams): Promise<Request> {
  for (const name of ['compress', 'decompress']) {
    if (isOn(query.get(name))) {
      throw refuse(
        'NOT_IMPLEMENTED',
        `${name}=1 (ClickHouse's own LZ4 frames) is not supported here: use HTTP compression`,
      )
    }
  }
  const fields = new URLSearchParams(query)
  const form = await readForm(message)
  for (const [name, value] of form ?? []) fields.set(name, value)
  const body = (form ? Readable.from([]) : decoded(message))[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  const url = fields.get('query')
  const { head, complete } = await readHead(body, url ? `${latin1(url)}\n` : '', HEAD_BYTES_FIRST)
  const header = (name: string) => message.headers[name]?.toString()
  return {
    head,
    complete,
    body,
    ...readSettings(fields),
    database: fields.get('database') || header('x-clickhouse-database'),
    defaultFormat: fields.get('default_format') || header('x-clickhouse-format') || 'TabSeparated',
    queryId: fields.get('query_id') || undefined,
    sessionId: fields.get('session_id') || undefined,
    sessionTimeoutS: sessionTimeout(fields.get('session_timeout')),
    sessionCheck: isOn(fields.get('session_check')),
    waitEndOfQuery: isOn(fields.get('wait_end_of_query')) || isOn(fields.get('http_wait_end_of_query')),
    compressAnswer: isOn(fields.get('enable_http_compression')),
  }
}

/** Holds the whole body of a statement that has no rows. */
export async function readWholeText(request: Request): Promise<string> {
  if (request.complete) return request.head
  const { head, complete } = await readHead(request.body, request.head, HEAD_BYTES_MAX)
  if (!complete) throw refuse('QUERY_IS_TOO_LARGE', `Query is too large: more than ${HEAD_BYTES_MAX} bytes`)
  return head
}

async function readHead(body: AsyncIterator<Buffer>, begin: string, limit: number) {
  const parts = [begin]
  for (let size = begin.length; size <= limit; ) {
    const { value, done } = await body.next().catch(unreadable)
    if (done) return { head: parts.join(''), complete: true }
    parts.push(value.toString('latin1'))
    size += value.length
  }
  return { head: parts.join(''), complete: false }
}

export function unreadable(cause: unknown): never {
  if (cause instanceof ServerError) throw cause
  const isCompression =
    cause instanceof Error && 'code' in cause && /^(?:Z_|ERR__?(?:ZLIB|BROTLI|ZSTD)|ZSTD_)/.test(`${cause.code}`)
  throw refuse(isCompression ? 'ZLIB_INFLATE_FAILED' : 'NETWORK_ERROR', `Cannot read the body of the request: ${cause}`)
}

function readSettings(fields: URLSearchParams): { settings: Setting[]; parameters: Setting[] } {
  const settings: Setting[] = []
  const parameters: Setting[] = []
  for (const [name, value] of fields) {
    if (name.startsWith('param_')) parameters.push({ name, value })
    else if (!OWN_PARAMETERS.has(name)) settings.push({ name, value })
  }
  return { settings, parameters }
}

function sessionTimeout(text: string | null): number {
  const seconds = text === null ? 60 : Number(text)
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= 3600) return seconds
  throw refuse('INVALID_SESSION_TIMEOUT', `Invalid session timeout: '${text}', 0 to 3600 seconds are possible`)
}

function decoded(message: IncomingMessage): Readable {
  const encoding = message.headers['content-encoding']?.toLowerCase()
  const decoder = encoding === undefined || encoding === 'identity' ? undefined : decoderOf(encoding)
  if (!decoder) return message
  message.on('error', error => decoder.destroy(error))
  message.on('close', () => {
    if (!message.complete) decoder.destroy(refuse('NETWORK_ERROR', 'The client went away while sending'))
  })
  return message.pipe(decoder)
}

function decoderOf(encoding: string) {
  if (encoding === 'gzip' || encoding === 'x-gzip') return createGunzip()
  if (encoding === 'deflate') return createInflate()
  if (encoding === 'br') return createBrotliDecompress()
  if (encoding === 'zstd') return createZstdDecompress()
  throw refuse('NOT_IMPLEMENTED', `Unknown Content-Encoding '${encoding}': gzip, deflate, br and zstd are known here`)
}

/** Long parameters travel as multipart/form-data: each field is what an URL parameter would be. */
async function readForm(message: IncomingMessage): Promise<Array<[string, string]> | undefined> {
  const type = message.headers['content-type']
  if (!type?.toLowerCase().startsWith('multipart/form-data')) return undefined
  const parts: Buffer[] = []
  let size = 0
  for await (const part of decoded(message)) {
    size += part.length
    if (size > HEAD_BYTES_MAX)
      throw refuse('QUERY_IS_TOO_LARGE', `Form is too large: more than ${HEAD_BYTES_MAX} bytes`)
    parts.push(part)
  }
  const form = await new Response(Buffer.concat(parts), { headers: { 'content-type': type } })
    .formData()
    .catch(cause => {
      throw refuse('BAD_ARGUMENTS', `Cannot read the multipart form: ${cause}`)
    })
  return [...form].map(([name, value]) => {
    if (typeof value === 'string') return [name, value]
    throw refuse('NOT_IMPLEMENTED', `External tables ('${name}') are not supported here`)
  })
}

export function isOn(value: string | null): boolean {
  return value !== null && value !== '' && value !== '0' && value.toLowerCase() !== 'false'
}

export function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

export function utf8(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8')
}
