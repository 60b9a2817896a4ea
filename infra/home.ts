// Promise: at most one run has a home at a time; a home whose run was killed is free again.
// On failure: HomeInUseError, which names the process.

import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { homeFolders } from './config.ts'
import { isAlive, lockHolder, tryLock } from './lock.mjs'

export class HomeInUseError extends Error {
  readonly code = 'home_in_use'
  readonly pid: number
  constructor(home: string, pid: number) {
    super(`motcua runs already with ${home} (process ${pid}). Stop it first, or set MOTCUA_HOME to another folder.`)
    this.name = 'HomeInUseError'
    this.pid = pid
  }
}

/** Takes the home; the function given back lets it go. */
export function claimHome(home: string): () => void {
  const { startLock } = homeFolders(home)
  mkdirSync(dirname(startLock), { recursive: true })
  const result = tryLock(startLock)
  if (!result.ok) throw new HomeInUseError(home, result.holder)
  return result.release
}

/** The process that has the home, or undefined. */
export function homeOwner(home: string): number | undefined {
  const holder = lockHolder(homeFolders(home).startLock)
  return holder !== null && holder > 0 && isAlive(holder) ? holder : undefined
}
