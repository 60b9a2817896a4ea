/**
 * One HTTP request taken apart: what is asked (text), how (settings, parameters, database, format), and the rest of the body.
 * Guarantees bounded memory: at most HEAD_BYTES_MAX of a body are held; the rows of an INSERT stay a stream.
 */
import type { IncomingMessage } from 'node:http'
import { Readable, type Transform } from 'node:stream'
import { readBlocks } from './blocks.ts'
import { decoderOf, ENCODINGS } from './encodings.ts'
import { refuse, ServerError } from './errors.ts'
import { type ExternalTable, externalTable, fieldsOfExternal, readForm } from './form.ts'
import type { Setting } from './statement.ts'

/** A statement without rows must fit; of an INSERT only the part before the rows. ClickHouse's own limit (max_query_size) is 256 KiB. */
const HEAD_BYTES_MAX = 16 * 1024 * 1024
/** Enough to see whether the text is an INSERT whose rows follow. */
const HEAD_BYTES_FIRST = 256 * 1024
/** ClickHouse's default of http_headers_progress_interval_ms, and what is often enough here: each costs a small query. */
const PROGRESS_MS = 100
const PROGRESS_MS_MIN = 50

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
  /** HTTP compression of the answer, if the client's Accept-Encoding names one. */
  compressAnswer: boolean
  /** ClickHouse's own compressed blocks. */
  compressBlocks: boolean
  /** Milliseconds between progress headers, undefined where none are wanted. */
  progressMs: number | undefined
  /** Tables that hold for this query, sent along as files of a form. */
  external: ExternalTable[]
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
  const fields = new URLSearchParams(query)
  const packed = isOn(query.get('decompress'))
  const sent = decoded(message, packed)
  const form = await readForm(message.headers['content-type'], sent).catch(unreadable)
  for (const [name, value] of form?.fields ?? []) fields.set(name, value)
  const external = (form?.files ?? []).map(file => externalTable(file, fields))
  const body = (form ? Readable.from([]) : sent)[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  const url = fields.get('query')
  const { head, complete } = await readHead(body, url ? `${latin1(url)}\n` : '', HEAD_BYTES_FIRST)
  const header = (name: string) => message.headers[name]?.toString()
  return {
    head,
    complete,
    body,
    ...readSettings(fields, new Set([...OWN_PARAMETERS, ...external.flatMap(fieldsOfExternal)])),
    database: fields.get('database') || header('x-clickhouse-database'),
    defaultFormat: fields.get('default_format') || header('x-clickhouse-format') || 'TabSeparated',
    queryId: fields.get('query_id') || undefined,
    sessionId: fields.get('session_id') || undefined,
    sessionTimeoutS: sessionTimeout(fields.get('session_timeout')),
    sessionCheck: isOn(fields.get('session_check')),
    waitEndOfQuery: isOn(fields.get('wait_end_of_query')) || isOn(fields.get('http_wait_end_of_query')),
    compressAnswer: isOn(fields.get('enable_http_compression')),
    compressBlocks: isOn(fields.get('compress')),
    progressMs: isOn(fields.get('send_progress_in_http_headers'))
      ? progressInterval(fields.get('http_headers_progress_interval_ms'))
      : undefined,
    external,
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
    cause instanceof Error && 'code' in cause && /^(?:Z_|ERR__?(?:ZLIB|BROTLI|ZSTD|LZ4)|ZSTD_)/.test(`${cause.code}`)
  throw refuse(isCompression ? 'ZLIB_INFLATE_FAILED' : 'NETWORK_ERROR', `Cannot read the body of the request: ${cause}`)
}

function readSettings(
  fields: URLSearchParams,
  own: ReadonlySet<string>,
): { settings: Setting[]; parameters: Setting[] } {
  const settings: Setting[] = []
  const parameters: Setting[] = []
  for (const [name, value] of fields) {
    if (name.startsWith('param_')) parameters.push({ name, value })
    else if (!own.has(name)) settings.push({ name, value })
  }
  return { settings, parameters }
}

function sessionTimeout(text: string | null): number {
  const seconds = text === null ? 60 : Number(text)
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= 3600) return seconds
  throw refuse('INVALID_SESSION_TIMEOUT', `Invalid session timeout: '${text}', 0 to 3600 seconds are possible`)
}

/** The body's bytes as they were meant. `packed`: the client wrote them as ClickHouse's compressed blocks. */
function decoded(message: IncomingMessage, packed: boolean): Readable {
  const encoding = message.headers['content-encoding']?.toLowerCase()
  const unpacked = encoding === undefined || encoding === 'identity' ? message : through(message, httpDecoder(encoding))
  return packed ? through(unpacked, readBlocks()) : unpacked
}

function httpDecoder(encoding: string): Transform {
  const decoder = decoderOf(encoding)
  if (decoder) return decoder
  throw refuse('NOT_IMPLEMENTED', `Unknown Content-Encoding '${encoding}': ${ENCODINGS.join(', ')} are known here`)
}

/** Like pipe(), but a source that fails or breaks off is a failure of what is read behind it. */
function through(source: Readable, decoder: Transform): Transform {
  // It may fail before anybody reads it: whoever does then, learns it all the same.
  decoder.on('error', () => undefined)
  source.on('error', error => decoder.destroy(error))
  source.on('close', () => {
    if (!source.readableEnded) decoder.destroy(refuse('NETWORK_ERROR', 'The client went away while sending'))
  })
  return source.pipe(decoder)
}

function progressInterval(text: string | null): number {
  const interval = text === null ? PROGRESS_MS : Number(text)
  if (!Number.isInteger(interval) || interval < 0 || interval > 2 ** 31 - 1) {
    throw refuse('BAD_ARGUMENTS', `Cannot parse http_headers_progress_interval_ms: '${text}'`)
  }
  return Math.max(interval, PROGRESS_MS_MIN)
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
