/**
 * External tables: what a client sent along becomes temporary tables of the session, filled through a file like any rows,
 * and gone after the query (a session that is kept would keep them). The types are the client's text and reach the engine
 * in a CREATE: so only names and types are let through, nothing that computes.
 */
import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { identifier, literal, type Session } from './engine.ts'
import { refuse } from './errors.ts'
import type { ExternalTable } from './form.ts'
import { removeRows } from './insert.ts'
import { Lexer, type Token } from './lexer.ts'
import { latin1 } from './request.ts'
import { isPunct } from './statement.ts'

export async function createTables(
  session: Session,
  tables: readonly ExternalTable[],
  spoolDir: string,
): Promise<void> {
  for (const { name, structure, format, data } of tables) {
    refuseOther(name, structure)
    const file = join(spoolDir, `rows-${randomUUID()}`)
    try {
      await writeFile(file, data, { flag: 'wx', mode: 0o600 })
      await session.query(`CREATE TEMPORARY TABLE ${identifier(name)} (${structure}) ENGINE = Memory`)
      if (data.length === 0) continue
      const from = `FROM INFILE ${literal(file)} COMPRESSION 'none' FORMAT ${identifier(format)}`
      await session.write(`INSERT INTO ${identifier(name)} ${from}`)
    } finally {
      await removeRows(file)
    }
  }
}

export async function dropTables(session: Session, tables: readonly ExternalTable[]): Promise<void> {
  for (const { name } of tables) await session.query(`DROP TEMPORARY TABLE IF EXISTS ${identifier(name)}`)
}

/** What may stand where a column is expected, and is no column. */
const CLAUSES: ReadonlySet<string> = new Set(['CONSTRAINT', 'FOREIGN', 'INDEX', 'PRIMARY', 'PROJECTION', 'STATISTICS'])

/** `name Type, name Type(…)`: no DEFAULT, no other clause. Inside the brackets of a type nothing is computed. */
export function refuseOther(table: string, structure: string): void {
  const tokens = new Lexer(latin1(structure)).rest()
  const isColumn = (column: Token[]) => {
    const [name, type, open] = column
    const named = (name?.kind === 'word' && !CLAUSES.has(name.keyword)) || name?.kind === 'quoted'
    return named && type?.kind === 'word' && (open === undefined || closesAtEnd(column.slice(2)))
  }
  if (tokens.some(token => token.kind === 'bad') || !columnsOf(tokens).every(isColumn)) {
    throw refuse('BAD_ARGUMENTS', `Structure of external table ${table}: only names and types are expected`)
  }
}

function columnsOf(tokens: readonly Token[]): Token[][] {
  const columns: Token[][] = [[]]
  let depth = 0
  for (const token of tokens) {
    if (isPunct(token, '(')) depth++
    if (isPunct(token, ')')) depth--
    if (depth === 0 && isPunct(token, ',')) columns.push([])
    else columns.at(-1)?.push(token)
  }
  return columns
}

/** One pair of brackets around everything. */
function closesAtEnd(tokens: readonly Token[]): boolean {
  let depth = 0
  const ends = tokens.findIndex(token => {
    if (isPunct(token, '(')) depth++
    if (isPunct(token, ')')) depth--
    return depth === 0
  })
  return isPunct(tokens[0], '(') && ends === tokens.length - 1
}
