/**
 * What a user may not ask. The analyst reads what is in the database and nothing else; ingest reads, inserts and kills.
 * Judges tokens, never text: quotes, comments and case make no difference. What the guard lets pass still meets the
 * engine's readonly=1 and, in server.ts, the engine's own classification of the statement.
 *
 * A name is known as a table function from the engine's own list, so that a new one is refused until it is allowed here.
 */
import { refuse, type ServerError } from './errors.ts'
import type { Token } from './lexer.ts'
import { isPunct, outside, plainSettings, type Setting, type Statement } from './statement.ts'
import type { User } from './users.ts'

/** Table functions that read the database or make rows out of nothing. `values` and `format` take their rows from the text. */
const TABLE_FUNCTIONS_ALLOWED = [
  ...['dictionary', 'format', 'fuzzjson', 'fuzzquery', 'generaterandom', 'generateseries', 'generate_series', 'merge'],
  ...['null', 'numbers', 'numbers_mt', 'primes', 'sqlstandardvalues', 'values', 'view', 'viewifpermitted', 'zeros'],
  ...['zeros_mt', 'loop'],
]

/** Functions that read files, speak to other machines, run code from disk or tell about the machine. */
const FUNCTIONS_REFUSED = [
  ...[
    'file',
    'catboostevaluate',
    'getmacro',
    'getserverport',
    'getoskernelversion',
    'showcertificate',
    'hasthreadfuzzer',
  ],
  ...['filesystemavailable', 'filesystemcapacity', 'filesystemunreserved', 'getclienthttpheader', 'getserversetting'],
  ...['addresstoline', 'addresstolinewithinlines', 'addresstosymbol', 'demangle', 'flamegraph', 'isolatedsession'],
]
const FUNCTION_REFUSED = /^ai(?:classify|embed|extract|generate|translate)|^(?:llm|http|url(?:get|fetch|read))/

/** These formats read a template or a schema from disk. */
const FORMATS_REFUSED = /^(?:template|protobuf|capnproto|avroconfluent|mysqlwire|postgresqlwire|odbcdriver)/i

export const READS: ReadonlySet<string> = new Set(['SELECT', 'SHOW', 'DESCRIBE', 'DESC', 'EXISTS', 'EXPLAIN'])
const VERBS: Readonly<Record<Exclude<User, 'default'>, ReadonlySet<string>>> = {
  // Of its KILLs kill.ts lets through those of its own queries.
  analyst: new Set([...READS, 'KILL']),
  ingest: new Set([...READS, 'INSERT', 'KILL']),
}
/** A statement that EXPLAIN may stand before must begin like a select. */
const STATEMENTS =
  /^(?:SELECT|WITH|FROM|INSERT|CREATE|ALTER|DROP|TRUNCATE|RENAME|EXCHANGE|ATTACH|DETACH|SYSTEM|GRANT|SET|USE)$/

/** What may stand behind a column that is called settings. */
const AFTER_A_COLUMN =
  /^(?:AS|FROM|WHERE|PREWHERE|GROUP|HAVING|ORDER|FORMAT|ASC|DESC|AND|OR|NOT|IN|IS|LIKE|ILIKE|BETWEEN|END|THEN|ELSE)$/

/** Settings of the URL and of SETTINGS that change how an answer looks or how much may be read: the only ones an analyst may give. */
const SETTING_ALLOWED = new RegExp(
  `^(?:${[
    'output_format_\\w+|date_time_\\w+|bool_(?:true|false)_representation|cast_\\w+|format_(?:csv|tsv|custom)_\\w+',
    'max_(?:threads|block_size|execution_time|result_\\w+|rows_\\w+|bytes_\\w+|columns_to_read|query_size|ast_\\w+)',
    'max_(?:final_threads|estimated_execution_time|subquery_depth|parser_depth)|min_execution_speed\\w*',
    '\\w+_overflow_mode|limit|offset|final|extremes|join_\\w+|group_by_\\w+|aggregate_functions_null_for_empty',
    'session_timezone|log_comment|priority|use_\\w+|optimize_\\w+|enable_\\w*optimi\\w+|prefer_\\w+|transform_null_in',
    'query_plan_\\w+|show_table_uuid_\\w+|describe_\\w+|union_default_mode|implicit_select|connect_timeout|receive_timeout',
    'send_timeout|http_(?:send|receive)_timeout|lock_acquire_timeout|query_cache_ttl|empty_result_for_\\w+',
  ].join('|')})$`,
)

/** `settings` and `defaultFormat`: those of the request, beside its text. */
export type Guard = (user: User, statement: Statement, settings: readonly Setting[], defaultFormat: string) => void

