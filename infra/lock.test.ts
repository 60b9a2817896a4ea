import { fork, spawn } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isAlive, lock, lockHolder, tryLock } from './lock.mjs'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'motcua-lock-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const DEAD_PID = 2 ** 22 - 3

test('one holder at a time, and free again after release', async () => {
  const file = join(folder, 'a.lock')
  const first = tryLock(file)
  expect(first.ok).toBe(true)
  expect(tryLock(file)).toEqual({ ok: false, holder: process.pid })
  if (first.ok) first.release()
  expect(lockHolder(file)).toBeNull()
  const second = tryLock(file)
  expect(second.ok).toBe(true)
  if (second.ok) second.release()
  expect(await readdir(folder)).toEqual([])
})

test('the lock of a dead process is taken over', async () => {
  const file = join(folder, 'dead.lock')
  await writeFile(file, `${DEAD_PID}\n`)
  const release = await lock(file, { limitMs: 1000 })
  expect(lockHolder(file)).toBe(process.pid)
  release()
})

test('waiting has a limit, and names the holder and the file', async () => {
  const file = join(folder, 'held.lock')
  const release = await lock(file, { limitMs: 1000 })
  const waited: number[] = []
  await expect(lock(file, { limitMs: 300, onWait: pid => waited.push(pid) })).rejects.toThrow(file)
  expect(waited).toEqual([process.pid])
  release()
})

test('of several processes that meet a stale lock, one at a time has it', async () => {
  const file = join(folder, 'race.lock')
  const log = join(folder, 'race.log')
  await writeFile(file, `${DEAD_PID}\n`)
  const source = `
    import { appendFileSync } from 'node:fs'
    import { lock } from ${JSON.stringify(fileURLToPath(new URL('lock.mjs', import.meta.url)))}
    const release = await lock(${JSON.stringify(file)}, { limitMs: 20000 })
    appendFileSync(${JSON.stringify(log)}, 'in ')
    await new Promise(resolve => setTimeout(resolve, 30))
    appendFileSync(${JSON.stringify(log)}, 'out ')
    release()`
  const runner = join(folder, 'race.mjs')
  await writeFile(runner, source)
  await Promise.all(Array.from({ length: 5 }, () => new Promise(resolve => fork(runner).once('exit', resolve))))
  const { readFile } = await import('node:fs/promises')
  expect(await readFile(log, 'utf8')).toBe('in out '.repeat(5))
})

test.skipIf(process.platform !== 'linux')('a zombie is not alive', async () => {
  // a parent that never collects its child
  const parent = spawn('sh', ['-c', 'sh -c "echo \\$\\$" & exec sleep 30'], { stdio: ['ignore', 'pipe', 'ignore'] })
  const pid = await new Promise<number>(resolve => parent.stdout.once('data', data => resolve(Number(String(data)))))
  await expect.poll(() => isAlive(pid)).toBe(false)
  expect(() => process.kill(pid, 0)).not.toThrow()
  parent.kill()
})
