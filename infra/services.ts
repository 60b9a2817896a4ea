// Promise: motcua's services as processes of their own, each ready before it counts as started, and started again after a
// while when one ends by itself (a service that meets something unknown crashes on purpose, with nothing committed).

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PROJECT } from './config.ts'
import { hostAndPort, reachable, requireFreePort } from './ports.ts'
import { type Child, describeExit, residentBytes, startChild } from './processes.ts'

export const SERVICES = ['ingest', 'intake', 'alerts', 'portal'] as const
export type ServiceName = (typeof SERVICES)[number]

export interface ServicesOptions {
  /** the environment of every service: where Kafka and ClickHouse are, and their ports */
  readonly env: NodeJS.ProcessEnv
  readonly host: string
  readonly ports: Readonly<Record<ServiceName, number>>
  readonly logs: string
  readonly log: (line: string) => void
  readonly names?: readonly ServiceName[]
}

export interface Services {
  readonly urls: Readonly<Record<ServiceName, string>>
  /** resident memory of each running service, in bytes */
  memory(): Promise<Partial<Record<ServiceName, number>>>
  pid(name: ServiceName): number | undefined
  stop(): Promise<void>
}

/** Bounded work needs a bounded heap; without it V8 puts off collecting until memory is gone. */
const HEAP_MIB_MAX = 256
/** What is new is small: no object is made for an event. */
const YOUNG_MIB_MAX = 8
const READY_LIMIT_MS = 60_000
const RESTART_MS_MIN = 1_000
const RESTART_MS_MAX = 30_000

export async function startServices(options: ServicesOptions): Promise<Services> {
  const names = options.names ?? SERVICES
  for (const name of names) await requireFreePort(`${name.toUpperCase()}_PORT`, options.host, options.ports[name])
  const urlOf = (name: ServiceName) => `http://${hostAndPort(reachable(options.host), options.ports[name])}`
  const running = new Map<ServiceName, Child>()
  let stopping = false

  async function start(name: ServiceName, failures = 0): Promise<void> {
    const started = Date.now()
    const child = await startChild({
      name,
      command: process.execPath,
      args: [
        '--disable-warning=TimeoutNegativeWarning',
        `--max-old-space-size=${HEAP_MIB_MAX}`,
        `--max-semi-space-size=${YOUNG_MIB_MAX}`,
        join(PROJECT, 'services', name, 'main.ts'),
      ],
      env: options.env,
      logFile: join(options.logs, `${name}.log`),
      stopWaitMs: 25_000,
    })
    running.set(name, child)
    await child.ready(
      async () => (await fetch(`${urlOf(name)}/health/ready`, { signal: AbortSignal.timeout(2_000) })).ok,
      { limitMs: READY_LIMIT_MS },
    )
    void child.exited.then(exit => {
      if (stopping) return
      const lasted = Date.now() - started
      void startAgain(name, describeExit(exit), lasted > 60_000 ? 0 : failures)
    })
  }

  async function startAgain(name: ServiceName, how: string, failures: number): Promise<void> {
    const wait_ms = Math.min(RESTART_MS_MAX, RESTART_MS_MIN * 2 ** failures)
    options.log(
      `${name} ended by itself (${how}); it starts again in ${Math.round(wait_ms / 1000)} s. Its log: ${join(options.logs, `${name}.previous.log`)}`,
    )
    await sleep(wait_ms)
    if (stopping) return
    try {
      await start(name, failures + 1)
      options.log(`${name} runs again`)
    } catch (error) {
      await startAgain(name, (error as Error).message, failures + 1)
    }
  }

  async function stop(): Promise<void> {
    stopping = true
    // Ingest last: what the others have sent is still taken.
    await Promise.all([...running].filter(([name]) => name !== 'ingest').map(([, child]) => child.stop()))
    await running.get('ingest')?.stop()
  }

  try {
    await Promise.all(names.map(name => start(name)))
  } catch (error) {
    await stop()
    throw error
  }
  return {
    urls: Object.fromEntries(SERVICES.map(name => [name, urlOf(name)])) as Record<ServiceName, string>,
    async memory() {
      const entries = [...running].map(async ([name, child]) => [name, await residentBytes(child.pid)] as const)
      return Object.fromEntries(await Promise.all(entries))
    },
    pid: name => running.get(name)?.pid,
    stop,
  }
}

/** The variables by which services find Kafka and ClickHouse. */
export function addressesOf(
  runtime: { readonly kafka: { readonly brokers: readonly string[] }; readonly clickhouse: { readonly url: string } },
  ports: Readonly<Record<ServiceName, number>>,
): NodeJS.ProcessEnv {
  return {
    KAFKA_BROKERS: runtime.kafka.brokers.join(','),
    CLICKHOUSE_URL: runtime.clickhouse.url,
    ...Object.fromEntries(SERVICES.map(name => [`${name.toUpperCase()}_PORT`, String(ports[name])])),
  }
}
