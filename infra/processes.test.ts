import { execFileSync, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isAlive } from './lock.mjs'
import { type ChildExit, lastLinesOfFile, ProcessError, residentBytes, startChild } from './processes.ts'

const PROCESSES = fileURLToPath(new URL('processes.ts', import.meta.url))
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'motcua-processes-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const script = (name: string, source: string) => ({ name, command: process.execPath, args: ['-e', source] })

const watchdogs = (pid: number) =>
  execFileSync('ps', ['-axo', 'args='], { encoding: 'utf8' }).split(`motcua-deathwatch ${pid} `).length - 1

async function goneWithin(pid: number, limitMs: number): Promise<boolean> {
  for (const end = Date.now() + limitMs; Date.now() < end; await sleep(50)) if (!isAlive(pid)) return true
  return !isAlive(pid)
}

test('an end of its own is reported with its code, as not expected', async () => {
  const exits: ChildExit[] = []
  const child = await startChild({ ...script('three', 'process.exit(3)'), onExit: exit => exits.push(exit) })
  expect(await child.exited).toEqual({ name: 'three', code: 3, signal: null, expected: false })
  expect(exits).toHaveLength(1)
  expect(child.running()).toBe(false)
})

test('a command that does not exist is one error', async () => {
  await expect(startChild({ name: 'none', command: '/nowhere/at/all', args: [] })).rejects.toMatchObject({
    code: 'not_started',
    message: expect.stringContaining('none could not be started'),
  })
})

test('lines reach the callback and the log file, and the earlier log is kept', async () => {
  const logFile = join(folder, 'lines.log')
  for (const text of ['first', 'second']) {
    const lines: string[] = []
    const source = `console.log('${text}'); console.error('${text} error')`
    const child = await startChild({ ...script('lines', source), logFile, onLine: line => lines.push(line) })
    await child.exited
    await expect.poll(() => lines.toSorted()).toEqual([text, `${text} error`])
  }
  await expect.poll(() => readFile(logFile, 'utf8')).toContain('second error')
  expect(await readFile(join(folder, 'lines.previous.log'), 'utf8')).toContain('first')
})

test('ready() waits for the check', async () => {
  const child = await startChild(script('waits', 'setInterval(() => {}, 1000)'))
  let asked = 0
  await child.ready(async () => ++asked >= 3, { limitMs: 5000, everyMs: 10 })
  expect(asked).toBe(3)
  expect((await child.stop()).expected).toBe(true)
})

test('ready() of a child that ends says so, with its last lines', async () => {
  const logFile = join(folder, 'ends.log')
  const child = await startChild({ ...script('ends', 'console.error("no such disk"); process.exit(7)'), logFile })
  const error = await child.ready(async () => false, { limitMs: 5000 }).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(ProcessError)
  expect(error).toMatchObject({ code: 'ended_before_ready' })
  expect((error as Error).message).toContain('exit code 7')
  expect((error as Error).message).toContain('| no such disk')
})

test('ready() has a limit, and the child is stopped', async () => {
  const child = await startChild(script('slow', 'setInterval(() => {}, 1000)'))
  await expect(child.ready(async () => false, { limitMs: 100 })).rejects.toMatchObject({ code: 'not_ready_in_time' })
  expect(child.running()).toBe(false)
})

test('stop() sends SIGTERM first, and SIGKILL to one that does not listen', async () => {
  const polite = await startChild(
    script('polite', 'process.on("SIGTERM", () => process.exit(0)); setInterval(() => {}, 1000); console.log("up")'),
  )
  await polite.ready(async () => (await polite.lastLines()).includes('up'), { limitMs: 5000 })
  expect(await polite.stop()).toMatchObject({ code: 0, signal: null, expected: true })

  const deaf = await startChild({
    ...script('deaf', 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log("up")'),
    stopWaitMs: 300,
  })
  await deaf.ready(async () => (await deaf.lastLines()).includes('up'), { limitMs: 5000 })
  expect(await deaf.stop()).toMatchObject({ code: null, signal: 'SIGKILL', expected: true })
  expect(await deaf.stop()).toMatchObject({ signal: 'SIGKILL' })
})

test('what a child has started itself does not stay behind', async () => {
  const child = await startChild({
    name: 'family',
    command: '/bin/sh',
    args: ['-c', 'sleep 300 & echo $!; wait'],
  })
  await child.ready(async () => /\d/.test(await child.lastLines()), { limitMs: 5000 })
  const grandchild = Number(await child.lastLines())
  expect(isAlive(grandchild)).toBe(true)
  await child.stop()
  expect(await goneWithin(grandchild, 3000)).toBe(true)
})

test('a child ends when its parent is killed with SIGKILL, and so does the watchdog', async () => {
  const source = `
    import { startChild } from ${JSON.stringify(PROCESSES)}
    const child = await startChild({ name: 'orphan', command: 'sleep', args: ['300'] })
    console.log(child.pid)
    setInterval(() => {}, 1000)`
  const parent = spawn(process.execPath, ['--input-type=module-typescript', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const pid = await new Promise<number>(resolve => parent.stdout.once('data', data => resolve(Number(String(data)))))
  expect(isAlive(pid)).toBe(true)
  expect(watchdogs(pid)).toBe(1)
  parent.kill('SIGKILL')
  expect(await goneWithin(pid, 5000)).toBe(true)
  await expect.poll(() => watchdogs(pid), { timeout: 5000 }).toBe(0)
})

test('the watchdog goes home when its child has ended', async () => {
  const child = await startChild(script('short', 'setTimeout(() => {}, 300)'))
  expect(watchdogs(child.pid)).toBe(1)
  await child.exited
  await expect.poll(() => watchdogs(child.pid), { timeout: 5000 }).toBe(0)
})

test('memory of a process counts its children', async () => {
  const own = await residentBytes(process.pid)
  expect(own).toBeGreaterThan(10_000_000)
  const child = await startChild(
    script('memory', 'const held = Buffer.alloc(80e6, 1); console.log("up"); setInterval(() => held, 1000)'),
  )
  await child.ready(async () => (await child.lastLines()).includes('up'), { limitMs: 5000 })
  expect(await residentBytes(child.pid)).toBeGreaterThan(80_000_000)
  expect(await residentBytes(process.pid)).toBeGreaterThan(own + 70_000_000)
  await child.stop()
  expect(await residentBytes(child.pid)).toBe(0)
})

test('the last lines of a file that is not there are none', async () => {
  expect(await lastLinesOfFile(join(folder, 'nothing'), 5)).toBe('')
})
