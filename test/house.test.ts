/** The house is in order: types, lint and formatting hold, and every folder says what belongs there. */
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
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
const FILES = globSync('**/*.{ts,mjs,sql,java,py,go}', {
  cwd: root,
  exclude: name => name === 'node_modules' || (name.startsWith('.') && name.length > 1),
})

/** Folders whose files the README of the folder above, or the test beside them, describes. */
const DESCRIBED_ABOVE =
  /^(docs\/sql|infra\/local\/kafka|pipelines\/schema\/\w+|schemas\/dossier-event|services\/portal\/pages|test\/(codecs|long|third-party|databases\/.*))$/

test('every folder with sources has a README', () => {
  const folders = new Set(FILES.map(file => dirname(file)))
  const without = [...folders].filter(
    folder => folder !== '.' && !DESCRIBED_ABOVE.test(folder) && !existsSync(join(root, folder, 'README.md')),
  )
  expect(without).toEqual([])
  expect(folders.size).toBeGreaterThan(30)
})

/** Each room uses itself and those before it. */
const ROOMS = ['schemas', 'common', 'pipelines', 'services', 'infra']

test('rooms have one direction', () => {
  const against: string[] = []
  let imports = 0
  for (const file of FILES.filter(one => one.endsWith('.ts'))) {
    const room = ROOMS.indexOf(file.split('/')[0] as string)
    if (room < 0) continue
    for (const [, path] of readFileSync(join(root, file), 'utf8').matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)) {
      const other = ROOMS.indexOf(join(dirname(file), path as string).split('/')[0] as string)
      imports++
      if (other > room) against.push(`${file} imports ${path}`)
    }
  }
  expect(against).toEqual([])
  expect(imports).toBeGreaterThan(500)
})
