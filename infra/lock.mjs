// Promise: at most one living process of this machine holds a given lock file; a lock whose holder has died is taken over.
//
// The file holds the holder's process id. It appears whole (written aside, then linked), so nobody ever reads half of it.
// Not covered: two machines on one network disk, and a dead holder whose process id another program has been given; the
// caller then waits until its limit and names the file. Plain JavaScript for Node 18+, see infra/run.mjs.

import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'

let counter = 0

/** A zombie is dead: in a container whose first process does not collect them, they stay for ever. */
export function isAlive(pid) {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return error.code === 'EPERM'
  }
  return !isZombie(pid)
}

function isZombie(pid) {
  try {
    // `pid (name) state …`, and a name may hold anything
    return /\) [ZX] [^)]*$/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}

/** The process id in the lock file, or null where there is no (readable) lock. */
export function lockHolder(file) {
  try {
    const pid = Number.parseInt(readFileSync(file, 'utf8'), 10)
    return Number.isInteger(pid) && pid > 0 ? pid : 0
  } catch {
    return null
  }
}

/** Takes the lock now, or says who holds it. */
export function tryLock(file) {
  const mine = `${file}.${process.pid}.${++counter}`
  writeFileSync(mine, `${process.pid}\n`)
  try {
    for (let attempt = 0; attempt < 20; attempt++) {
      try {
        linkSync(mine, file)
        return { ok: true, release: () => release(file) }
      } catch (error) {
        if (error.code !== 'EEXIST') throw error
      }
      const holder = lockHolder(file)
      if (holder === null) continue
      if (holder > 0 && isAlive(holder)) return { ok: false, holder }
      removeStale(file, holder)
    }
    return { ok: false, holder: lockHolder(file) ?? 0 }
  } finally {
    rmSync(mine, { force: true })
  }
}

/** Waits for the lock; `onWait` is called once, with the holder's process id, when it is not free at once. */
export async function lock(file, { limitMs, onWait = () => {} }) {
  const end = Date.now() + limitMs
  let told = false
  for (;;) {
    const result = tryLock(file)
    if (result.ok) return result.release
    if (!told) onWait(result.holder)
    told = true
    if (Date.now() > end)
      throw new Error(`process ${result.holder} has held ${file} for too long; if it is not ours, remove that file`)
    await new Promise(resolve => setTimeout(resolve, 200))
  }
}

function release(file) {
  if (lockHolder(file) === process.pid) rmSync(file, { force: true })
}

// Between reading the stale lock and moving it away another process may have put a fresh one in its place: look at
// what was moved, and put it back if it is alive.
function removeStale(file, holder) {
  const aside = `${file}.stale.${process.pid}.${++counter}`
  try {
    renameSync(file, aside)
  } catch {
    return
  }
  const moved = lockHolder(aside)
  if (moved !== holder && moved !== null && moved > 0 && isAlive(moved)) {
    try {
      linkSync(aside, file)
    } catch {
      // someone else holds it by now
    }
  }
  rmSync(aside, { force: true })
}
