/** The lexer reads as the engine's lexer does; the guard judges what is meant, not how it is written. */
import { describe, expect, test } from 'vitest'
import { ServerError } from './errors.ts'
import { refuseOther } from './external.ts'
import { createGuard } from './guard.ts'
import { judgeKill } from './kill.ts'
import { Lexer } from './lexer.ts'
import { killText } from './query-ids.ts'
import { latin1 } from './request.ts'
import { liftSettings, parseStatement } from './statement.ts'
import { limitsOf } from './users.ts'

const guard = createGuard([
  'file',
  'url',
  's3',
  'remote',
  'executable',
  'numbers',
  'values',
  'view',
  'merge',
  'brandNew',
])
const running = new Map([
  ['mine', 'analyst'],
  ['theirs', 'ingest'],
] as const)
const tokens = (sql: string) => new Lexer(latin1(sql)).rest().map(token => `${token.kind}:${token.value}`)
const judge = (
  user: 'default' | 'ingest' | 'analyst',
  sql: string,
  settings: Array<{ name: string; value: string }> = [],
) => {
  try {
    const statement = parseStatement(latin1(sql))
    guard(user, statement, settings, 'TabSeparated')
    if (statement.verb === 'KILL') judgeKill(user, statement, running)
    return 'allowed'
  } catch (error) {
    if (error instanceof ServerError) return error.type
    throw error
  }
}

describe('lexer', () => {
  test.each([
    ["'it''s' 'a\\'b'", ["string:it's", "string:a'b"]],
    ['`a``b` "c""d" `fi\\x6ce`', ['quoted:a`b', 'quoted:c"d', 'quoted:file']],
    ['1 -- 2\n3 # 4\n5 #! 6\n7 // 8\n9', ['number:1', 'number:3', 'number:5', 'number:7', 'number:9']],
    ['1 /* 2 /* 3 */ 4 */ 5', ['number:1', 'number:5']],
    ['1 /* 2 /* 3 */ 4', ['number:1']],
    ["$tag$ it's ; $tag$ 1", ["string: it's ; ", 'number:1']],
    ['$$ a $$', ['string: a ']],
    [
      'a.b.1 1.5e-3 0xFFp2 1_000',
      ['word:a', 'punct:.', 'word:b', 'punct:.', 'number:1', 'number:1.5e-3', 'number:0xFFp2', 'number:1_000'],
    ],
    ["x'6162'", ['string:ab']],
    ['‘a;b’ “file”', ['string:a;b', 'quoted:file']],
    ['SELECT\u00A01', ['word:SELECT', 'number:1']],
    ["'open", ["bad:'open"]],
    ['1a 2', ['word:1a', 'number:2']],
  ])('%s', (sql, expected) => {
    expect(tokens(sql)).toEqual(expected)
  })

  test('every byte sequence is read to its end', () => {
    const bytes = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i))
    const last = new Lexer(bytes + bytes).rest().at(-1)
    expect(last?.end).toBe(512)
  })
})

describe('statement', () => {
  test.each([
    ['INSERT INTO t FORMAT JSONEachRow\n{"a":1}', 'INSERT INTO t ', 'JSONEachRow', '{"a":1}', []],
    ['insert into t (a, `b)`) values (1), (2)', 'insert into t (a, `b)`) ', 'Values', '(1), (2)', []],
    [
      "INSERT INTO t (a) SETTINGS x=1, y = 's', z=-2 FORMAT CSV 1;2",
      'INSERT INTO t (a) ',
      'CSV',
      '1;2',
      ['x=1', 'y=s', 'z=-2'],
    ],
    ['INSERT INTO db.format FORMAT TSV\r\n1\n', 'INSERT INTO db.format ', 'TSV', '1\n', []],
    ['INSERT INTO TABLE values VALUES(1)', 'INSERT INTO TABLE values ', 'Values', '(1)', []],
    ['INSERT INTO t FORMAT CSV SETTINGS a=1\n1', 'INSERT INTO t ', 'CSV', '1', ['a=1']],
    ['INSERT INTO t (* EXCEPT(a)) FORMAT RowBinary\n\n\0', 'INSERT INTO t (* EXCEPT(a)) ', 'RowBinary', '\n\0', []],
    [
      'INSERT /* FORMAT x */ INTO t -- VALUES\n FORMAT TSV\n',
      'INSERT /* FORMAT x */ INTO t -- VALUES\n ',
      'TSV',
      '',
      [],
    ],
  ])('rows of %j', (text, target, format, data, settings) => {
    const { insert } = parseStatement(text)
    expect(insert).toMatchObject({ target, format })
    expect(text.slice(insert?.dataStart)).toBe(data)
    expect(insert?.settings.map(({ name, value }) => `${name}=${value}`)).toEqual(settings)
  })

  test.each([
    'INSERT INTO t SELECT 1',
    'INSERT INTO t (a) WITH 1 AS x SELECT x FORMAT Null',
    "INSERT INTO FUNCTION file('x', 'CSV', 'a Int8') SELECT 1",
  ])('no rows in %j', text => {
    expect(parseStatement(text)).toMatchObject({ verb: 'INSERT', insert: undefined })
  })

  test.each([
    ['SELECT 1 FORMAT JSON', 'JSON', 'FORMAT JSON'],
    ['SELECT 1 format `TSV` settings max_threads=1, a=2 ;', 'TSV', 'format `TSV` settings max_threads=1, a=2'],
    ['SELECT 1 AS format', undefined, ''],
    ['SELECT format FROM t', undefined, ''],
    ['SELECT count() FROM (SELECT 1 FORMAT JSON)', undefined, ''],
    ["SELECT ' FORMAT CSV' -- FORMAT XML", undefined, ''],
  ])('format of %j', (text, format, clause) => {
    const { output, sql } = parseStatement(text)
    expect(output?.format).toBe(format)
    expect(output ? sql.slice(output.at) : '').toBe(clause)
  })

  test.each(['SELECT 1; SELECT 2', 'SELECT 1;;SELECT 2', '', ' -- nothing', ';'])('refused: %j', text => {
    expect(() => parseStatement(text)).toThrow(/Syntax error/)
  })
})

