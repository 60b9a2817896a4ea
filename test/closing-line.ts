/**
 * Counts a test run; a file that could not even be loaded counts as a failure. COUNTS_FILE gets the counts as JSON: test/run.ts
 * adds those of several runs up. Without it the run ends with the plain line `N passed, N failed`.
 */
import { writeFileSync } from 'node:fs'
import type { Reporter, TestModule } from 'vitest/node'

export interface Counts {
  passed: number
  failed: number
  skipped: number
}

export const closingLine = ({ passed, failed, skipped }: Counts): string =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`

export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]) {
    const counts: Counts = { passed: 0, failed: unhandled.length, skipped: 0 }
    for (const module of modules) {
      if (module.errors().length > 0) counts.failed++
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        counts[state === 'passed' || state === 'failed' ? state : 'skipped']++
      }
    }
    if (process.env.COUNTS_FILE !== undefined) writeFileSync(process.env.COUNTS_FILE, JSON.stringify(counts))
    else process.stdout.write(`\n${closingLine(counts)}\n`)
  }
}