/** `tableFunctions`: every table function this engine has. */
export function createGuard(tableFunctions: readonly string[]): Guard {
  const allowed = new Set(TABLE_FUNCTIONS_ALLOWED)
  const refused = new Set(tableFunctions.map(name => name.toLowerCase()).filter(name => !allowed.has(name)))
  for (const name of FUNCTIONS_REFUSED) refused.add(name)

  return function guard(user, statement, settings, defaultFormat) {
    refuseFiles(statement.tokens)
    if (user === 'default') return
    if (!VERBS[user].has(statement.verb)) throw denied(user, `${statement.verb || 'this statement'} is not allowed`)
    refuseCalls(user, statement.tokens, refused)
    if (user === 'analyst') refuseForAnalyst(user, statement, settings, defaultFormat)
  }
}

/** No user's answer or rows go through a file of this machine: over HTTP a real server refuses these as well. */
function refuseFiles(tokens: readonly Token[]): void {
  for (const [i, token] of tokens.entries()) {
    const next = tokens[i + 1]?.keyword
    if (token.keyword === 'INTO' && next === 'OUTFILE') {
      throw refuse('INTO_OUTFILE_NOT_ALLOWED', 'INTO OUTFILE is not allowed')
    }
    if (token.keyword === 'FROM' && next === 'INFILE') {
      throw refuse('UNKNOWN_TYPE_OF_QUERY', 'Query has infile and was send directly to server')
    }
  }
}

function refuseCalls(user: User, tokens: readonly Token[], refused: ReadonlySet<string>): void {
  for (const [i, token] of tokens.entries()) {
    if ((token.kind !== 'word' && token.kind !== 'quoted') || !isPunct(tokens[i + 1], '(')) continue
    const name = token.value.toLowerCase()
    if (refused.has(name) || FUNCTION_REFUSED.test(name)) {
      throw denied(user, `${token.value}() leaves the database and is not allowed`)
    }
  }
}

function refuseForAnalyst(user: User, statement: Statement, settings: readonly Setting[], defaultFormat: string): void {
  if (statement.tokens.some(token => token.kind === 'bad'))
    throw refuse('SYNTAX_ERROR', 'Syntax error: unknown characters')
  if (statement.verb === 'EXPLAIN') refuseExplain(user, statement.tokens)
  refuseFormat(user, statement.output?.format ?? defaultFormat)
  refusePaths(user, statement.tokens)
  for (const { name } of [...settings, ...settingsIn(user, statement.tokens)]) {
    if (!SETTING_ALLOWED.test(name)) throw refuse('READONLY', `Cannot modify '${name}' setting in readonly mode`)
  }
}

/** For answers and for external tables alike. */
export function refuseFormat(user: User, format: string): void {
  if (user === 'analyst' && FORMATS_REFUSED.test(format)) throw denied(user, 'this format reads files')
}

/** EXPLAIN of queries only, whatever kind and options stand between. */
function refuseExplain(user: User, tokens: readonly Token[]): void {
  const start = tokens.slice(1).find(token => STATEMENTS.test(token.keyword) || isPunct(token, '('))
  const isSelect = start && ['SELECT', 'WITH', 'FROM', ''].includes(start.keyword)
  const writes = outside(tokens).some(token => token.keyword === 'INSERT' || token.keyword === 'OVERRIDE')
  if (!isSelect || writes) throw denied(user, 'EXPLAIN of anything but a query is not allowed')
}

/** The engine's library takes an unknown table's name for the path of a file: `FROM '/etc/passwd'`. */
function refusePaths(user: User, tokens: readonly Token[]): void {
  for (const [i, token] of tokens.entries()) {
    if (!['FROM', 'JOIN', 'TABLE', 'DESCRIBE', 'DESC', 'EXISTS', 'IN'].includes(token.keyword)) continue
    const next = tokens[i + 1]
    const path = next?.kind === 'string' && token.keyword !== 'IN'
    if (path || (next?.kind === 'quoted' && /[/\\*?{}]|^\./.test(next.value)))
      throw denied(user, 'files are not tables here')
  }
}

/** Every SETTINGS clause, those of subqueries too: of these the engine's readonly = 1 does not ask. */
function settingsIn(user: User, tokens: readonly Token[]): Setting[] {
  return tokens.flatMap((token, i) => {
    const next = tokens[i + 1]
    const isName = next?.kind === 'word' || next?.kind === 'quoted'
    if (token.keyword !== 'SETTINGS' || !isName || AFTER_A_COLUMN.test(next.keyword)) return []
    // `limit` is a setting too.
    if (next.keyword === 'LIMIT' && tokens[i + 2]?.kind === 'number') return []
    const clause = plainSettings(tokens, i + 1)
    if (!clause) throw denied(user, 'of SETTINGS only name = value is allowed')
    return clause.settings
  })
}

function denied(user: User, why: string): ServerError {
  return refuse('ACCESS_DENIED', `${user}: Not enough privileges: ${why}`)
}
