/**
 * Queries under the ids that clients give. The engine makes ids of its own, so the client's is kept in a setting of the query's
 * session (see MARK in engine.ts): `query_id` in a KILL means that setting, and whoever reads `system.processes` is given it.
 */
import { MARK } from './engine.ts'
import type { Token } from './lexer.ts'
import { isPunct, parseStatement, type Statement } from './statement.ts'

const CLIENT_ID = `unhex(Settings['${MARK}'])`

/** SYNC becomes ASYNC, as SYNC would never return here. */
export const killText = (statement: Statement): string =>
  rewritten(statement, (tokens, at) => {
    const [before, token] = [tokens[at - 1], tokens[at] as Token]
    // The name of a parameter, {query_id:String}, is no column.
    if (isPunct(before, '{')) return undefined
    if (isName(token, 'query_id')) return { text: CLIENT_ID, tokens: 1 }
    return token.keyword === 'SYNC' ? { text: 'ASYNC', tokens: 1 } : undefined
  })

/** Queries of this process itself have no mark. INTO OUTFILE: see select.ts. */
const PROCESSES = `(SELECT * REPLACE (
  if(Settings['${MARK}'] = '', query_id, ${CLIENT_ID}) AS query_id, if(Settings['${MARK}'] = '', initial_query_id, ${CLIENT_ID}) AS initial_query_id,
  replaceRegexpOne(query, '[ ]*INTO OUTFILE ''[^'']*'' TRUNCATE', '') AS query) FROM system.processes)`.replaceAll(
  /\n */g,
  ' ',
)

/** What may follow a table without an alias. */
const CLAUSES = new Set(
  `ON USING JOIN GLOBAL ALL ANY ASOF SEMI ANTI INNER LEFT RIGHT FULL CROSS ARRAY
   WHERE PREWHERE GROUP HAVING ORDER LIMIT OFFSET SETTINGS FORMAT UNION EXCEPT INTERSECT`.split(/\s+/),
)

/** A SELECT with the ids and texts of the clients in `system.processes`. */
export function withClientIds(statement: Statement): Statement {
  const sql = rewritten(statement, (tokens, at) => {
    const [before, schema, dot, table, after] = [at - 1, at, at + 1, at + 2, at + 3].map(place => tokens[place])
    const isTable = before?.keyword === 'FROM' || before?.keyword === 'JOIN'
    if (!isTable || !isName(schema, 'system') || !isPunct(dot, '.') || !isName(table, 'processes')) return undefined
    const isBare = after === undefined || after.kind === 'punct' || CLAUSES.has(after.keyword)
    return { text: isBare ? `${PROCESSES} AS processes` : PROCESSES, tokens: 3 }
  })
  return sql === statement.sql ? statement : parseStatement(sql)
}

const isName = (token: Token | undefined, name: string): boolean =>
  (token?.kind === 'word' || token?.kind === 'quoted') && token.value.toLowerCase() === name

type Rewrite = (tokens: readonly Token[], at: number) => { text: string; tokens: number } | undefined

function rewritten({ sql, tokens }: Statement, rewrite: Rewrite): string {
  const begin = tokens[0]?.start ?? 0
  let text = ''
  let end = begin
  for (const [at, token] of tokens.entries()) {
    const found = rewrite(tokens, at)
    if (found === undefined) continue
    text += sql.slice(end - begin, token.start - begin) + found.text
    end = (tokens[at + found.tokens - 1] as Token).end
  }
  return text + sql.slice(end - begin)
}
