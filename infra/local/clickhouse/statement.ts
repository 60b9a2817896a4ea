/**
 * What a request's text asks for: its verb, the format it names, where an INSERT's data begin, which SETTINGS stand in the
 * way of FROM INFILE. Judges tokens, changes nothing, and leaves every doubt to the engine's own parser.
 */
import { refuse } from './errors.ts'
import { Lexer, type Token } from './lexer.ts'

export type Setting = { name: string; value: string }

export type InsertData = {
  /** `INSERT INTO t (a, b)`: everything before SETTINGS, FORMAT or VALUES. */
  target: string
  format: string
  settings: Setting[]
  /** Byte offset of the data in the text. */
  dataStart: number
}

export type Statement = {
  /** SELECT for everything that begins a select (WITH, FROM, parentheses), else the first keyword. */
  verb: string
  /** The tokens of the statement itself: not the data of an INSERT, not a closing semicolon. */
  tokens: Token[]
  /** The text of these tokens with the comments between them. */
  sql: string
  /** The format named by a FORMAT clause at the end, and where that clause begins in `sql`. */
  output: { format: string; at: number } | undefined
  /** An INSERT whose rows are in the request. */
  insert: InsertData | undefined
}

/** `text` holds bytes (latin1). Throws SYNTAX_ERROR for nothing at all and for several statements in one text. */
export function parseStatement(text: string): Statement {
  const lexer = new Lexer(text)
  const first = lexer.next()
  if (!first) throw refuse('SYNTAX_ERROR', 'Syntax error: Empty query')
  if (first.keyword === 'INSERT') {
    const { tokens, data } = readInsert(lexer, first)
    if (data) return { verb: 'INSERT', tokens, sql: data.target, output: undefined, insert: data }
    return whole(text, [...tokens, ...lexer.rest()])
  }
  return whole(text, [first, ...lexer.rest()])
}

function whole(text: string, all: Token[]): Statement {
  const semicolon = all.findIndex(token => isPunct(token, ';'))
  const tokens = semicolon < 0 ? all : all.slice(0, semicolon)
  if (semicolon >= 0 && all.slice(semicolon).some(token => !isPunct(token, ';'))) {
    throw refuse('SYNTAX_ERROR', 'Syntax error (Multi-statements are not allowed)')
  }
  const from = tokens[0]?.start ?? 0
  const sql = text.slice(from, tokens.at(-1)?.end ?? from)
  const output = outputClause(tokens)
  return { verb: verbOf(tokens), tokens, sql, insert: undefined, output: output && { ...output, at: output.at - from } }
}

function verbOf(tokens: Token[]): string {
  const first = tokens.find(token => !isPunct(token, '('))
  if (!first) throw refuse('SYNTAX_ERROR', 'Syntax error: Empty query')
  if (first.keyword === 'FROM') return 'SELECT'
  if (first.keyword !== 'WITH') return first.keyword
  return outside(tokens).some(token => token.keyword === 'INSERT') ? 'INSERT' : 'SELECT'
}

/** The tokens outside all brackets. */
export function outside(tokens: readonly Token[]): Token[] {
  let depth = 0
  return tokens.filter(token => {
    if (token.kind !== 'punct') return depth === 0
    if ('([{'.includes(token.value)) return depth++ === 0
    if (')]}'.includes(token.value)) return --depth === 0
    return depth === 0
  })
}

export function isPunct(token: Token | undefined, value: string): boolean {
  return token?.kind === 'punct' && token.value === value
}

function outputClause(tokens: readonly Token[]): { format: string; at: number } | undefined {
  const flat = outside(tokens)
  for (let i = flat.length - 2; i > 0; i--) {
    const [clause, name, after] = flat.slice(i, i + 3)
    if (clause?.keyword !== 'FORMAT' || (name?.kind !== 'word' && name?.kind !== 'quoted')) continue
    if (after === undefined || (after.keyword === 'SETTINGS' && isPunct(flat[i + 4], '='))) {
      return { format: name.value, at: clause.start }
    }
  }
  return undefined
}

/**
 * The statement without the SETTINGS clause at its end (before or after FORMAT), and what stood in it. A clause anywhere else,
 * or with anything but plain values, stays where it is.
 */
export function liftSettings(statement: Statement): { statement: Statement; settings: Setting[] } {
  const flat = outside(statement.tokens)
  const at = flat.findLastIndex((token, i) => token.keyword === 'SETTINGS' && i > 0)
  const clause = at < 0 ? undefined : plainSettings(flat, at + 1)
  const [last, name, more] = clause ? flat.slice(clause.next) : []
  const isLast = last === undefined || (last.keyword === 'FORMAT' && name !== undefined && more === undefined)
  if (!clause || !isLast) return { statement, settings: [] }
  const begin = statement.tokens[0]?.start ?? 0
  const from = (flat[at]?.start ?? 0) - begin
  const to = (last?.start ?? statement.sql.length + begin) - begin
  return {
    statement: parseStatement(statement.sql.slice(0, from) + statement.sql.slice(to)),
    settings: clause.settings,
  }
}

