/**
 * Statements in the form in which the server writes them, so that a declaration can be compared with what is there: the server
 * itself formats both, and what it adds by itself (names of databases, quotes, columns of views) is left out.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../common/clickhouse.ts'
import { quoted } from './quoted.ts'

const MAX_QUERY_BYTES = '16777216'

/** Formats statements that create objects of the database. */
export async function formatted(clickhouse: ClickHouseClient, statements: readonly string[]): Promise<string[]> {
  if (statements.length === 0) return []
  const answer = await clickhouse.query({
    query: `SELECT formatQuery(arrayJoin([${statements.map(quoted).join(', ')}])) AS text`,
    format: 'JSONEachRow',
    clickhouse_settings: { max_query_size: MAX_QUERY_BYTES },
  })
  return (await answer.json<{ text: string }>()).map(({ text }) => text)
}

/** Every object of the client's database, as the server has it: formatted, by name. */
export async function objectsThere(clickhouse: ClickHouseClient): Promise<Map<string, string>> {
  const rows = await rowsOf<{ name: string; text: string }>(
    clickhouse,
    `SELECT name, formatQuery(create_table_query) AS text FROM system.tables
     WHERE database = currentDatabase() AND NOT is_temporary AND create_table_query != ''`,
  )
  return new Map(rows.map(({ name, text }) => [name, text]))
}

/** Without what the server adds by itself. */
export const plain = (text: string, database: string): string =>
  text
    .replaceAll('`', '')
    .replaceAll(`${database}.`, '')
    .replace(/^SETTINGS index_granularity = 8192\n/m, '')
    .replace(/\nSETTINGS index_granularity = 8192$/, '')

/** Of a view, without the columns that the server derives. */
export const plainView = (text: string, database: string): string =>
  plain(text, database).replace(/^(CREATE (?:MATERIALIZED )?VIEW \w+(?: TO \w+)?)\n\((?:.*\n)*?\)\n/, '$1\n')

export interface TableForm {
  /** By name: type, default and codec; and what the column says of itself. */
  columns: Map<string, { definition: string; comment: string }>
  /** Projections, constraints and indexes, by kind and name. */
  parts: Map<string, string>
  /** Engine, keys and settings. */
  engine: string
  comment: string
}

const COMMENT = /(?:^| )COMMENT ('(?:[^'\\]|\\.|'')*')/m

/** Takes a plain statement of a table apart. */
export function tableForm(text: string): TableForm {
  const [, body = '', tail = ''] = /^CREATE TABLE \w+\n\(\n([\s\S]*?)\n\)\n([\s\S]*)$/.exec(text) ?? []
  const form: TableForm = { columns: new Map(), parts: new Map(), engine: '', comment: COMMENT.exec(tail)?.[1] ?? "''" }
  form.engine = tail.replace(COMMENT, '').trim()
  // An element begins with four spaces and a word; what belongs to it lies deeper, or in brackets of its own.
  for (const element of body.split(/,?\n(?= {4}\w)/)) {
    const [, kind = '', name = ''] = /^ {4}(PROJECTION|CONSTRAINT|INDEX) (\w+)/.exec(element) ?? []
    const one = element.trim().replace(/,$/, '')
    if (kind !== '') {
      form.parts.set(`${kind.toLowerCase()} ${name}`, one)
      continue
    }
    const column = /^\w+/.exec(one)?.[0] ?? ''
    const comment = COMMENT.exec(one)?.[1] ?? "''"
    form.columns.set(column, { definition: one.replace(COMMENT, '').slice(column.length + 1), comment })
  }
  return form
}
