/**
 * Exact under every fault, the short form of `npm run chaos`: one cell of most faults and two negative controls, on a broker, a
 * ClickHouse and ingest processes of their own. What cannot be killed (no Java, no engine for this machine) is left out.
 */
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missingForLocalClickHouse, missingForLocalKafka } from '../../infra/runtime.ts'
import { CONTROLS, runControls } from '../chaos/controls.ts'
import { FAULTS } from '../chaos/faults.ts'
import { allCells, cellName, lineOf, runUntilNotVoid } from '../chaos/matrix.ts'
import { type Stack, startStack, temporaryHome } from '../chaos/stack.ts'

const SHORT = [
  'kill-ingest/before-commit',
  'kill-clickhouse/mid-batch',
  'zombie/mid-batch',
  'reset/before-commit',
  'cut-broker/before-commit',
  'poison/random',
  'crc32/start',
]
const SHORT_CONTROLS = ['no-reversal', 'commit-first']
const SEED = 1
/** A void run is repeated twice. */
const LIMIT_MS = 300_000

const missing = [...(await missingForLocalKafka(process.env)), ...missingForLocalClickHouse()]
const quiet = () => undefined

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

  test.each(SHORT)('%s: every rate is the oracle’s, nothing is lost', { timeout: LIMIT_MS }, async name => {
    const cell = allCells(FAULTS).find(each => cellName(each) === name)
    if (cell === undefined) throw new Error(`there is no cell ${name}`)
    const report = await runUntilNotVoid(stack, cell, SEED, {}, quiet)
    expect(report.result, lineOf(report)).toBe('passed')
  })

  test.each(SHORT_CONTROLS)('control %s: the cell fails, as it must', { timeout: LIMIT_MS }, async name => {
    const controls = CONTROLS.filter(control => control.name === name)
    const [control] = await runControls(stack, controls, SEED, quiet)
    expect(control?.failed, control && lineOf(control.report)).toBe(true)
  })
})
