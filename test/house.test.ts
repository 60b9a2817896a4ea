/** The house is in order: types, lint and formatting hold, and every folder says what belongs there. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const run = (script: string, ...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { cwd: root, encoding: 'utf8' })
  return status === 0 ? 'in order' : `${stdout}${stderr}`
}

test('TypeScript, strict (npm run types)', () => {
  expect(run('node_modules/typescript/bin/tsc')).toBe('in order')
})
test('Biome, no warnings (npm run format mends most)', () => {
  expect(run('node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.')).toBe('in order')
})
test.each([
  'schemas',
  'services',
  'services/common',
  'services/intake',
  'services/ingest',
  'services/alerts',
  'services/portal',
  'pipelines',
  'pipelines/audit',
  'pipelines/catalogue',
  'pipelines/rebuild',
  'pipelines/units',
  'pipelines/reference',
  'infra',
  'infra/local',
  'infra/local/clickhouse',
  'infra/local/clickhouse/pages',
  'infra/sample',
  'test',
  'test/chaos',
  'test/oracle',
  'test/bench',
  'test/clients',
  'docs',
])('%s has a README', folder => {
  expect(existsSync(`${root}/${folder}/README.md`)).toBe(true)
})
