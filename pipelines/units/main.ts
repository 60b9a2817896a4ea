/** `npm run units -- check | load`: brings in a new list of units, and says first what it would change. */
import type { ClickHouseClient } from '@clickhouse/client'
import { Command } from 'commander'
import { createClickHouse, type Role } from '../../common/clickhouse.ts'
import { ConfigError } from '../../common/config.ts'
import { readEnvironment } from '../../common/environment.ts'
import { ReferenceDataError, textOf } from '../problems.ts'
import { load, projectStanding, readLists, reportOf, standingIn, unknownCodes } from './bring.ts'
import { linesOf } from './report.ts'

const PROBLEMS_MAX = 100
/** The ledger is read as a whole. */
const REQUEST_MS_MAX = 300_000

const say = (line: string) => process.stdout.write(`${line}\n`)

async function withClickHouse<T>(role: Role, use: (clickhouse: ClickHouseClient) => Promise<T>): Promise<T> {
  const clickhouse = createClickHouse(readEnvironment().config, role, { request_ms_max: REQUEST_MS_MAX })
  try {
    return await use(clickhouse)
  } finally {
    await clickhouse.close()
  }
}

/** Says what is wrong and what changes. Returns how many errors there are. */
async function tell(path: string, clickhouse: ClickHouseClient | undefined) {
  const standing = clickhouse === undefined ? projectStanding() : await standingIn(clickhouse)
  const fresh = readLists(path, standing)
  const broken = fresh.problems.some(problem => problem.severity === 'error')
  const report = broken ? undefined : await reportOf(fresh.lists, standing, clickhouse)
  const problems = [...fresh.problems, ...unknownCodes(report?.moves)]
  const errors = problems.filter(problem => problem.severity === 'error').length
  say(`${fresh.units_file}, successors: ${fresh.successors_file}`)
  say(
    `${fresh.lists.units.length} units, ${fresh.lists.successors.length} successors: ${errors} errors, ${problems.length - errors} warnings`,
  )
  for (const problem of problems.slice(0, PROBLEMS_MAX)) say(`  ${textOf(problem)}`)
  if (problems.length > PROBLEMS_MAX) say(`  … and ${problems.length - PROBLEMS_MAX} more`)
  if (report !== undefined) for (const line of linesOf(report)) say(line)
  return { fresh, report, errors }
}

async function check(path: string): Promise<number> {
  try {
    return (await withClickHouse('analyst', clickhouse => tell(path, clickhouse))).errors
  } catch (error) {
    if (!(error instanceof Error) || error instanceof ConfigError || !('code' in error)) throw error
    say(`ClickHouse cannot be asked (${error.message.split('\n')[0]}): compared with the project's own list.`)
    return (await tell(path, undefined)).errors
  }
}

async function bring(path: string, { dryRun }: { dryRun?: boolean }): Promise<number> {
  return withClickHouse('default', async clickhouse => {
    const { fresh, report, errors } = await tell(path, clickhouse)
    if (errors > 0 || report === undefined) say('Nothing was loaded: the list has errors.')
    else if (dryRun) say('Nothing was loaded: --dry-run.')
    else say(`Loaded: ${(await load(clickhouse, fresh, report)).join(', ')}.`)
    return errors
  })
}

async function run(command: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = (await command()) > 0 ? 1 : 0
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`)
    process.exitCode = 1
  }
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof ConfigError || error instanceof ReferenceDataError) return error.message
  if ('code' in error)
    return `${error.message}\nIs ClickHouse running, and prepared? npm start starts it, npm run migrate prepares it; CLICKHOUSE_URL names another.`
  return error.stack ?? error.message
}

const PATH = 'administrative_units.csv, or a folder with it; unit_successors.csv is looked for beside it'
const program = new Command('npm run units --').description('The lists of administrative units and their successors.')
program
  .command('check')
  .description('says what is wrong with a new list, and what it would change; exits 1 on any error')
  .argument('<path>', PATH)
  .action((path: string) => run(() => check(path)))
program
  .command('load')
  .description(
    'brings in a new list, all or nothing; it stays until another is loaded (pipelines/reference: the own one)',
  )
  .argument('<path>', PATH)
  .option('--dry-run', 'says what would change and loads nothing')
  .action((path: string, options: { dryRun?: boolean }) => run(() => bring(path, options)))

await program.parseAsync()
