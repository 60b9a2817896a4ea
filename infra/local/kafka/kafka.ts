// Promise: one Apache Kafka broker (KRaft, broker and controller in one Java process) on host:port, with its data in one
// folder. A second start on the same folder goes on with what is there, also after SIGKILL. It ends with this process.
//
// Not promised: more than one node, TLS, sign-in. For those, set KAFKA_BROKERS.
// On failure: LocalKafkaError (what is missing), PortInUseError (names the variable), ProcessError (with the log's end).

import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { answers, freePort, hostAndPort, reachable, requireFreePort } from '../../ports.ts'
import { type Child, type ChildExit, startChild } from '../../processes.ts'
import { registeredPorts } from '../../reach.ts'
import { findJava, JAVA_MAJOR_MIN, type Java } from '../java.ts'
import { type KafkaJars, kafkaJars, LocalKafkaError } from './jars.ts'

export { LocalKafkaError } from './jars.ts'

export interface LocalKafkaOptions {
  readonly host: string
  readonly port: number
  /** the broker's data folder; made where it is missing */
  readonly dataDir: string
  readonly logFile: string
  readonly pidFile?: string
  readonly env: NodeJS.ProcessEnv
  readonly log: (line: string) => void
  readonly onExit?: (exit: ChildExit) => void
  /** the variable an error about the port names; default KAFKA_PORT */
  readonly portVariable?: string
  readonly heapMegabytes?: number
  /** A second listener whose clients are told another port: for a proxy in between (test/chaos). */
  readonly proxied?: { readonly port: number; readonly advertisedPort: number }
}

export interface LocalKafka {
  readonly brokers: readonly string[]
  readonly pid: number
  readonly child: Child
  stop(): Promise<ChildExit>
}

const READY_LIMIT_MS = 60_000
const STOP_WAIT_MS = 20_000
const HEAP_MEGABYTES = 384

export async function startLocalKafka(options: LocalKafkaOptions): Promise<LocalKafka> {
  if (options.dataDir.includes(','))
    throw new LocalKafkaError('bad_folder', `Kafka cannot keep data in ${options.dataDir}: a comma divides folders`)
  await requireFreePort(options.portVariable ?? 'KAFKA_PORT', options.host, options.port)
  const java = await requireJava(options.env)
  const jars = await kafkaJars({ java, env: options.env, log: options.log })
  await formatData(options.dataDir, jars)
  const properties = join(options.dataDir, 'server.properties')
  await writeFile(properties, serverProperties(options, await freePort()))
  const child = await startChild({
    name: 'Kafka',
    command: java.command,
    args: javaArguments(jars, properties, options.heapMegabytes ?? HEAP_MEGABYTES),
    env: utf8(options.env),
    logFile: options.logFile,
    pidFile: options.pidFile,
    onExit: options.onExit,
    stopWaitMs: STOP_WAIT_MS,
  })
  const broker = hostAndPort(reachable(options.host), options.port)
  const ready = async () => (await answers(options.host, options.port)) && (await hasRegistered(broker, options.port))
  await child.ready(ready, { limitMs: READY_LIMIT_MS })
  return { brokers: [broker], pid: child.pid, child, stop: () => child.stop() }
}

/** With its own port: a data folder also tells of the broker of an earlier start, or of the one that holds it now. */
async function hasRegistered(broker: string, port: number): Promise<boolean> {
  return (await registeredPorts({ brokers: [broker], ssl: false })).includes(port)
}

async function requireJava(env: NodeJS.ProcessEnv): Promise<Java> {
  const { java, tooOld } = await findJava(env)
  if (java !== undefined) return java
  const found = tooOld === undefined ? 'none was found' : `${tooOld.command} is version ${tooOld.major}`
  throw new LocalKafkaError('no_java', `Kafka needs Java ${JAVA_MAJOR_MIN} or later; ${found}`)
}

