/**
 * Ends this process when its event loop has stood still for ten seconds: a record over which it hangs would otherwise hold its
 * partitions without a word. A thread of its own watches, because the loop cannot.
 *
 * Only the thread's own turns count, so that a process that was stopped (SIGSTOP, a sleeping machine) is not taken for one that
 * hangs: then the thread stood still, too.
 */
import { Worker } from 'node:worker_threads'

const HANG_S_MAX = 10
const BEAT_MS = 500

const THREAD = `
const { workerData } = require('node:worker_threads')
const { writeSync } = require('node:fs')
const beats = new Int32Array(workerData.shared)
let [last, still] = [-1, 0]
for (;;) {
  Atomics.wait(beats, 1, 0, 1000)
  if (Atomics.load(beats, 1) !== 0) break
  const beat = Atomics.load(beats, 0)
  still = beat === last ? still + 1 : 0
  last = beat
  if (still >= workerData.seconds) {
    writeSync(2, JSON.stringify({ level: 60, service: workerData.service, msg: 'the event loop has stood still for ' + still + ' s; the process is ended' }) + '\\n')
    process.kill(process.pid, 'SIGKILL')
  }
}
`

/** Starts to watch; the function returned ends it. */
export function startWatchdog(service: string, seconds = HANG_S_MAX): () => void {
  const shared = new SharedArrayBuffer(8)
  const beats = new Int32Array(shared)
  const thread = new Worker(THREAD, {
    eval: true,
    workerData: { shared, seconds, service },
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
  })
  thread.unref()
  const beat = setInterval(() => Atomics.add(beats, 0, 1), BEAT_MS)
  beat.unref()
  return () => {
    clearInterval(beat)
    Atomics.store(beats, 1, 1)
    Atomics.notify(beats, 1)
  }
}
