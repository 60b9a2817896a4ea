/**
 * `npm run docs`: docs/sql.md from the database itself: every table and view with parameters, columns, units, meaning and an
 * example that the tests run. Takes a database that is at the schema of this version.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../../common/clickhouse.ts'
import { callOf, type Example, readExamples } from './examples.ts'
import { MEANINGS } from './meanings.ts'

interface DatabaseObject {
  name: string
  engine: string
  comment: string
  statement: string
}
interface Column {
  name: string
  type: string
  comment: string
}

/** For analysts first; what the machinery needs stands at the end. */
const CHAPTERS: [title: string, text: string, objects: RegExp][] = [
  [
    'Rates',
    'Fractions from 0 to 1 beside the dossiers they are made of. Add numerators and denominators, never rates. NULL: nothing to divide by.',
    /^(rates|rates_(?!by_month|as_known).*|indicator_values.*|indicators|period_days|procedure_rates|busy_procedures)$/,
  ],
  [
    'Stocks and accounts',
    'What is pending at the end of a day, also a past one, and what became of it.',
    /^(backlog|dossier_balance|stock_flows|not_accepted|processing_times.*|working_days)$/,
  ],
  [
    'Figures of a past moment',
    'What was known when, and why it differs now.',
    /^(rates_as_known|restatement|restated_dossiers|postings_of_unit)$/,
  ],
  [
    'Dossiers, and what is wrong with them',
    '',
    /^(dossiers|quarantined_dossiers|data_quality|dead_letters.*|silent_sources|dossier_alerts|open_alerts|plain_count)$/,
  ],
  [
    'Units, procedures, sectors, agencies',
    'Reference data, loaded by `npm run migrate`.',
    /^(administrative_units|unit_.*|tier_on_.*|placed_on_unit_day|units_of_tier|sectors|procedure.*|agenc.*)$/,
  ],
  [
    'Log, ledger and flows',
    'The ground that everything stands on.',
    /^(dossier_events|dossier_postings|flows.*|recorded_.*|rates_by_month|ingest_.*|balance|history|ledger)$/,
  ],
  ['Machinery', 'What the services note down for themselves.', /./],
]

const ONLY_FOR_SERVICES = /^(balance|history|ledger|block_probe.*|rebuild_.*|dossier_postings_.*)$/

export class UndocumentedError extends Error {
  readonly missing: readonly string[]
  constructor(missing: readonly string[]) {
    super(`not documented: ${missing.join('; ')}`)
    this.missing = missing
  }
}