// SerialGC and the quick compiler alone: measured on two cores, 800,000 records in and out, a third less CPU, 35 MB less
// memory and half a second less to start, at the price of about a tenth of the peak throughput of producers.
function javaArguments(jars: KafkaJars, properties: string, heapMegabytes: number): string[] {
  const logging = {
    logFile: 'System.out',
    defaultLogLevel: 'warn',
    'log.kafka.server.KafkaRaftServer': 'info',
    showDateTime: 'true',
    dateTimeFormat: "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    showShortLogName: 'true',
  }
  return [
    `-Xmx${heapMegabytes}m`,
    '-Xms128m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-XX:+ExitOnOutOfMemoryError',
    '-Djava.awt.headless=true',
    ...Object.entries(logging).map(([key, value]) => `-Dorg.slf4j.simpleLogger.${key}=${value}`),
    '-cp',
    jars.classPath,
    'kafka.Kafka',
    properties,
  ]
}

/** What `kafka-storage format` does: an identity, and the snapshot of feature levels. meta.properties comes last, and whole. */
async function formatData(dataDir: string, jars: KafkaJars): Promise<void> {
  const meta = join(dataDir, 'meta.properties')
  if (existsSync(meta)) return
  await mkdir(dataDir, { recursive: true })
  await copyFile(jars.bootstrapSnapshot, join(dataDir, 'bootstrap.checkpoint'))
  const identity = ['version=1', 'node.id=1', `cluster.id=${kafkaUuid()}`, `directory.id=${kafkaUuid()}`, '']
  await writeFile(`${meta}.part`, identity.join('\n'))
  await rename(`${meta}.part`, meta)
}

/** 16 random bytes as Kafka writes them: URL-safe base64, never beginning with a dash. */
function kafkaUuid(): string {
  for (;;) {
    const text = randomBytes(16).toString('base64url')
    if (!text.startsWith('-')) return text
  }
}

/** The controller's port is free to change between starts: the only voter is known by its id. */
export function serverProperties(
  options: Pick<LocalKafkaOptions, 'host' | 'port' | 'dataDir' | 'proxied'>,
  controllerPort: number,
): string {
  const { proxied } = options
  const settings: Record<string, string | number | boolean> = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: [
      `PLAINTEXT://${hostAndPort(options.host, options.port)}`,
      `CONTROLLER://127.0.0.1:${controllerPort}`,
      ...(proxied === undefined ? [] : [`PROXIED://127.0.0.1:${proxied.port}`]),
    ].join(','),
    'advertised.listeners': [
      `PLAINTEXT://${hostAndPort(reachable(options.host), options.port)}`,
      ...(proxied === undefined ? [] : [`PROXIED://127.0.0.1:${proxied.advertisedPort}`]),
    ].join(','),
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': options.dataDir,
    // one node: nothing can be copied elsewhere
    'default.replication.factor': 1,
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    // an open transaction holds back every record behind it
    'transaction.max.timeout.ms': 60_000,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    // few partitions, quickly made
    'num.partitions': 8,
    'offsets.topic.num.partitions': 8,
    'transaction.state.log.num.partitions': 8,
    'share.coordinator.state.topic.num.partitions': 8,
    // a misspelt topic is an error, and a group need not wait for members that never come
    'auto.create.topics.enable': false,
    'group.initial.rebalance.delay.ms': 0,
    // a batch may be larger than the default of 1 MiB; ingest reads up to 8 MiB a partition
    'message.max.bytes': 8 * 1024 * 1024,
    'replica.fetch.max.bytes': 8 * 1024 * 1024,
    'log.retention.hours': -1,
    'log.segment.bytes': 128 * 1024 * 1024,
    // 128 MiB by default, for a compaction that has only the offsets topics to work on
    'log.cleaner.dedupe.buffer.size': 8 * 1024 * 1024,
    // After SIGKILL the controller waits for the broker's old session to run out before it lets it in again: 9 s by
    // default, and a start of 13 s instead of 6. A stall beyond this fences the broker for a moment, and it comes back.
    'broker.heartbeat.interval.ms': 500,
    'broker.session.timeout.ms': 3000,
  }
  return `${Object.entries(settings)
    .map(([key, value]) => `${key}=${escaped(String(value))}`)
    .join('\n')}\n`
}

/** Java reads a properties file as Latin-1: a home such as /home/nguyễn has to be spelled out. */
function escaped(value: string): string {
  return value
    .replaceAll('\\', '\\\\')
    .replace(/[^\x20-\x7e]/g, char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Under LANG=C a Java on Linux cannot name a file with a letter beyond ASCII. */
function utf8(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return process.platform === 'linux' ? { ...env, LC_ALL: 'C.UTF-8' } : env
}
