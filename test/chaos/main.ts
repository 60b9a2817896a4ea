/**
 * `npm run chaos`: the fault matrix with real processes, then the negative controls. Exits 1 when a cell fails or shows nothing,
 * or a control passes.
 */
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { cellName } from './cell.ts'
import { CONTROLS, controlLine, runControls } from './controls.ts'
import { FAULTS } from './faults.ts'
import { allCells, runCells, sentenceOf, tableOf, totalsOf } from './matrix.ts'
import { startStack, temporaryHome } from './stack.ts'

const { values: args } = parseArgs({
  options: {
    list: { type: 'boolean' },
    only: { type: 'string' },
    seed: { type: 'string', default: '1' },
    json: { type: 'string' },
    controls: { type: 'boolean' },
    'no-controls': { type: 'boolean' },
    keep: { type: 'boolean' },
  },
})
const cells = allCells(FAULTS).filter(cell => new RegExp(args.only ?? '').test(cellName(cell)))
if (args.list) {
  for (const cell of cells) console.log(cellName(cell))
  process.exit(0)
}

const started_ms = Date.now()
const log = (line: string) =>
  console.log(`${String(Math.round((Date.now() - started_ms) / 1000)).padStart(4)} s  ${line}`)
const { home, remove } = await temporaryHome(tmpdir())
log(`a broker and a ClickHouse in ${home}`)
const stack = await startStack(home)
try {
  const seed = Number(args.seed)
  const reports = args.controls ? [] : await runCells(stack, cells, seed, log)
  const controls = args['no-controls']
    ? []
    : await runControls(
        stack,
        CONTROLS.filter(control => !args.controls || new RegExp(args.only ?? '').test(control.name)),
        seed,
        log,
      )
  const totals = totalsOf(reports)
  if (reports.length > 0) console.log(`\n${tableOf(reports)}\n\n${sentenceOf(totals)}`)
  if (controls.length > 0) console.log(`\nNegative controls:\n${controls.map(controlLine).join('\n')}`)
  if (args.json !== undefined) await writeFile(args.json, `${JSON.stringify({ totals, reports, controls }, null, 2)}\n`)
  if (totals.failed > 0 || totals.void > 0 || controls.some(({ failed }) => !failed)) process.exitCode = 1
} finally {
  await stack.close()
  if (!args.keep) await remove()
}
