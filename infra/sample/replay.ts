/** `npm run replay -- --table FILE [--province H18] [--limit N] [--seed S]`: rows of a published table as dossier events through Kafka. */
import { Command, InvalidArgumentError } from 'commander'
import { createProgress, runCommand } from './command.ts'
import { type PortalTable, PROVINCE_DEFAULT, portalPlan, portalRow, readPortalTable } from './portal-table.ts'
import { replayPlans, SEED_DEFAULT } from './run.ts'

interface Options {
  table: string
  province: string
  all?: boolean
  limit?: number
  seed: string
  asOf?: string
}

const wholeNumber = (text: string) => {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('A whole number from 1 is needed.')
  return Number(text)
}
const options = new Command('npm run replay --')
  .description(
    "Turns a province's row of a published table into dossier events, sends them through Kafka, and compares the rates with the row.\n" +
      'The table has tabs and the columns department_code, name, TDGQ_totalReceived, TDGQ_totalOnTime, TDGQ_totalOverdue, as\n' +
      'infra/sample/data/portal-provinces-2026-10-10.tsv does. The dossiers are synthetic, their source is "sample".',
  )
  .requiredOption('--table <file>', 'the table')
  .option('--province <code>', 'department code of the row', PROVINCE_DEFAULT)
  .option('--all', 'every row, one after the other (14.6 million dossiers in the table above)')
  .option('--limit <n>', 'scale each row down to so many dossiers', wholeNumber)
  .option('--seed <text>', 'another seed gives other dossiers with the same totals', SEED_DEFAULT)
  .option('--as-of <day>', "last day of the figures, YYYY-MM-DD; otherwise from the file's name")
  .parse()
  .opts<Options>()

/** Rows larger than the limit are scaled down, smaller ones stay. */
function plansOf(table: PortalTable) {
  const rows = options.all === true ? table.rows : [portalRow(table, options.province)]
  const limitOf = (received: number) =>
    options.all === true && options.limit !== undefined ? Math.min(options.limit, received) : options.limit
  return rows.map(row => portalPlan(table, row, options.seed, limitOf(row.received)))
}

await runCommand(async deps => {
  const plans = plansOf(readPortalTable(options.table, options.asOf))
  const progress = createProgress()
  const report = await replayPlans({ ...deps, onProgress: progress.show, compare: { onWait: progress.wait } }, plans)
  progress.end()
  deps.log('')
  for (const line of report.lines) deps.log(line)
  if (report.sent > 0)
    deps.log(
      `${report.sent.toLocaleString('en')} records sent in ${(report.send_ms / 1000).toFixed(1)} s; the views had them after ${(report.exact_ms / 1000).toFixed(1)} s.`,
    )
  deps.log(report.exact ? 'Every difference is 0.' : 'There are differences.')
  return report.exact ? 0 : 1
})