describe('SETTINGS at the end', () => {
  test.each([
    ['SELECT 1 SETTINGS a = 1, b = -2 FORMAT JSON', 'SELECT 1 FORMAT JSON', ['a=1', 'b=-2']],
    ["SELECT 1 FORMAT JSON SETTINGS a = 'x;y', b = true;", 'SELECT 1 FORMAT JSON ', ['a=x;y', 'b=true']],
    ['(SELECT 1) SETTINGS a = 1', '(SELECT 1) ', ['a=1']],
  ])('%s: lifted', (text, sql, settings) => {
    const lifted = liftSettings(parseStatement(text))
    expect(lifted.statement.sql.trim()).toBe(sql.trim())
    expect(lifted.settings.map(({ name, value }) => `${name}=${value}`)).toEqual(settings)
  })
  test.each([
    'SELECT 1',
    'SELECT * FROM (SELECT 1 SETTINGS a = 1)',
    'SELECT 1 SETTINGS a = 1 UNION ALL SELECT 2',
    'SELECT 1 SETTINGS a',
    'SELECT 1 SETTINGS `a` = 1',
    "SELECT 1 SETTINGS a = {'k': 1}",
    'SELECT settings FROM t',
    'SETTINGS a = 1',
  ])('%s: left as it is', text => {
    expect(liftSettings(parseStatement(text))).toEqual({ statement: parseStatement(text), settings: [] })
  })
  test.each([
    ['SELECT name, value, readonly FROM system.settings LIMIT 10000\n FORMAT Native', '2'],
    ['SELECT name FROM system.settings', '2'],
    ['SELECT name FROM system.settings, `/etc/passwd`', '1'],
    ['SELECT (SELECT 1) FROM system.settings', '1'],
    ['SELECT 1', '1'],
  ])('%j is asked with readonly = %s', (sql, value) => {
    expect(limitsOf('analyst', sql)).toContainEqual({ name: 'readonly', value })
  })
})

describe('KILL QUERY', () => {
  test.each([
    [
      "KILL QUERY WHERE query_id = 'query_id'",
      "KILL QUERY WHERE unhex(Settings['send_logs_source_regexp']) = 'query_id'",
    ],
    ["KILL QUERY WHERE user = 'x' /* SYNC */ SYNC", "KILL QUERY WHERE user = 'x' /* SYNC */ ASYNC"],
    [
      'KILL QUERY WHERE query_id = {query_id:String}',
      "KILL QUERY WHERE unhex(Settings['send_logs_source_regexp']) = {query_id:String}",
    ],
    ["KILL QUERY WHERE `query_id` IN ('a')", "KILL QUERY WHERE unhex(Settings['send_logs_source_regexp']) IN ('a')"],
  ])('%s', (sql, text) => {
    expect(killText(parseStatement(sql))).toBe(text)
  })
})

describe('external tables', () => {
  test.each(['a String, `b c` Array(Nullable(UInt8))', "a Enum8('x' = 1, 'y' = 2), t DateTime64(3, 'UTC')"])(
    '%s',
    structure => expect(() => refuseOther('t', structure)).not.toThrow(),
  )
  test.each([
    "a String DEFAULT file('x')",
    "a String MATERIALIZED file('x')",
    'a String) ENGINE = File(CSV',
    'PROJECTION p (SELECT 1)',
    'a',
    '',
    'a String, ',
  ])('refused: %s', structure => {
    expect(() => refuseOther('t', structure)).toThrow(/only names and types/)
  })
})

