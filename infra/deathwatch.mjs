// Promise: a child started through here does not outlive its parent, however the parent dies (SIGKILL included).
//
// How: a small shell, in a session of its own, reads a pipe whose other end only the parent holds. A line says "the child
// has ended, go home". End of file without a line means the parent is gone: the shell sends SIGTERM to the child, waits,
// and then sends SIGKILL to the child's whole process group. Not covered: someone kills parent and watchdog together.
// Plain JavaScript for Node 18+, because infra/run.mjs needs it before anything is installed.

import { spawn } from 'node:child_process'

const SCRIPT = `
read -r _ && exit 0
kill -TERM "$1" 2>/dev/null || exit 0
left=$(( $2 * 5 ))
while [ "$left" -gt 0 ] && kill -0 "$1" 2>/dev/null; do sleep 0.2; left=$(( left - 1 )); done
kill -KILL "-$1" 2>/dev/null
exit 0
`

/** Watches over a child that leads its own process group (spawned with `detached: true`). */
export function watchOver(pid, graceSeconds = 15) {
  const shell = spawn('/bin/sh', ['-c', SCRIPT, 'motcua-deathwatch', String(pid), String(graceSeconds)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  shell.on('error', () => {})
  shell.stdin.on('error', () => {})
  shell.unref()
  shell.stdin.unref?.()
  return {
    pid: shell.pid,
    /** To be called once the child has ended: a process id that is free again must not be signalled. */
    dismiss() {
      if (!shell.stdin.destroyed) shell.stdin.end('done\n')
    },
  }
}
