/** `npm run catalogue -- check DIR | load DIR [--dry-run]`. Exits 1 where the catalogue has errors, which are all named. */
import { Command } from 'commander'
import { z } from 'zod'
import { createClickHouse } from '../../common/clickhouse.ts'
import { ConfigError, commonShape, readConfig } from '../../common/config.ts'
import { textOf } from '../problems.ts'
import { linesOf } from './changes.ts'
import { FILES } from './files.ts'
import { bring, compare, readAndCheck } from './load.ts'

const say = (line: string) => process.stdout.write(`${line}\n`)
const CLICKHOUSE_LOCAL = 'http://127.0.0.1:8123'

/** Undefined where something is wrong; it was said. */
function checked(folder: string) {
  const { tables, problems } = readAndCheck(folder)
  for (const problem of problems) say(textOf(problem))
  if (problems.length > 0) return undefined
  const { sectors, procedures, procedure_groups } = tables
  const titles = new Set(procedure_groups.map(row => `${row.group_code} ${row.decision} ${row.title_vi}`))
  say(`In order: ${procedures.length} procedures, ${sectors.length} sectors, ${titles.size} titles in groups.`)
  return tables
}

async function load(folder: string, dryRun: boolean): Promise<number> {
  const { CLICKHOUSE_URL, CLICKHOUSE_USER, CLICKHOUSE_PASSWORD } = commonShape
  const config = readConfig(
    z.object({ CLICKHOUSE_URL: CLICKHOUSE_URL.default(CLICKHOUSE_LOCAL), CLICKHOUSE_USER, CLICKHOUSE_PASSWORD }),
    process.env,
  )
  const tables = checked(folder)
  if (tables === undefined) {
    say('Nothing was loaded.')
    return 1
  }
  const clickhouse = createClickHouse(config, 'default')
  try {
    const { changes, readings } = await compare(clickhouse, tables)
    for (const line of linesOf(changes, readings)) say(line)
    if (dryRun) say('Nothing was loaded: --dry-run.')
    else say(`Loaded: ${(await bring(clickhouse, folder, tables)).join(', ')}.`)
    return 0
  } finally {
    await clickhouse.close()
  }
}

async function run(command: () => number | Promise<number>): Promise<void> {
  try {
    process.exitCode = await command()
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`)
    process.exitCode = 1
  }
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof ConfigError) return error.message
  if ('code' in error)
    return `${error.message}\nIs ClickHouse running, and prepared? npm start starts it, npm run migrate prepares it; CLICKHOUSE_URL names another.`
  return error.stack ?? error.message
}

const DIR = `folder with ${FILES.join(', ')}; the last may be missing`
const program = new Command('npm run catalogue --').description('Procedures, their sectors and their groups.')
program
  .command('check')
  .description('says everything that is wrong with a catalogue')
  .argument('<dir>', DIR)
  .action((folder: string) => run(() => (checked(folder) === undefined ? 1 : 0)))
program
  .command('load')
  .description('says what a catalogue changes and brings it in, all or nothing; it stays until the next load')
  .argument('<dir>', DIR)
  .option('--dry-run', 'says what would change and loads nothing')
  .action((folder: string, options: { dryRun?: boolean }) => run(() => load(folder, options.dryRun === true)))

await program.parseAsync()
