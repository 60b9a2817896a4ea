import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { claimHome, HomeInUseError, homeOwner } from './home.ts'

let home: string
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'motcua-home-'))
})
afterAll(() => rm(home, { recursive: true, force: true }))

test('one run at a time has a home', () => {
  expect(homeOwner(home)).toBeUndefined()
  const release = claimHome(home)
  expect(homeOwner(home)).toBe(process.pid)
  expect(() => claimHome(home)).toThrow(HomeInUseError)
  release()
  claimHome(home)()
})

test('a run that was killed does not keep its home', async () => {
  await mkdir(join(home, 'run'), { recursive: true })
  await writeFile(join(home, 'run', 'start.lock'), `${2 ** 22 - 3}\n`)
  expect(homeOwner(home)).toBeUndefined()
  claimHome(home)()
})
