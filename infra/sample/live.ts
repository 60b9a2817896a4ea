/**
 * The live sample stream, a process of its own: about one event a second into Kafka, until SIGTERM, or until
 * `npm run sample -- remove`. It keeps no state: what was received and not settled when it ends stays pending.
 * On failure: the Kafka client tries again for a while; then the process ends with code 1.
 */
import { mkdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Connections, readEnvironment, withConnections } from '../../common/environment.ts'
import { createLog, type Log } from '../../common/log.ts'
import { tryLock } from '../lock.mjs'
import { createLiveStream } from './live-stream.ts'
import { openEventProducer } from './produce.ts'
import { createRandom } from './random.ts'
import { liveLock, readState } from './state.ts'

const PAUSE_MS = [600, 1_400] as const

export async function streamLive(
  deps: Pick<Connections, 'kafka' | 'registry'> & { home: string; log: Log },
  stop: AbortSignal,
): Promise<number> {
  const random = createRandom(`live ${Date.now()} ${process.pid}`)
  const stream = createLiveStream(random, Date.now())
  const producer = await openEventProducer(deps.kafka, deps.registry)
  let events = 0
  try {
    for (; !stop.aborted && !readState(deps.home).removed; events++) {
      await producer.send([stream.next(Date.now())])
      await sleep(random.between(...PAUSE_MS), undefined, { signal: stop }).catch(() => {})
    }
  } finally {
    await producer.close()
  }
  return events
}

async function main(): Promise<void> {
  const log = createLog('sample-live')
  const { config, home } = readEnvironment()
  mkdirSync(home, { recursive: true })
  const lock = tryLock(liveLock(home))
  if (!lock.ok) {
    log.info(`process ${lock.holder} streams already`)
    return
  }
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort())
  try {
    const events = await withConnections(
      config,
      connections => streamLive({ ...connections, home, log }, stop.signal),
      log,
    )
    log.info(`${events} events sent; ${stop.signal.aborted ? 'asked to stop' : 'the samples were removed'}`)
  } finally {
    lock.release()
  }
}

if (import.meta.main)
  await main().catch(error => {
    createLog('sample-live').fatal({ err: error }, 'the live sample stream ends')
    process.exitCode = 1
  })
