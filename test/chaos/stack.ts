/**
 * What the fault tests run on: a broker, a ClickHouse and ingest processes of their own, each killable and startable again, with
 * a proxy before the broker and one before ClickHouse for ingest alone. The harness itself goes past the proxies.
 */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { ClickHouseClient } from '@clickhouse/client'
import { type Admin, Kafka, logLevel, type Producer } from 'kafkajs'
import { type ClickHouseConfig, createClickHouse } from '../../common/clickhouse.ts'
import { createProducer, ensureTopics } from '../../common/kafka.ts'
import { startLocalKafka } from '../../infra/local/kafka/kafka.ts'
import { freePort } from '../../infra/ports.ts'
import { type Child, type ChildExit, startChild } from '../../infra/processes.ts'
import { ingestConfig, timeLimits } from '../../services/ingest/config.ts'
import { type Control, createControl } from './control.ts'
import { copyProject } from './project.ts'
import { createProxy, type FaultyProxy } from './proxy.ts'

const HOST = '127.0.0.1'
const PROJECT = fileURLToPath(new URL('../..', import.meta.url))
/** As in production: the shortest that a broker takes, and what ingest waits for an answer of ClickHouse. */
export const { session_ms: SESSION_MS, request_ms_max: REQUEST_MS_MAX } = timeLimits(
  ingestConfig.pick({ INGEST_SESSION_MS: true, INGEST_DRAIN_MS: true }).parse({}),
)

/** A process that can be killed and started again on what it left behind. */
export interface Part {
  readonly port: number
  readonly running: boolean
  start(): Promise<void>
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<ChildExit>
  stop(): Promise<void>
}

export interface Stack {
  readonly home: string
  /** The copy of the sources that ingest runs from. */
  readonly sources: string
  readonly broker: Part
  /** The ClickHouse in use; the disk-full cells bring their own. */
  readonly engine: Part
  readonly kafkaProxy: FaultyProxy
  readonly clickhouseProxy: FaultyProxy
  readonly control: Control
  readonly kafka: Kafka
  readonly producer: Producer
  readonly admin: Admin
  readonly clickhouse: ClickHouseClient
  /** SIGKILLs so far. */
  kills: number
  /** An ingest process under that name; it is started again whenever it ends by itself or is killed. */
  member(name: string, holds?: Record<string, number>, project?: string): Promise<Member>
  /** `npm run rebuild` in a process, in small slices. */
  rebuild(): Promise<Job>
  /** Puts ingest and harness on a ClickHouse whose data are in that folder, until the function returned is called. */
  useEngineIn(folder: string): Promise<() => Promise<void>>
  close(): Promise<void>
}

export async function startStack(home: string): Promise<Stack> {
  await mkdir(home, { recursive: true })
  const closing: (() => unknown)[] = []
  const close = async () => {
    for (const step of closing.reverse()) await step()
  }
  try {
    const sources = await copyProject(join(home, 'sources'))
    const { prepareDatabase } = (await import(
      pathToFileURL(join(sources, 'pipelines/prepare.ts')).href
    )) as typeof import('../../pipelines/prepare.ts')
    const control = await createControl()
    closing.push(() => control.close())
    const kafkaProxy = await createProxy(await freePort(HOST))
    closing.push(() => kafkaProxy.close())
    const counted = { kills: 0 }
    const broker = brokerPart(home, await freePort(HOST), kafkaProxy, counted)
    const first = enginePart(
      join(home, 'clickhouse'),
      await freePort(HOST),
      join(home, 'logs', 'clickhouse.log'),
      counted,
    )
    closing.push(() => broker.stop())
    closing.push(() => first.stop())
    await Promise.all([broker.start(), first.start()])
    const clickhouseProxy = await createProxy(first.port)
    closing.push(() => clickhouseProxy.close())

    const kafka = new Kafka({
      clientId: 'chaos',
      brokers: [`${HOST}:${broker.port}`],
      logLevel: logLevel.NOTHING,
      // A broker that is killed comes back: a send is over when it is acknowledged, however long that takes.
      retry: { retries: 60, initialRetryTime: 100, maxRetryTime: 1_000 },
    })
    await Promise.all([ensureTopics(kafka), prepareDatabase(urlOf(first.port))])
    const producer = createProducer(kafka)
    const admin = kafka.admin()
    await Promise.all([producer.connect(), admin.connect()])
    await coordinatorIsThere(admin)
    closing.push(() => Promise.allSettled([producer.disconnect(), admin.disconnect()]))

    const stack = {
      home,
      sources,
      broker,
      engine: first,
      kafkaProxy,
      clickhouseProxy,
      control,
      kafka,
      producer,
      admin,
      clickhouse: createClickHouse(urlOf(first.port), 'default'),
      get kills() {
        return counted.kills
      },
      member: (name: string, holds = {}, project = sources) =>
        startMember({ name, holds, project, home, control, kafkaProxy, clickhouseProxy, counted }),
      rebuild: () =>
        startJob('rebuild', join(sources, 'pipelines/rebuild/main.ts'), ['--slice-events', '500'], {
          kill: () => counted.kills++,
          env: urlOf(stack.engine.port),
          logFile: join(home, 'logs', 'rebuild.log'),
        }),
      async useEngineIn(folder: string) {
        const [engine, clickhouse] = [stack.engine, stack.clickhouse]
        const other = enginePart(folder, await freePort(HOST), join(home, 'logs', 'clickhouse-other.log'), counted)
        await other.start()
        await prepareDatabase(urlOf(other.port))
        Object.assign(stack, { engine: other, clickhouse: createClickHouse(urlOf(other.port), 'default') })
        clickhouseProxy.target = other.port
        return async () => {
          await stack.clickhouse.close()
          Object.assign(stack, { engine, clickhouse })
          clickhouseProxy.target = engine.port
          await other.stop()
        }
      },
      close,
    }
    closing.push(() => stack.clickhouse.close())
    return stack
  } catch (error) {
    await close()
    throw error
  }
}