/** `name = value, name = value` from `start` on, and the index of what follows; undefined for anything odd in it. */
export function plainSettings(
  tokens: readonly Token[],
  start: number,
): { settings: Setting[]; next: number } | undefined {
  const settings: Setting[] = []
  for (let at = start; ; at++) {
    const [name, equals, sign] = tokens.slice(at, at + 3)
    const minus = isPunct(sign, '-')
    const value = minus ? tokens[at + 3] : sign
    const isPlain =
      value?.kind === 'number' || (!minus && (value?.kind === 'string' || /^(?:TRUE|FALSE)$/.test(`${value?.keyword}`)))
    if (name?.kind !== 'word' || !isPunct(equals, '=') || !value || !isPlain) return undefined
    settings.push({ name: name.value, value: `${minus ? '-' : ''}${value.value}` })
    at += minus ? 4 : 3
    if (!isPunct(tokens[at], ',')) return { settings, next: at }
  }
}

/** Reads from INSERT to where the data begin; without `data` the statement holds no rows (INSERT … SELECT, FROM INFILE). */
function readInsert(lexer: Lexer, first: Token): { tokens: Token[]; data?: InsertData } {
  const tokens = [first]
  const settings: Setting[] = []
  let targetEnd: number | undefined
  let depth = 0
  for (let token = lexer.next(); token; token = lexer.next()) {
    tokens.push(token)
    if (token.kind === 'punct' && '({['.includes(token.value)) depth++
    if (token.kind === 'punct' && ')}]'.includes(token.value)) depth--
    if (isPunct(token, ';') || token.keyword === 'SELECT' || token.keyword === 'INFILE') return { tokens }
    if (depth > 0 || !startsClause(tokens)) continue
    if (token.keyword === 'SETTINGS') {
      targetEnd ??= token.start
      settings.push(...readSettings(lexer, tokens))
    }
    if (token.keyword !== 'VALUES' && token.keyword !== 'FORMAT') continue
    const name = token.keyword === 'FORMAT' ? lexer.next() : undefined
    if (name) tokens.push(name)
    const data = endOfClause(lexer, tokens, settings)
    targetEnd ??= token.start
    const target = lexer.text.slice(first.start, targetEnd)
    return { tokens, data: { target, format: name?.value ?? 'Values', settings, dataStart: data } }
  }
  return { tokens }
}

/** A table may be called `format` or `values`: a clause begins only after the table's name. */
function startsClause(tokens: Token[]): boolean {
  const before = tokens.at(-2)
  if (!before || tokens.length < 4) return false
  return !['INTO', 'TABLE', 'FUNCTION'].includes(before.keyword) && !isPunct(before, '.')
}

/** SETTINGS may also stand between FORMAT and the data; data begin after blanks and at most one line end. */
function endOfClause(lexer: Lexer, tokens: Token[], settings: Setting[]): number {
  const end = lexer.position
  const after = lexer.next()
  lexer.position = end
  if (after?.keyword === 'SETTINGS' && tokens.at(-1)?.keyword !== 'VALUES') {
    lexer.next()
    settings.push(...readSettings(lexer, tokens))
  }
  const blank = /[ \t\f]*\r?\n?/y
  blank.lastIndex = lexer.position
  blank.test(lexer.text)
  return blank.lastIndex
}

function readSettings(lexer: Lexer, tokens: Token[]): Setting[] {
  const settings: Setting[] = []
  for (;;) {
    const name = lexer.next()
    const equals = lexer.next()
    if (name?.kind !== 'word' || !isPunct(equals, '='))
      throw refuse('SYNTAX_ERROR', 'Syntax error in SETTINGS of INSERT')
    const start = lexer.position
    const value = readValue(lexer)
    settings.push({ name: name.value, value })
    tokens.push(name)
    const position = lexer.position
    if (lexer.position > start && isPunct(lexer.next(), ',')) continue
    lexer.position = position
    return settings
  }
}

function readValue(lexer: Lexer): string {
  const token = lexer.next()
  if (token && isPunct(token, '-')) return `-${lexer.next()?.value ?? ''}`
  if (!token || token.kind === 'punct' || token.kind === 'bad') {
    throw refuse('SYNTAX_ERROR', 'Syntax error in SETTINGS of INSERT: a number, a word or a string is expected')
  }
  return token.value
}
