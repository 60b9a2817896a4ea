/**
 * One process per data directory: the engine does not watch over that itself. A file names the owner; one whose owner is
 * gone (SIGKILL, power cut) is taken over.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'

export class DataDirInUse extends Error {
  override name = 'DataDirInUse'
}

export function lockDataDir(file: string): () => void {
  const owner = readOwner(file)
  if (owner !== undefined && owner !== process.pid && isServer(owner)) {
    throw new DataDirInUse(`the data directory is in use by process ${owner} (${file})`)
  }
  rmSync(file, { force: true })
  // Of two that start at once, one fails here.
  writeFileSync(file, `${process.pid}\n`, { flag: 'wx' })
  return () => {
    if (readOwner(file) === process.pid) rmSync(file, { force: true })
  }
}

function readOwner(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, 'utf8'))
    return Number.isInteger(pid) && pid > 0 ? pid : undefined
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Alive, and not another program that was given the same number since. */
function isServer(pid: number): boolean {
  try {
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).includes('clickhouse/main')
  } catch {
    return false
  }
}