/** The first question about any group makes the broker create its topic of offsets. */
async function coordinatorIsThere(admin: Admin): Promise<void> {
  for (let left = 100; ; left--) {
    try {
      await admin.fetchOffsets({ groupId: 'motcua-ingest', topics: ['dossier-events'] })
      return
    } catch (error) {
      if (left === 0) throw error
      await sleep(100)
    }
  }
}

const urlOf = (port: number): ClickHouseConfig => ({ CLICKHOUSE_URL: `http://${HOST}:${port}` })

/** The environment of a child: nothing of a Kafka or a ClickHouse that this machine may name. */
const cleanEnv = () =>
  Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(KAFKA|CLICKHOUSE|MOTCUA|INGEST|SCHEMA_REGISTRY|VITEST)_/.test(name),
    ),
  )

function part(port: number, counted: { kills: number }, start: () => Promise<Child>): Part {
  let child: Child | undefined
  return {
    port,
    get running() {
      return child?.running() ?? false
    },
    async start() {
      if (child?.running() !== true) child = await start()
    },
    async kill() {
      if (child?.running() !== true) throw new Error('there is nothing to kill')
      process.kill(child.pid, 'SIGKILL')
      counted.kills++
      return child.exited
    },
    async stop() {
      await child?.stop()
    },
  }
}

function brokerPart(home: string, port: number, proxy: FaultyProxy, counted: { kills: number }): Part {
  return part(port, counted, async () => {
    const local = await startLocalKafka({
      host: HOST,
      port,
      dataDir: join(home, 'kafka'),
      logFile: join(home, 'logs', 'kafka.log'),
      env: cleanEnv(),
      log: () => undefined,
      heapMegabytes: 256,
      proxied: { port: proxy.target, advertisedPort: proxy.port },
    })
    return local.child
  })
}

function enginePart(folder: string, port: number, logFile: string, counted: { kills: number }): Part {
  return part(port, counted, async () => {
    const child = await startChild({
      name: 'ClickHouse',
      command: process.execPath,
      args: [
        join(PROJECT, 'infra/local/clickhouse/main.ts'),
        ...['--data', folder, '--host', HOST, '--port', String(port)],
      ],
      env: cleanEnv(),
      logFile,
      stopWaitMs: 15_000,
    })
    const pings = async () => (await fetch(`http://${HOST}:${port}/ping`, { signal: AbortSignal.timeout(2_000) })).ok
    await child.ready(pings, { limitMs: 60_000, everyMs: 50 })
    return child
  })
}

// --- ingest ---------------------------------------------------------------------------------------------------------

/** What a process says, line by line. */
interface Log {
  readonly lines: string[]
  /** Resolves when a line from the given one on satisfies. */
  logged(pattern: RegExp, limit_ms: number, from?: number): Promise<string>
}

function createLog(name: string): Log {
  const lines: string[] = []
  return {
    lines,
    async logged(pattern, limit_ms, from = 0) {
      const end = Date.now() + limit_ms
      for (let at = from; ; ) {
        for (; at < lines.length; at++) if (pattern.test(lines[at] as string)) return lines[at] as string
        if (Date.now() > end) throw new Error(`${name} did not log ${pattern} within ${limit_ms} ms`)
        await sleep(20)
      }
    },
  }
}

