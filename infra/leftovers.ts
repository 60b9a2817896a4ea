// Promise: what a killed run of the same home has left running is gone before the next one starts.
//
// A killed run leaves its children to their watchdogs, which give them some seconds; starting again at once would find the
// ports in use. So: wait for such a process, and end it where its watchdog was killed too. A process whose parent lives
// belongs to another run and is left alone.

import { spawnSync } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { isAlive } from './lock.mjs'

const WATCHDOG_HEAD_START_MS = 2000
const WAIT_MS = 20_000

/** `marker` is a text that only this child has among its arguments: its data folder. Process ids are reused. */
export async function endLeftover(
  name: string,
  pidFile: string,
  marker: string,
  log: (line: string) => void,
): Promise<void> {
  const written = parse(await readFile(pidFile, 'utf8').catch(() => ''))
  if (written === undefined || isAlive(written.parent)) return
  const { pid } = written
  if (isOurs(pid, marker)) {
    log(`waiting for the ${name} of an earlier run to end (process ${pid}) …`)
    if (!(await gone(pid, marker, WATCHDOG_HEAD_START_MS))) kill(pid, 'SIGTERM')
    if (!(await gone(pid, marker, WAIT_MS))) kill(-pid, 'SIGKILL')
  }
  await rm(pidFile, { force: true })
}

/** The process id in a pid file, when that process still runs. */
export async function runningPid(pidFile: string, marker: string): Promise<number | undefined> {
  const written = parse(await readFile(pidFile, 'utf8').catch(() => ''))
  return written !== undefined && isOurs(written.pid, marker) ? written.pid : undefined
}

function parse(text: string): { pid: number; parent: number } | undefined {
  const match = /"pid":(\d+),"parent":(\d+)/.exec(text)
  return match === null ? undefined : { pid: Number(match[1]), parent: Number(match[2]) }
}

async function gone(pid: number, marker: string, limitMs: number): Promise<boolean> {
  for (const end = Date.now() + limitMs; Date.now() < end; await sleep(200)) if (!isOurs(pid, marker)) return true
  return !isOurs(pid, marker)
}

function isOurs(pid: number, marker: string): boolean {
  if (!isAlive(pid)) return false
  const { stdout } = spawnSync('ps', ['-ww', '-o', 'args=', '-p', String(pid)], { encoding: 'utf8' })
  return (stdout ?? '').includes(marker)
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // gone meanwhile
  }
}
