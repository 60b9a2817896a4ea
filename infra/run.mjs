// node infra/run.mjs TARGET args…: the very first script of every npm script. Plain JavaScript, Node 18+, no packages.
//
// Promise: on a fresh clone it installs what is missing, once, also when two commands start together; then it runs TARGET
// under the project's own Node 24, with the same stdin, stdout and stderr. A Ctrl-C or another signal reaches TARGET once,
// its exit code or signal comes back, and TARGET does not outlive this process, not even when that is killed with SIGKILL.
// On failure: one message on stderr that says what to do, and exit code 1.

import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { watchOver } from './deathwatch.mjs'
import { lock } from './lock.mjs'

const NODE_MAJOR_HERE_MIN = 18
const NODE_MAJOR_MIN = 24
const INSTALL_WAIT_MS = 15 * 60_000
const STOP_WAIT_SECONDS = 60
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']

const project = fileURLToPath(new URL('..', import.meta.url))
const modules = join(project, 'node_modules')
const stampFile = join(modules, '.motcua-stamp')

class Failure extends Error {}

async function main() {
  const [target, ...args] = process.argv.slice(2)
  if (Number.parseInt(process.versions.node, 10) < NODE_MAJOR_HERE_MIN)
    throw new Failure(
      `Node ${process.versions.node} is too old: install Node ${NODE_MAJOR_HERE_MIN} or later (https://nodejs.org)`,
    )
  if (target === undefined) throw new Failure('usage: node infra/run.mjs TARGET args…')
  await installWhereNeeded()
  const node = projectNode()
  // kafkajs sets timers in the past, and Node 24 warns about each (kafkajs#1751)
  const result = await run(node, ['--disable-warning=TimeoutNegativeWarning', target, ...args], { stdio: 'inherit' })
  endLike(result)
}

// --- install --------------------------------------------------------------------------------------------------------

async function installWhereNeeded() {
  if (isInstalled()) return
  mkdirSync(modules, { recursive: true })
  const release = await lock(join(modules, '.motcua-install.lock'), {
    limitMs: INSTALL_WAIT_MS,
    onWait: pid => say(`another command (process ${pid}) is installing the npm packages; waiting for it …`),
  })
  try {
    if (!isInstalled()) await install()
  } finally {
    release()
  }
}

/** The stamp is written after a whole installation only, and says for which package files. */
function isInstalled() {
  try {
    return readFileSync(stampFile, 'utf8') === fingerprint() && missingPackages().length === 0
  } catch {
    return false
  }
}

function fingerprint() {
  const hash = createHash('sha256')
  for (const name of ['package.json', 'package-lock.json']) {
    const file = join(project, name)
    hash.update(`${name}\n`).update(existsSync(file) ? readFileSync(file) : '')
  }
  return `${hash.digest('hex')}\n`
}

function missingPackages() {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'))
  return Object.keys({ ...dependencies, ...devDependencies }).filter(
    name => !existsSync(join(modules, name, 'package.json')),
  )
}

// Never `npm ci`: a lock file holds only the platforms its registry had. --include=dev: Node 24 itself is one of them.
async function install() {
  const first = !existsSync(join(modules, '.package-lock.json'))
  say(
    first
      ? 'installing the npm packages (the first time this takes a minute or two) …'
      : 'bringing the npm packages up to date …',
  )
  rmSync(stampFile, { force: true })
  const started = Date.now()
  const [command, ...before] = npmCommand()
  const args = [...before, 'install', '--no-audit', '--no-fund', '--include=dev']
  // stdout stays TARGET's own
  const result = await run(command, args, { cwd: project, stdio: ['ignore', 2, 2] })
  if (result.signal !== null) return endLike(result)
  const missing = result.code === 0 ? missingPackages() : []
  if (result.code !== 0 || missing.length > 0) {
    const what = result.code === 0 ? `left out ${missing.join(', ')}` : `ended with exit code ${result.code}`
    throw new Failure(
      [
        `npm install ${what}. Its own messages stand above. What to try:`,
        '  - is the npm registry reachable?  npm ping',
        '  - is there room?                  df -h .',
        '  - begin anew:                     rm -rf node_modules && npm install --no-audit --no-fund',
      ].join('\n'),
    )
  }
  writeFileSync(stampFile, fingerprint())
  say(`the npm packages are there (${Math.round((Date.now() - started) / 1000)} s)`)
}