describe('guard', () => {
  test.each([
    "SELECT * FROM file('x')",
    "SELECT * FROM FiLe /* */ -- \n ('x')",
    "SELECT * FROM `file`('x')",
    'SELECT * FROM "\\x66ile"(\'x\')',
    "SELECT * FROM “url”('x')",
    "SELECT * FROM brandNew('x')",
    "SELECT 1 IN (SELECT * FROM s3('x'))",
    "WITH a AS (SELECT * FROM remote('x')) SELECT * FROM a",
    "SELECT file('x')",
    "SELECT aiGenerate('x')",
    "SELECT * FROM 'x.csv'",
    'SELECT * FROM `/etc/passwd`',
    'SELECT 1 FORMAT Template',
    'EXPLAIN INSERT INTO t VALUES (1)',
    'EXPLAIN PLAN header = 1 CREATE TABLE t (a Int8)',
    'EXPLAIN AST DROP TABLE t',
    'WITH 1 AS x INSERT INTO t SELECT x',
    'DROP TABLE t',
    '(DROP TABLE t)',
    "SELECT 'a' #x",
    'SELECT 1 SETTINGS readonly = 0',
    'SELECT * FROM (SELECT 1 SETTINGS readonly = 0)',
    'SELECT * FROM (SELECT 1 SETTINGS priority = -1, readonly = 0)',
    'SELECT * FROM (SELECT 1 SETTINGS limit = 1, `readonly` = 0)',
    'SELECT * FROM (SELECT 1 SETTINGS limit, allow_introspection_functions)',
    'SELECT * FROM (SELECT 1 SETTINGS allow_introspection_functions)',
    'SELECT * FROM (SELECT 1 SETTINGS /* x */ allow_introspection_functions)',
    'KILL QUERY WHERE 1',
  ])('refuses the analyst %j', sql => {
    expect(judge('analyst', sql)).not.toBe('allowed')
  })

  test.each([
    "SELECT 'file(1) INTO OUTFILE x; DROP TABLE t'",
    "SELECT 1 /* INTO OUTFILE 'x' */",
    'SELECT file FROM t WHERE url = 1',
    'SELECT `insert`, "drop" FROM t',
    'SELECT * FROM view(SELECT * FROM numbers(3))',
    "SELECT * FROM values('a Int8', 1)",
    "WITH 'x' AS into SELECT into AS outfile",
    '(SELECT 1) UNION ALL (SELECT 2)',
    'FROM t SELECT a',
    'EXPLAIN PIPELINE graph = 1 SELECT 1',
    'EXPLAIN (SELECT 1)',
    "SELECT * FROM t WHERE name IN ('a', '/b')",
    'SELECT 1;',
    'SELECT 1 SETTINGS limit = 1, max_threads = 2 FORMAT JSON',
    "SELECT * FROM (SELECT 1 SETTINGS priority = -1, session_timezone = 'UTC')",
    'SELECT settings, 1 AS settings FROM t WHERE settings = 1 ORDER BY settings LIMIT 1',
    "KILL QUERY WHERE query_id = 'mine' SYNC",
  ])('lets the analyst %j', sql => {
    expect(judge('analyst', sql)).toBe('allowed')
  })

  test.each([
    ['readonly', 'READONLY'],
    ['allow_ddl', 'READONLY'],
    ['dialect', 'READONLY'],
    ['format_schema', 'READONLY'],
    ['max_memory_usage', 'READONLY'],
    ['output_format_json_quote_64bit_integers', 'allowed'],
    ['max_result_rows', 'allowed'],
    ['session_timezone', 'allowed'],
  ])('setting %s of the analyst: %s', (name, expected) => {
    expect(judge('analyst', 'SELECT 1', [{ name, value: '1' }])).toBe(expected)
  })

  test.each([
    ['ingest', "INSERT INTO t VALUES ('file(1); SYSTEM')", 'allowed'],
    ['ingest', "KILL QUERY WHERE query_id = 'x' ASYNC", 'allowed'],
    ['analyst', "KILL QUERY WHERE query_id = 'theirs'", 'ACCESS_DENIED'],
    ['analyst', "KILL QUERY WHERE query_id = 'mine' OR 1", 'ACCESS_DENIED'],
    ['ingest', "INSERT INTO FUNCTION file('x') SELECT 1", 'ACCESS_DENIED'],
    ['ingest', 'CREATE TABLE t (a Int8)', 'ACCESS_DENIED'],
    ['ingest', 'SYSTEM STOP MERGES', 'ACCESS_DENIED'],
    ['default', "SELECT * FROM file('x')", 'allowed'],
    ['default', 'DROP TABLE t', 'allowed'],
    ['default', 'SYSTEM FLUSH LOGS', 'allowed'],
    ['default', "SELECT 1 INTO OUTFILE 'x'", 'INTO_OUTFILE_NOT_ALLOWED'],
    ['default', "INSERT INTO t FROM INFILE 'x' FORMAT CSV", 'UNKNOWN_TYPE_OF_QUERY'],
  ] as const)('%s: %s → %s', (user, sql, expected) => {
    expect(judge(user, sql)).toBe(expected)
  })
})
