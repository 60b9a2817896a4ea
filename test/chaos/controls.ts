/**
 * Negative controls: with one of the things taken away that the promise leans on, the matrix must fail. Production code has no
 * switch for any of them: they are made here, in the cell's database or in a copy of the sources.
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { statementOf } from '../../pipelines/declarations.ts'
import { modifyQuery } from '../../pipelines/plan.ts'
import { type Change, type Fault, type Moment, type Report, runCell } from './cell.ts'
import { FAULTS } from './faults.ts'
import { lineOf } from './matrix.ts'
import { copyProject, type Replacement, replaceOnce } from './project.ts'
import type { Stack } from './stack.ts'

export interface ControlOf {
  name: string
  /** What is taken away. */
  without: string
  /** The cell that must fail then. */
  fault: string
  moment: Moment
  /** In the view `balance`. */
  view?: readonly Omit<Replacement, 'file'>[]
  code?: readonly Replacement[]
}

/** Makes the view sleep between reading and posting, as on a busy server: two that overlap there do so for certain. */
const SLOW = { from: 'HAVING sign != 0', to: 'HAVING sign != 0 AND sleep(0.25) = 0' }

export const CONTROLS: readonly ControlOf[] = [
  {
    name: 'no-reversal',
    without: 'the reversal of what the ledger has standing',
    fault: 'poison',
    moment: 'random',
    view: [{ from: 'toInt64(-sign) AS weight', to: 'toInt64(0) AS weight' }],
  },
  {
    name: 'commit-first',
    without: 'the commit after the insert: it comes before it',
    fault: 'kill-ingest',
    moment: 'mid-batch',
    code: [
      {
        file: 'services/ingest/source.ts',
        from: '        const outcome = await options.handle(',
        to: '        await consumer.commitOffsets([{ topic, partition: batch.partition, offset: String(reached + 1) }])\n        const outcome = await options.handle(',
      },
    ],
  },
  {
    name: 'split-blocks',
    without: 'the guard, with batches that reach the ledger in blocks of some hundred rows',
    fault: 'kill-ingest',
    moment: 'random',
    view: [{ from: 'WHERE guard = 0 AND ', to: 'WHERE ' }],
    code: [
      { file: 'common/insert.ts', from: "const BLOCK_ROWS = '1000000'", to: "const BLOCK_ROWS = '300'" },
      {
        file: 'common/insert.ts',
        from: "min_insert_block_size_bytes: '1000000000'",
        to: "min_insert_block_size_bytes: '1', input_format_max_block_size_bytes: '150000'",
      },
      {
        file: 'services/ingest/server-check.ts',
        from: '  await checkBlocks(clickhouse, batch_rows_max)\n',
        to: '  await checkBlocks(clickhouse, Math.min(1, batch_rows_max))\n',
      },
    ],
  },
  {
    name: 'no-rehoming',
    without: 're-homing: a record is taken where it lies',
    fault: 'crc32',
    moment: 'start',
    view: [SLOW],
    code: [
      {
        file: 'services/ingest/classify.ts',
        from: 'if (record.key !== null && home === partition)',
        to: 'if (record.key !== null)',
      },
    ],
  },
  {
    name: 'no-count-fence',
    without: 'the partition count fence in the ledger, with a member that keeps its old count',
    fault: 'partition-count',
    moment: 'random',
    view: [SLOW, { from: ' AND count_fence = 0', to: '' }],
    code: [
      {
        file: 'services/ingest/partition-count.ts',
        from: '    current = wanted\n',
        to: "    if (process.env.CHAOS_MEMBER !== 'ingest-1' || current === undefined) current = wanted\n",
      },
      {
        file: 'services/ingest/partition-count.ts',
        from: '      if ((await countInForce(clickhouse, topic)).epoch === under.epoch) return true\n',
        to: '      return true\n',
      },
    ],
  },
  {
    name: 'no-fence',
    without: 'the fence in the ledger, and the end of earlier inserts',
    fault: 'zombie',
    moment: 'mid-batch',
    view: [SLOW, { from: 'AND fence = 0', to: '' }],
    code: [
      {
        file: 'services/ingest/ownership.ts',
        from: '    await endInserts(insert => insert.partitions.some(partition => claimed.includes(partition)))\n',
        to: '',
      },
    ],
  },
]

const BALANCE = 'pipelines/schema/ledger/balance.sql'

/** A control may miss by luck: it has so many tries to make its cell fail. */
const TRIES_MAX = 4

export interface ControlReport {
  control: string
  without: string
  /** Its cell failed, as it must. */
  failed: boolean
  report: Report
}

export async function runControls(
  stack: Stack,
  controls: readonly ControlOf[],
  seed: number,
  log: (line: string) => void,
): Promise<ControlReport[]> {
  const reports: ControlReport[] = []
  for (const control of controls) {
    const fault = FAULTS.find(({ name }) => name === control.fault) as Fault
    const { view = [], code = [] } = control
    // Ingest compares the view with its declaration.
    const declared = view.map(part => ({ file: BALANCE, ...part }))
    const change: Change = {
      ...(view.length > 0 && { database: (cell: Stack) => changeView(cell, view) }),
      project: await copyProject(join(stack.home, `sources-${control.name}`), [...code, ...declared], stack.sources),
    }
    for (let tried = 0; ; tried++) {
      const report = await runCell(
        stack,
        { ...fault, ...fenceless(control, fault) },
        control.moment,
        seed + tried,
        change,
      )
      log(`control ${control.name}, without ${control.without}:\n        ${lineOf(report)}`)
      const failed = report.result === 'FAILED'
      if (!failed && tried + 1 < TRIES_MAX) continue
      reports.push({ control: control.name, without: control.without, failed, report })
      break
    }
  }
  return reports
}

/** The evidence of some faults is the very thing that is taken away. */
const fenceless = (control: ControlOf, fault: Fault): Partial<Fault> =>
  control.name === 'no-fence' ? { run: stage => fault.run({ ...stage, fenced: false }) } : {}

async function changeView(stack: Stack, changes: NonNullable<ControlOf['view']>): Promise<() => Promise<void>> {
  const proper = statementOf('balance', pathToFileURL(join(stack.sources, 'pipelines/schema/')))
  const changed = changes.reduce((text, { from, to }) => replaceOnce(text, from, to, BALANCE), proper)
  await stack.clickhouse.command({ query: modifyQuery('balance', changed) })
  return async () => {
    await stack.clickhouse.command({ query: modifyQuery('balance', proper) })
  }
}

export const controlLine = ({ control, failed, report }: ControlReport) =>
  `${control.padEnd(14)} ${report.cell.padEnd(24)} ${failed ? 'fails, as it must' : `${report.result}: THE CONTROL SHOWS NOTHING`}`
