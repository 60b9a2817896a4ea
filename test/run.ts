/**
 * `npm test`: everything, on real parts, ending with the plain line `N passed, N failed`. `--long` adds
 * the whole fault matrix, and gives the property tests ten minutes. Other
 * arguments go to vitest.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url))
const config = fileURLToPath(new URL('vitest.config.ts', import.meta.url))
const asked = process.argv.slice(2)
const long = asked.includes('--long')
const projects = asked.includes('--project')
  ? []
  : ['unit', 'real', 'own', ...(long ? ['long'] : [])].flatMap(name => ['--project', name])
const child = spawn(
  process.execPath,
  [
    '--disable-warning=TimeoutNegativeWarning',
    vitest,
    'run',
    '--config',
    config,
    ...projects,
    ...asked.filter(argument => argument !== '--long'),
  ],
  { stdio: 'inherit', env: { ...(long && { EXACTNESS_SECONDS: '600' }), ...process.env } },
)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
child.on('exit', (code, signal) => {
  process.exitCode = signal === null ? (code ?? 1) : 1
})