/** Days are texts to ClickHouse (templates.ts). */
const DAYS = new Set(['from', 'to', 'until', 'day', 'as_of'])
const parametersOf = (statement: string): string[] => [
  ...new Set(
    [...statement.matchAll(/\{(\w+):\s*([\w()' ,]+)\}/g)].map(
      ([, name = '', type]) => `\`${name}\` ${type === 'String' && DAYS.has(name) ? 'day' : type}`,
    ),
  ),
]
const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

/** The text of docs/sql.md. Throws {@link UndocumentedError} where a view has no example or a column no meaning. */
export async function sqlGuide(clickhouse: ClickHouseClient, examples: readonly Example[] = readExamples()) {
  const objects = await rowsOf<DatabaseObject>(
    clickhouse,
    "SELECT name, engine, comment, create_table_query AS statement FROM system.tables WHERE database = currentDatabase() AND name NOT LIKE '.%' ORDER BY name",
  )
  // A view that hands a table's column through has no comment of its own.
  const commented = await rowsOf<Column>(
    clickhouse,
    "SELECT c.name AS name, any(c.comment) AS comment FROM system.columns AS c WHERE database = currentDatabase() AND c.comment != '' GROUP BY name HAVING uniqExact(c.comment) = 1",
  )
  const inTables = new Map(commented.map(({ name, comment }) => [name, comment]))
  const missing: string[] = []
  for (const { object } of examples)
    if (!objects.some(({ name }) => name === object)) missing.push(`the example of ${object}, which there is not`)
  const chapters = new Map<string, string[]>()
  for (const object of objects.filter(({ name }) => !ONLY_FOR_SERVICES.test(name))) {
    const own = examples.filter(example => example.object === object.name)
    const parameters = object.engine === 'View' ? parametersOf(object.statement) : []
    const call = own.map(callOf).find(text => text !== undefined)
    if (object.engine === 'View' && own.length === 0) missing.push(`${object.name} has no example`)
    if (parameters.length > 0 && call === undefined) {
      missing.push(`no example calls ${object.name} with its parameters`)
      continue
    }
    const columns = await columnsOf(clickhouse, object.name, parameters.length > 0 ? call : undefined, inTables)
    for (const { name, comment } of columns)
      if (comment === '') missing.push(`column ${name} of ${object.name} has no meaning`)
    const [title] = CHAPTERS.find(([, , pattern]) => pattern.test(object.name)) as (typeof CHAPTERS)[number]
    chapters.set(title, [...(chapters.get(title) ?? []), sectionOf(object, parameters, columns, own)])
  }
  if (missing.length > 0) throw new UndocumentedError(missing)
  return `${[HEAD, ...CHAPTERS.map(([title, text]) => chapterOf(title, text, chapters.get(title) ?? []))].join('\n\n')}\n`
}

const HEAD = `# SQL

Every view and table of the database \`motcua\`: what one row is, its columns with units, and an example that runs. Generated from the
database's own comments by \`npm run docs\`; the tests run every example and fail where this page is not what the database says.

Any ClickHouse client: \`http://127.0.0.1:8123\`, user \`analyst\`, no password, database \`motcua\`. A name with parameters is called like a
function: \`SELECT * FROM rates(from = '2023-01-01', to = '2023-06-30', tier = 'province')\`. Days are at +07:00; \`tier\` is \`commune\`,
\`district\`, \`province\` or \`country\`. A code alone names no place: the key of a unit is (\`unit_code\`, \`unit_valid_from\`).`

const chapterOf = (title: string, text: string, sections: readonly string[]) =>
  [`## ${title}`, ...(text === '' ? [] : [text]), ...sections].join('\n\n')

function sectionOf({ name, engine, comment }: DatabaseObject, parameters: string[], columns: Column[], own: Example[]) {
  const kind = engine === 'View' ? 'view' : 'table'
  return [
    `### ${name}`,
    `${comment}. (${kind}${parameters.length > 0 ? `; parameters: ${parameters.join(', ')}` : ''})`,
    ...own.map(({ question, query }) => `${question}\n\n\`\`\`sql\n${query}\n\`\`\``),
    [
      '| column | type | meaning |',
      '| --- | --- | --- |',
      ...columns.map(({ name, type, comment }) => `| \`${name}\` | ${cell(type)} | ${cell(comment)} |`),
    ].join('\n'),
  ].join('\n\n')
}

async function columnsOf(
  clickhouse: ClickHouseClient,
  object: string,
  call: string | undefined,
  inTables: ReadonlyMap<string, string>,
): Promise<Column[]> {
  const rows = await rowsOf<Column>(
    clickhouse,
    call === undefined
      ? 'SELECT name, type, comment FROM system.columns WHERE database = currentDatabase() AND table = {object:String} ORDER BY position'
      : `DESCRIBE (SELECT * FROM ${call})`,
    call === undefined ? { object } : {},
  )
  const meaningOf = (name: string) => MEANINGS[name] ?? inTables.get(name) ?? ''
  return rows.map(({ name, type, comment }) => ({ name, type, comment: comment || meaningOf(name) }))
}

if (import.meta.main) {
  const { writeFileSync } = await import('node:fs')
  const { readEnvironment } = await import('../../common/environment.ts')
  const { createClickHouse } = await import('../../common/clickhouse.ts')
  const clickhouse = createClickHouse(readEnvironment().config, 'analyst')
  try {
    writeFileSync(new URL('../sql.md', import.meta.url), await sqlGuide(clickhouse))
    console.log('docs/sql.md is what the database says.')
  } catch (error) {
    console.error(error instanceof UndocumentedError ? error.missing.join('\n') : error)
    process.exitCode = 1
  } finally {
    await clickhouse.close()
  }
}