/** A command of the project that comes to its end by itself. */
export interface Job extends Log {
  readonly exited: Promise<ChildExit>
  running(): boolean
  /** SIGKILL. */
  kill(): Promise<ChildExit>
}

async function startJob(
  name: string,
  script: string,
  args: readonly string[],
  { kill, env, logFile }: { kill: () => void; env: object; logFile: string },
): Promise<Job> {
  const log = createLog(name)
  const child = await startChild({
    name,
    command: process.execPath,
    args: [script, ...args],
    env: { ...cleanEnv(), ...env },
    logFile,
    onLine: line => log.lines.push(line),
  })
  return {
    ...log,
    exited: child.exited,
    running: () => child.running(),
    kill() {
      process.kill(child.pid, 'SIGKILL')
      kill()
      return child.exited
    },
  }
}

/** A member of the group got partitions of the events. */
export const ASSIGNED = /"topic":"dossier-events","partitions":\[\d.*"msg":"assigned"/
export const ASSIGNED_MS_MAX = 30_000

export interface Member extends Log {
  readonly name: string
  readonly port: number
  readonly exits: ChildExit[]
  running(): boolean
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void
  /** Whether the operating system says that it is stopped. */
  stopped(): boolean
  /** SIGKILL; it is started again. */
  kill(): Promise<ChildExit>
  held(point: string): Promise<void>
  go(point: string): void
  /** SIGTERM; it is not started again. */
  stop(): Promise<void>
}

const RESTART_MS = 300
const RESTARTS_MAX = 60
const MOMENT_MS_MAX = 25_000

interface MemberOptions {
  name: string
  holds: Record<string, number>
  project: string
  home: string
  control: Control
  kafkaProxy: FaultyProxy
  clickhouseProxy: FaultyProxy
  counted: { kills: number }
}

async function startMember(options: MemberOptions): Promise<Member> {
  const { name, control } = options
  const port = await freePort(HOST)
  const log = createLog(name)
  const exits: ChildExit[] = []
  let child: Child
  let stopping = false
  let id = 0
  let restart: Promise<void> | undefined

  async function start(holds: Record<string, number>) {
    child = await startChild({
      name,
      command: process.execPath,
      args: [
        '--disable-warning=TimeoutNegativeWarning',
        '--import',
        new URL('hook.ts', import.meta.url).href,
        join(options.project, 'services/ingest/main.ts'),
      ],
      env: {
        ...cleanEnv(),
        KAFKA_BROKERS: `${HOST}:${options.kafkaProxy.port}`,
        CLICKHOUSE_URL: `http://${HOST}:${options.clickhouseProxy.port}`,
        INGEST_PORT: String(port),
        INGEST_BATCH_WAIT_MS_MAX: '50',
        CHAOS_CONTROL_PORT: String(control.port),
        CHAOS_MEMBER: name,
        CHAOS_HOLDS: JSON.stringify(holds),
      },
      logFile: join(options.home, 'logs', `${name}-${randomBytes(3).toString('hex')}-${++id}.log`),
      onLine: line => log.lines.push(line),
      stopWaitMs: 10_000,
    })
    void child.exited.then(exit => {
      exits.push(exit)
      if (!stopping && exits.length <= RESTARTS_MAX) restart = startAgain()
    })
  }

  async function startAgain() {
    await sleep(RESTART_MS)
    if (!stopping) await start({})
  }

  await start(options.holds)
  return {
    name,
    port,
    ...log,
    exits,
    running: () => child.running(),
    signal: signal => process.kill(child.pid, signal),
    stopped: () => execFileSync('ps', ['-o', 'stat=', '-p', String(child.pid)], { encoding: 'utf8' }).startsWith('T'),
    kill() {
      process.kill(child.pid, 'SIGKILL')
      options.counted.kills++
      return child.exited
    },
    held: point => control.held(name, point, MOMENT_MS_MAX),
    go: point => control.go(name, point),
    async stop() {
      stopping = true
      // A process that is just being started again is to be stopped, too.
      await restart
      if (child.running()) process.kill(child.pid, 'SIGCONT')
      await child.stop()
    },
  }
}

/** A folder for a stack; the function removes it. */
export async function temporaryHome(root: string): Promise<{ home: string; remove: () => Promise<void> }> {
  const home = join(root, `motcua-chaos-${randomBytes(4).toString('hex')}`)
  await mkdir(home, { recursive: true })
  await writeFile(join(home, 'README'), 'Made by npm run chaos; may be removed.\n')
  return { home, remove: () => rm(home, { recursive: true, force: true }) }
}
