/** Cells and controls of the matrix as tests, on a stack of their own. Without Java or an engine for this machine: left out. */
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missingForLocalClickHouse, missingForLocalKafka } from '../../infra/runtime.ts'
import { type Cell, cellName } from './cell.ts'
import { type ControlOf, runControls } from './controls.ts'
import { FAULTS } from './faults.ts'
import { allCells, lineOf, runUntilNotVoid } from './matrix.ts'
import { type Stack, startStack, temporaryHome } from './stack.ts'

const SEED = Number(process.env.CHAOS_SEED ?? 1)
/** A void run is repeated twice, each within the limit of a cell. */
const LIMIT_MS = 750_000

const missing = [...(await missingForLocalKafka(process.env)), ...missingForLocalClickHouse()]
const quiet = () => undefined

/** Throws where there is no cell of a name. */
export function cellsNamed(names: readonly string[]): Cell[] {
  const all = new Map(allCells(FAULTS).map(cell => [cellName(cell), cell]))
  return names.map(name => {
    const cell = all.get(name)
    if (cell === undefined) throw new Error(`there is no cell ${name}; there are ${[...all.keys()].join(', ')}`)
    return cell
  })
}

export function faultTests(cells: readonly Cell[], controls: readonly ControlOf[]): void {
  describe.skipIf(missing.length > 0)('faults', () => {
    let stack: Stack
    let remove: () => Promise<void>
    beforeAll(async () => {
      const temporary = await temporaryHome(tmpdir())
      remove = temporary.remove
      stack = await startStack(temporary.home)
    })
    afterAll(async () => {
      await stack?.close()
      await remove?.()
    })

    for (const cell of cells)
      test(`${cellName(cell)}: every rate is the oracle’s, nothing is lost`, { timeout: LIMIT_MS }, async context => {
        const undo = await cell.fault.prepare?.(stack).catch(error => context.skip(`unverified: ${error.message}`))
        try {
          const report = await runUntilNotVoid(stack, cell, SEED, {}, quiet)
          expect(report.result, lineOf(report)).toBe('passed')
        } finally {
          await undo?.()
        }
      })

    for (const control of controls)
      test(`control ${control.name}: the cell fails, as it must`, { timeout: LIMIT_MS }, async () => {
        const [report] = await runControls(stack, [control], SEED, quiet)
        expect(report?.failed, report && lineOf(report.report)).toBe(true)
      })
  })
}
