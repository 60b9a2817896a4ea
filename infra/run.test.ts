// infra/run.mjs in a project of its own, with a package.json that needs no registry and a Node that is a link to ours.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isAlive } from './lock.mjs'

const HERE = fileURLToPath(new URL('.', import.meta.url))
let project: string

beforeEach(async () => {
  project = await mkdtemp(join(tmpdir(), 'motcua-run-'))
  await mkdir(join(project, 'infra'))
  for (const name of ['run.mjs', 'lock.mjs', 'deathwatch.mjs'])
    await copyFile(join(HERE, name), join(project, 'infra', name))
  await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'x', version: '1.0.0', dependencies: {} }))
  await writeFile(join(project, 'package-lock.json'), '{}')
  // An npm that counts how often it is called, takes a moment, and installs what the fake registry has.
  await mkdir(join(project, 'bin'))
  await writeFile(
    join(project, 'bin', 'npm'),
    `#!/bin/sh
echo "$@" >> ${project}/npm-calls
sleep 0.5
test -f ${project}/npm-fails && { echo "registry is away" >&2; exit 9; }
mkdir -p ${project}/node_modules/node/bin
ln -sf ${process.execPath} ${project}/node_modules/node/bin/node
exit 0
`,
  )
  await chmod(join(project, 'bin', 'npm'), 0o755)
})
afterEach(() => rm(project, { recursive: true, force: true }))

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