/** The npm that started us, else the one on PATH. */
function npmCommand() {
  const script = process.env.npm_execpath ?? ''
  return /npm-cli\.c?js$/.test(script) && existsSync(script) ? [process.execPath, script] : ['npm']
}

// --- Node -----------------------------------------------------------------------------------------------------------

function projectNode() {
  const own = join(modules, 'node', 'bin', 'node')
  const candidates = [
    own,
    process.execPath,
    ...(process.env.PATH ?? '').split(delimiter).map(folder => join(folder, 'node')),
  ]
  const found = candidates.find(candidate => existsSync(candidate) && majorOf(candidate) >= NODE_MAJOR_MIN)
  if (found !== undefined) return found
  throw new Failure(
    [
      `motcua runs on Node ${NODE_MAJOR_MIN} or later, and there is none:`,
      `  - ${own} is missing or does not run (npm was told to skip install scripts?)`,
      `  - this is Node ${process.versions.node}, and PATH has no later one`,
      'What to try:',
      '  - npm rebuild node --ignore-scripts=false',
      `  - or install Node ${NODE_MAJOR_MIN} (https://nodejs.org) and put it on PATH`,
    ].join('\n'),
  )
}

function majorOf(node) {
  if (node === process.execPath) return Number.parseInt(process.versions.node, 10)
  const { status, stdout } = spawnSync(node, ['--version'], { encoding: 'utf8', timeout: 10_000 })
  return status === 0 ? Number.parseInt(stdout.replace('v', ''), 10) : 0
}

// --- run ------------------------------------------------------------------------------------------------------------

/**
 * The child leads a session of its own. A Ctrl-C would otherwise reach it up to three times: from the terminal, from npm,
 * and from us. So it reaches only us, and we pass it on once.
 */
function run(command, args, { cwd, stdio }) {
  const path = [join(modules, 'node', 'bin'), join(modules, '.bin'), process.env.PATH ?? ''].join(delimiter)
  const child = spawn(command, args, { cwd, stdio, detached: true, env: { ...process.env, PATH: path } })
  return new Promise((resolve, reject) => {
    let cleanUp = () => {}
    child.once('spawn', () => {
      const watchdog = watchOver(child.pid, STOP_WAIT_SECONDS)
      const stopForwarding = forwardSignals(child)
      const stopWatching = watchNpm(child)
      cleanUp = () => {
        watchdog.dismiss()
        stopForwarding()
        stopWatching()
      }
    })
    child.once('error', error => reject(new Failure(`${command} could not be started: ${error.message}`)))
    child.once('exit', (code, signal) => {
      cleanUp()
      resolve({ code, signal })
    })
  })
}

function forwardSignals(child) {
  const last = new Map()
  const forward = signal => {
    // The terminal and npm both send us the same Ctrl-C; a second one by hand comes later than this.
    const now = Date.now()
    if (now - (last.get(signal) ?? 0) < 300) return
    last.set(signal, now)
    child.kill(signal)
  }
  for (const signal of SIGNALS) process.on(signal, forward)
  return () => {
    for (const signal of SIGNALS) process.off(signal, forward)
  }
}

/** Where npm started us and is killed itself, nobody would ever stop TARGET. */
function watchNpm(child) {
  if (process.env.npm_lifecycle_event === undefined) return () => {}
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    child.kill('SIGTERM')
  }, 1000)
  return () => clearInterval(timer)
}

function endLike({ code, signal }) {
  if (signal === null) process.exit(code ?? 1)
  process.kill(process.pid, signal)
  // until the signal arrives, or where it is ignored
  setTimeout(() => process.exit(1), 1000)
  return new Promise(() => {})
}

function say(text) {
  process.stderr.write(`motcua: ${text}\n`)
}

main().catch(error => {
  say(error instanceof Failure ? error.message : (error.stack ?? String(error)))
  process.exit(1)
})
