/**
 * Errors as a ClickHouse server tells them: a code, its name, an HTTP status, and the body clients parse.
 * Guarantees that a client sees the innermost code and name the engine gave, never a wrapped one.
 */

/** Codes this front raises itself; every other code comes from the engine, with its name. */
export const CODES = {
  BAD_ARGUMENTS: 36,
  CHECKSUM_DOESNT_MATCH: 40,
  NOT_IMPLEMENTED: 48,
  SYNTAX_ERROR: 62,
  UNKNOWN_FORMAT: 73,
  UNKNOWN_TYPE_OF_QUERY: 78,
  UNKNOWN_COMPRESSION_METHOD: 89,
  READONLY: 164,
  TOO_MANY_SIMULTANEOUS_QUERIES: 202,
  NETWORK_ERROR: 210,
  QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING: 216,
  QUERY_IS_TOO_LARGE: 229,
  NOT_ENOUGH_SPACE: 243,
  CANNOT_DECOMPRESS: 271,
  ZLIB_INFLATE_FAILED: 354,
  INTO_OUTFILE_NOT_ALLOWED: 358,
  SESSION_NOT_FOUND: 372,
  SESSION_IS_LOCKED: 373,
  INVALID_SESSION_TIMEOUT: 374,
  QUERY_WAS_CANCELLED: 394,
  ACCESS_DENIED: 497,
  AUTHENTICATION_FAILED: 516,
  UNKNOWN_EXCEPTION: 1002,
} as const

export type CodeName = keyof typeof CODES

export class ServerError extends Error {
  readonly code: number
  readonly type: string

  constructor(code: number, type: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ServerError'
    this.code = code
    this.type = type
  }
}

export function refuse(type: CodeName, message: string): ServerError {
  return new ServerError(CODES[type], type, message)
}

const WRAPPED = /^(?:Code: \d+\. DB::Exception: )*Code: (\d+)\. DB::Exception: ([\s\S]*)$/
const ENGINE_SUFFIX = /\s*\(([A-Z][A-Z0-9_]*)\)(?: \(version [^()]*(?:\([^()]*\))?\))?\s*\.?\s*$/

/** The engine's text, `Code: 60. DB::Exception: … (UNKNOWN_TABLE)`, possibly wrapped several times, taken apart. */
export function fromEngine(error: unknown): ServerError {
  if (error instanceof ServerError) return error
  const text = error instanceof Error ? error.message : String(error)
  const wrapped = WRAPPED.exec(text)
  if (!wrapped) return new ServerError(CODES.UNKNOWN_EXCEPTION, 'UNKNOWN_EXCEPTION', text, { cause: error })
  let message = wrapped[2] ?? ''
  let type = 'UNKNOWN_EXCEPTION'
  for (let suffix = ENGINE_SUFFIX.exec(message); suffix; suffix = ENGINE_SUFFIX.exec(message)) {
    type = suffix[1] ?? type
    message = message.slice(0, suffix.index)
  }
  return new ServerError(Number(wrapped[1]), type, message, { cause: error })
}

export function errorText(error: ServerError, version: string): string {
  const stop = /[.!?]$/.test(error.message) ? '' : '.'
  return `Code: ${error.code}. DB::Exception: ${error.message}${stop} (${error.type}) (version ${version})\n`
}

/** As exceptionCodeToHTTPStatus.cpp of ClickHouse has it; everything unnamed is 500. */
const STATUS_CODES: ReadonlyArray<readonly [number, readonly number[]]> = [
  [401, [194]],
  [403, [192, 193, 497, 512, 516]],
  [400, [6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376, 427, 441, 675, 676]],
  [404, [46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511]],
  [408, [159]],
  [411, [381]],
  [413, [229]],
  [501, [48]],
  [503, [76, 209, 439]],
]
const STATUS_OF = new Map(STATUS_CODES.flatMap(([status, codes]) => codes.map(code => [code, status] as const)))

export function httpStatus(code: number): number {
  return STATUS_OF.get(code) ?? 500
}
