import { execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { endLeftover, runningPid } from './leftovers.ts'
import { isAlive } from './lock.mjs'
import { startChild } from './processes.ts'

const PROCESSES = fileURLToPath(new URL('processes.ts', import.meta.url))
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'motcua-leftovers-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Kills a parent and the watchdog of its child, so that nobody is left to end the child. */
async function abandon(pidFile: string, marker: string): Promise<number> {
  const source = `
    import { startChild } from ${JSON.stringify(PROCESSES)}
    const child = await startChild({ name: 'left', command: 'sh', args: ['-c', 'sleep 300; true', '${marker}'], pidFile: ${JSON.stringify(pidFile)} })
    console.log(child.pid)
    setInterval(() => {}, 1000)`
  const parent = spawn(process.execPath, ['--input-type=module-typescript', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const pid = await new Promise<number>(resolve => parent.stdout.once('data', data => resolve(Number(String(data)))))
  const rows = execFileSync('ps', ['-axo', 'pid=,args='], { encoding: 'utf8' }).split('\n')
  const watchdog = Number(
    rows
      .find(row => row.includes(`motcua-deathwatch ${pid} `))
      ?.trim()
      .split(' ')[0],
  )
  process.kill(watchdog, 'SIGKILL')
  parent.kill('SIGKILL')
  await new Promise(resolve => parent.once('exit', resolve))
  return pid
}

test('what nobody watches any more is ended, with a word about it', { timeout: 20_000 }, async () => {
  const pidFile = join(folder, 'left.json')
  const pid = await abandon(pidFile, 'marker-left')
  expect(isAlive(pid)).toBe(true)
  expect(await runningPid(pidFile, 'marker-left')).toBe(pid)
  const said: string[] = []
  await endLeftover('Kafka', pidFile, 'marker-left', line => said.push(line))
  expect(isAlive(pid)).toBe(false)
  expect(existsSync(pidFile)).toBe(false)
  expect(said).toEqual([`waiting for the Kafka of an earlier run to end (process ${pid}) …`])
})

test('a process of a run that lives is left alone', async () => {
  const pidFile = join(folder, 'alive.json')
  const child = await startChild({
    name: 'alive',
    command: 'sh',
    args: ['-c', 'sleep 300; true', 'marker-alive'],
    pidFile,
  })
  await endLeftover('Kafka', pidFile, 'marker-alive', () => {})
  expect(child.running()).toBe(true)
  await child.stop()
  expect(existsSync(pidFile)).toBe(false)
})

test('a process that only has the same number is left alone', async () => {
  const pidFile = join(folder, 'reused.json')
  await writeFile(pidFile, JSON.stringify({ pid: process.pid, parent: 2 ** 22 - 3 }))
  await endLeftover('Kafka', pidFile, 'marker-of-somebody-else', () => {})
  expect(existsSync(pidFile)).toBe(false)
})

test('a damaged pid file is no reason to stop', async () => {
  const pidFile = join(folder, 'damaged.json')
  await writeFile(pidFile, '{"pid":')
  await endLeftover('Kafka', pidFile, 'x', () => {})
  expect(await runningPid(pidFile, 'x')).toBeUndefined()
})
