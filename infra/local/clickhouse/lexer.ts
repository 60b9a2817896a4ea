/**
 * ClickHouse's lexer, as src/Parsers/Lexer.cpp has it: where a string, an identifier, a comment or a heredoc begins and
 * ends. Works on bytes (a latin1 string), so that offsets are byte offsets and binary data behind an INSERT does no harm.
 * Guarantees never to fail: what the engine would call an error token is a token of kind `bad`.
 */

export type TokenKind = 'word' | 'quoted' | 'string' | 'number' | 'punct' | 'bad'

export type Token = {
  kind: TokenKind
  /** As meant: quoted identifiers and strings without quotes and escapes. */
  value: string
  /** Upper case of a bare word, '' for everything else: what keywords are compared with. */
  keyword: string
  start: number
  end: number
}

const SPACE =
  /[ \t\n\r\f\v]+|\xC2[\x85\xA0]|\xE1\xA0\x8E|\xE2\x80[\x80-\x8D\xA8\xA9\xAF]|\xE2\x81[\x9F\xA0]|\xE3\x80\x80|\xEF\xBB\xBF/y
const WORD_OR_COMMA = /[\w,()]/
const LINE_COMMENT = /(?:--|\/\/|#[ !])[^\n]*/y
const NUMBER =
  /0[xX][0-9a-fA-F][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]+)?|(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9_]+)?/y
const DIGITS = /[0-9]+/y
const WORD = /[A-Za-z0-9_$]+/y
const HEX_STRING = /[xXbB]'[0-9a-fA-F]*'/y
const HEREDOC = /\$[^$]*\$/y
const OPERATOR = /->|==|!=|<=>|<=|<>|>=|::|\|\||@@|[-+*/%=<>()[\]{},;.?:|@]/y
const UNICODE_QUOTES: ReadonlyArray<readonly [string, string, TokenKind]> = [
  ['\xE2\x80\x98', '\xE2\x80\x99', 'string'],
  ['\xE2\x80\x9C', '\xE2\x80\x9D', 'quoted'],
]
const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  e: '\x1B',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '0': '\0',
  N: '',
}

export class Lexer {
  readonly text: string
  position = 0
  /** What a dot means, and a number after one (`t.1.2`), depends on it. */
  #previous: Token | undefined

  constructor(text: string) {
    this.text = text
  }

  /** The next token that means something; undefined at the end. */
  next(): Token | undefined {
    this.#skipBlank()
    if (this.position >= this.text.length) return undefined
    const start = this.position
    const token = this.#read(start)
    this.position = token.end
    this.#previous = token
    return token
  }

  /** All that is left. */
  rest(): Token[] {
    const tokens: Token[] = []
    for (let token = this.next(); token; token = this.next()) tokens.push(token)
    return tokens
  }

  #skipBlank(): void {
    for (;;) {
      const before = this.position
      // Most tokens have nothing before them.
      if (WORD_OR_COMMA.test(this.text[before] ?? '')) return
      this.position = this.#match(SPACE, this.position) ?? this.position
      this.position = this.#match(LINE_COMMENT, this.position) ?? this.position
      if (this.text.startsWith('/*', this.position)) this.position = endOfComment(this.text, this.position)
      if (this.position === before) return
    }
  }

  #match(pattern: RegExp, at: number): number | undefined {
    pattern.lastIndex = at
    return pattern.test(this.text) ? pattern.lastIndex : undefined
  }

  #read(start: number): Token {
    const char = this.text[start] ?? ''
    if (char === "'") return this.#quoted(start, char, 'string')
    if (char === '"' || char === '`') return this.#quoted(start, char, 'quoted')
    const heredoc = char === '$' ? this.#heredoc(start) : undefined
    if (heredoc) return heredoc
    const unicode = char === '\xE2' ? this.#unicodeQuoted(start) : undefined
    if (unicode) return unicode
    const hex = this.text[start + 1] === "'" ? this.#match(HEX_STRING, start) : undefined
    if (hex) return this.#token('string', start, hex, decodeHex(this.text.slice(start, hex)))
    const { kind, value } = this.#previous ?? {}
    const name = kind === 'word' || kind === 'quoted' || kind === 'number' || value === ')' || value === ']'
    if (char === '.' && name) return this.#token('punct', start, start + 1)
    const word = this.#match(WORD, start)
    const number = this.#match(kind === 'punct' && value === '.' ? DIGITS : NUMBER, start)
    if (word && (!number || word > number)) return this.#token('word', start, word)
    if (number) return this.#token('number', start, number)
    const operator = this.#match(OPERATOR, start)
    return operator ? this.#token('punct', start, operator) : this.#token('bad', start, start + 1)
  }

  #token(kind: TokenKind, start: number, end: number, value = this.text.slice(start, end)): Token {
    return { kind, value, keyword: kind === 'word' ? value.toUpperCase() : '', start, end }
  }

  #quoted(start: number, quote: string, kind: TokenKind): Token {
    const { text } = this
    for (let at = start + 1; at < text.length; at++) {
      if (text[at] === '\\') at++
      else if (text[at] === quote) {
        if (text[at + 1] !== quote) return this.#token(kind, start, at + 1, unquote(text.slice(start + 1, at), quote))
        at++
      }
    }
    return this.#token('bad', start, text.length)
  }

  #heredoc(start: number): Token | undefined {
    const open = this.#match(HEREDOC, start)
    if (!open) return undefined
    const tag = this.text.slice(start, open)
    const close = this.text.indexOf(tag, open)
    return close < 0 ? undefined : this.#token('string', start, close + tag.length, this.text.slice(open, close))
  }

  #unicodeQuoted(start: number): Token | undefined {
    for (const [open, close, kind] of UNICODE_QUOTES) {
      if (!this.text.startsWith(open, start)) continue
      const end = this.text.indexOf(close, start + open.length)
      if (end >= 0) return this.#token(kind, start, end + close.length, this.text.slice(start + open.length, end))
    }
    return undefined
  }
}

function endOfComment(text: string, start: number): number {
  let depth = 0
  for (let at = start; at + 2 <= text.length; ) {
    const pair = text.slice(at, at + 2)
    at += pair === '/*' || pair === '*/' ? 2 : 1
    if (pair === '/*') depth++
    if (pair === '*/' && --depth === 0) return at
  }
  return text.length
}

function unquote(body: string, quote: string): string {
  if (!body.includes('\\') && !body.includes(quote)) return body
  return body.replace(/\\x([0-9a-fA-F]{2})|\\([\s\S])|(['"`])\3/g, (whole, hex, char, doubled) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
    if (char !== undefined) return ESCAPES[char] ?? char
    return doubled === quote ? quote : whole
  })
}

function decodeHex(text: string): string {
  const digits = text.slice(2, -1)
  const [size, base] = /^x/i.test(text) ? [2, 16] : [8, 2]
  const padded = digits.padStart(Math.ceil(digits.length / size) * size, '0')
  let out = ''
  for (let at = 0; at < padded.length; at += size) {
    out += String.fromCharCode(Number.parseInt(padded.slice(at, at + size), base))
  }
  return out
}
