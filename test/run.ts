/**
 * `npm test`: everything, on real parts, ending with the plain line `N passed, N failed`. Two runs side by side, because much of
 * both is waiting: tests on the common broker, engine and services; and the rest,
 * those among them that start and kill processes of their own. `--long` adds
 * the whole fault matrix and the tests of the rebuild, and gives the property tests ten minutes. With other arguments it is one
 * run, and they go to vitest.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Counts, closingLine } from './closing-line.ts'

const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url))
const config = fileURLToPath(new URL('vitest.config.ts', import.meta.url))
const arguments_ = process.argv.slice(2)
const long = arguments_.includes('--long')
const asked = arguments_.filter(argument => argument !== '--long')
const env = { ...(long && { EXACTNESS_SECONDS: '600', POISON_RECORDS: '200000', PARKING_KILLS: '10' }), ...process.env }

interface Run {
  code: number
  output: string
}

/** Its output goes through as it comes, or is kept until the end. */
function run(
  args: readonly string[],
  { keep = false, counts }: { keep?: boolean; counts?: string } = {},
): Promise<Run> {
  const child = spawn(
    process.execPath,
    ['--disable-warning=TimeoutNegativeWarning', vitest, 'run', '--config', config, ...args],
    {
      stdio: keep ? ['ignore', 'pipe', 'pipe'] : 'inherit',
      env: { ...env, ...(counts !== undefined && { COUNTS_FILE: counts }) },
    },
  )
  const output: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => output.push(chunk))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  return new Promise(resolve =>
    child.on('close', (code, signal) =>
      resolve({ code: signal === null ? (code ?? 1) : 1, output: Buffer.concat(output).toString() }),
    ),
  )
}

const projects = (...names: string[]) => names.flatMap(name => ['--project', name])

/** Both runs, their counts added up. A run that ended without telling its counts is a failure. */
async function everything(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'motcua-test-counts-'))
  try {
    const files = ['common', 'own'].map(name => join(folder, name)) as [string, string]
    for (const file of files) writeFileSync(file, JSON.stringify({ passed: 0, failed: 1, skipped: 0 } satisfies Counts))
    const [common, own] = await Promise.all([
      run(projects('real'), { counts: files[0] }),
      run(projects('unit', 'figures', 'own', ...(long ? ['long'] : [])), { counts: files[1], keep: true }),
    ])
    process.stdout.write(own.output)
    const counts = files.map(file => JSON.parse(readFileSync(file, 'utf8')) as Counts)
    // What failed before any test, such as a server that does not start, reaches no reporter.
    for (const [at, each] of counts.entries()) if (each.failed === 0 && [common, own][at]?.code !== 0) each.failed = 1
    const sum = (name: keyof Counts) => counts.reduce((total, each) => total + each[name], 0)
    process.stdout.write(
      `\n${closingLine({ passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') })}\n`,
    )
    return common.code || own.code
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

process.exitCode = asked.length === 0 ? await everything() : (await run(asked)).code