function start(
  args: string[],
  env: NodeJS.ProcessEnv = {},
): ChildProcess & { ended: Promise<Ended>; text: () => string } {
  const child = spawn(process.execPath, [join(project, 'infra', 'run.mjs'), ...args], {
    env: { PATH: `${join(project, 'bin')}:/usr/bin:/bin`, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', data => {
    stdout += data
  })
  child.stderr.on('data', data => {
    stderr += data
  })
  const ended = new Promise<Ended>(resolve => {
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
  return Object.assign(child, { ended, text: () => stdout })
}

async function target(source: string): Promise<string> {
  const file = join(project, 'target.ts')
  await writeFile(file, source)
  return file
}

const calls = async () =>
  (await readFile(join(project, 'npm-calls'), 'utf8').catch(() => '')).split('\n').filter(Boolean)

async function printed(child: { text: () => string }, pattern: RegExp): Promise<RegExpExecArray> {
  for (const end = Date.now() + 10_000; Date.now() < end; await sleep(20)) {
    const match = pattern.exec(child.text())
    if (match !== null) return match
  }
  throw new Error(`never printed ${pattern}: ${child.text()}`)
}

test('installs once, then runs the target under the project’s Node with its arguments and exit code', async () => {
  const file = await target(
    'const [a, b]: string[] = process.argv.slice(2); console.log(a, b, process.env.PATH); process.exit(5)',
  )
  const first = await start([file, '--fresh', 'hai từ']).ended
  expect(first).toMatchObject({ code: 5, signal: null })
  expect(first.stdout).toMatch(/^--fresh hai từ /)
  expect(first.stdout).toContain(` ${project}/node_modules/node/bin:${project}/node_modules/.bin:`)
  expect(first.stderr).toContain('installing the npm packages')
  const second = await start([file]).ended
  expect(second).toMatchObject({ code: 5, stderr: '' })
  expect(await calls()).toEqual(['install --no-audit --no-fund --include=dev'])
})

test('installs again when the package files change or a package is gone', async () => {
  const file = await target('')
  await start([file]).ended
  await writeFile(join(project, 'package-lock.json'), '{"changed":1}')
  await start([file]).ended
  expect(await calls()).toHaveLength(2)
  await start([file]).ended
  expect(await calls()).toHaveLength(2)
})

test('an npm that reports success but left a package out is not believed', async () => {
  await writeFile(join(project, 'package.json'), JSON.stringify({ dependencies: { absent: '1.0.0' } }))
  const { code, stderr } = await start([await target('')]).ended
  expect(code).toBe(1)
  expect(stderr).toContain('left out absent')
})

test('a failed install says so once, with its exit code and what to try, and is tried again next time', async () => {
  await writeFile(join(project, 'npm-fails'), '')
  const file = await target('console.log("ran")')
  const failed = await start([file]).ended
  expect(failed).toMatchObject({ code: 1, stdout: '' })
  expect(failed.stderr).toContain('registry is away')
  expect(failed.stderr).toContain('npm install ended with exit code 9')
  expect(failed.stderr).toContain('rm -rf node_modules')
  await rm(join(project, 'npm-fails'))
  expect(await start([file]).ended).toMatchObject({ code: 0, stdout: 'ran\n' })
})

test('two commands at once install once', async () => {
  const file = await target('console.log("ran")')
  const both = await Promise.all([start([file]).ended, start([file]).ended])
  expect(both.map(ended => ended.stdout)).toEqual(['ran\n', 'ran\n'])
  expect(both.map(ended => ended.stderr).join('')).toContain('waiting for it')
  expect(await calls()).toHaveLength(1)
})

test('a Ctrl-C that comes from the terminal and from npm reaches the target once, and its exit code comes back', async () => {
  const child = start([
    await target(`
      let count = 0
      process.on('SIGINT', () => { count++; setTimeout(() => { console.log('got', count); process.exit(12) }, 400) })
      setInterval(() => {}, 1000); console.log('up')`),
  ])
  await printed(child, /up/)
  child.kill('SIGINT')
  await sleep(20)
  child.kill('SIGINT')
  expect(await child.ended).toMatchObject({ code: 12, stdout: 'up\ngot 1\n' })
})

test('a target that dies of a signal makes run.mjs die of it', async () => {
  const child = start([await target(`console.log('up'); setInterval(() => {}, 1000)`)])
  await printed(child, /up/)
  child.kill('SIGTERM')
  expect(await child.ended).toMatchObject({ code: null, signal: 'SIGTERM' })
})

test('killed with SIGKILL, it leaves no target behind', async () => {
  const child = start([await target(`console.log('pid', process.pid); setInterval(() => {}, 1000)`)])
  const pid = Number((await printed(child, /pid (\d+)/))[1])
  child.kill('SIGKILL')
  for (const end = Date.now() + 5000; isAlive(pid) && Date.now() < end; ) await sleep(50)
  expect(isAlive(pid)).toBe(false)
})

const skippedInstallScripts = '#!/bin/sh\nmkdir -p node_modules/node/bin\nexit 0\n'

test('where npm skipped install scripts, another Node 24 is taken', async () => {
  await writeFile(join(project, 'bin', 'npm'), skippedInstallScripts)
  expect(await start([await target('console.log("ran")')]).ended).toMatchObject({ code: 0, stdout: 'ran\n' })
})

// /usr/bin/node is older than 24 on the machines this was written on
const oldNode = '/usr/bin/node'
const oldMajor = Number.parseInt(
  spawnSync(oldNode, ['-p', 'process.versions.node'], { encoding: 'utf8' }).stdout ?? '',
  10,
)

test.skipIf(!(oldMajor < 24))('run by an old Node that finds no Node 24, it says what to do', async () => {
  await writeFile(join(project, 'bin', 'npm'), skippedInstallScripts)
  const args = [join(project, 'infra', 'run.mjs'), await target('console.log("ran")')]
  const { status, stdout, stderr } = spawnSync(oldNode, args, {
    encoding: 'utf8',
    env: { PATH: `${join(project, 'bin')}:/usr/bin:/bin` },
  })
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
  expect(stderr).toContain('motcua runs on Node 24 or later')
  expect(stderr).toContain('npm rebuild node --ignore-scripts=false')
})

test('the project’s Node is a link that works', async () => {
  await mkdir(join(project, 'node_modules', 'node', 'bin'), { recursive: true })
  await symlink(process.execPath, join(project, 'node_modules', 'node', 'bin', 'node'))
  const { stdout } = await start([await target('console.log(process.execArgv.join())')]).ended
  expect(stdout).toContain('--disable-warning=TimeoutNegativeWarning')
})
