/** Runs cells one after the other, each again with another seed where its fault did not take effect, and sums up. */
import {
  blankReport,
  type Cell,
  type Change,
  cellName,
  type Fault,
  MOMENTS,
  type Report,
  runCell,
  Unverified,
} from './cell.ts'
import type { Stack } from './stack.ts'

export const allCells = (faults: readonly Fault[]): Cell[] =>
  faults.flatMap(fault => MOMENTS.map(moment => ({ fault, moment })))

/** A void run is repeated so often at most, each time with another seed. */
const AGAIN_MAX = 2
const OTHER_SEED = 1_000

export async function runCells(
  stack: Stack,
  cells: readonly Cell[],
  seed: number,
  log: (line: string) => void,
): Promise<Report[]> {
  const reports: Report[] = []
  for (const [fault, own] of Map.groupBy(cells, cell => cell.fault)) {
    let undo: (() => Promise<void>) | undefined
    try {
      undo = await fault.prepare?.(stack)
      for (const cell of own) reports.push(await runUntilNotVoid(stack, cell, seed, {}, log))
    } catch (error) {
      if (!(error instanceof Unverified)) throw error
      for (const cell of own) log(`unverified  ${cellName(cell)}: ${error.message}`)
      reports.push(...own.map(cell => ({ ...blankReport(cell, seed), evidence: error.message })))
    } finally {
      await undo?.()
    }
  }
  return reports
}

export async function runUntilNotVoid(
  stack: Stack,
  cell: Cell,
  seed: number,
  change: Change,
  log: (line: string) => void,
): Promise<Report> {
  for (let again = 0; ; again++) {
    const report = await runCell(stack, cell.fault, cell.moment, seed + again * OTHER_SEED, change)
    log(lineOf(report))
    if (report.result !== 'void' || again === AGAIN_MAX) return report
  }
}

const seconds = (ms: number | null) => (ms === null ? '–' : `${(ms / 1000).toFixed(1)} s`)

export function lineOf(report: Report): string {
  const figures = `${report.events} events, ${report.duplicates} duplicates, ${report.dead_letters} dead letters, ${report.kills} kills, first rate after ${seconds(report.first_rate_ms)}, ${Math.round(report.seconds)} s`
  const head = `${report.result.padEnd(10)}  ${report.cell.padEnd(28)} seed ${report.seed}: ${figures}; ${report.evidence}`
  const shown = report.differences.slice(0, 5).map(difference => `\n            - ${difference}`)
  const more = report.differences.length > 5 ? `\n            … ${report.differences.length - 5} more` : ''
  return head + shown.join('') + more
}

/** The matrix as a table, one row a fault. */
export function tableOf(reports: readonly Report[]): string {
  const rows = [...Map.groupBy(reports, report => report.fault)].map(([fault, own]) => {
    const times = own.flatMap(({ first_rate_ms }) => first_rate_ms ?? []).sort((a, b) => a - b)
    return [
      fault,
      ...MOMENTS.map(moment => own.find(report => report.moment === moment)?.result ?? ''),
      seconds(times[Math.floor((times.length - 1) / 2)] ?? null),
      seconds(times.at(-1) ?? null),
    ]
  })
  const table = [['fault', ...MOMENTS, 'first rate, median', 'worst'], ...rows]
  const widths = (table[0] as string[]).map((_, at) => Math.max(...table.map(row => (row[at] as string).length)))
  const lines = table.map(row => `| ${row.map((cell, at) => cell.padEnd(widths[at] as number)).join(' | ')} |`)
  return [lines[0], `| ${widths.map(width => '-'.repeat(width)).join(' | ')} |`, ...lines.slice(1)].join('\n')
}

export function totalsOf(reports: readonly Report[]) {
  const sum = (
    name:
      | 'events'
      | 'refused'
      | 'duplicates'
      | 'dead_letters'
      | 'rehomed'
      | 'kills'
      | 'rates_different'
      | 'events_lost',
  ) => reports.reduce((total, report) => total + report[name], 0)
  const count = (result: Report['result']) => reports.filter(report => report.result === result).length
  return {
    cells: reports.length,
    passed: count('passed'),
    failed: count('FAILED'),
    void: count('void'),
    unverified: count('unverified'),
    seeds: [...new Set(reports.map(({ seed }) => seed))],
    events: sum('events'),
    refused: sum('refused'),
    duplicates: sum('duplicates'),
    dead_letters: sum('dead_letters'),
    rehomed: sum('rehomed'),
    kills: sum('kills'),
    rates_different: sum('rates_different'),
    events_lost: sum('events_lost'),
  }
}

export const sentenceOf = (totals: ReturnType<typeof totalsOf>) =>
  [
    `cells run: ${totals.cells}, passed: ${totals.passed}, FAILED: ${totals.failed}, void: ${totals.void}, unverified: ${totals.unverified}; seeds: ${totals.seeds.join(', ')}`,
    `events: ${totals.events}, refused records: ${totals.refused}, duplicates delivered: ${totals.duplicates}, dead letters: ${totals.dead_letters}, re-homed: ${totals.rehomed}, kills: ${totals.kills}`,
    `rates different from the oracle: ${totals.rates_different}, events lost: ${totals.events_lost}`,
  ].join('\n')
