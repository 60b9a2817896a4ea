// Promise: a Kafka and a ClickHouse to work with, each from the first of these that applies: an address in the environment,
// Docker, a process on this machine. Those started here end with this process and with stop(); those of the environment
// are left alone. Both start at the same time; when one fails, the other is stopped again.
//
// On failure: RuntimeMissingError (nothing found; says the three ways on), PortInUseError, ProcessError, ConfigError.

import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type ClickHouseAddress,
  type Config,
  homeFolders,
  type KafkaAddress,
  PROJECT,
  type RuntimeChoice,
  readConfig,
} from './config.ts'
import {
  type ContainerOptions,
  dockerAnswers,
  type RunningContainer,
  removeVolumes,
  startClickHouseContainer,
  startKafkaContainer,
} from './docker.ts'
import { endLeftover } from './leftovers.ts'
import { findJava, findMaven, JAVA_MAJOR_MIN } from './local/java.ts'
import { haveKafkaJars } from './local/kafka/jars.ts'
import { startLocalKafka } from './local/kafka/kafka.ts'
import { hostAndPort, reachable, requireFreePort } from './ports.ts'
import { type ChildExit, startChild } from './processes.ts'
import { clickHouseAnswers, kafkaAnswers } from './reach.ts'

export type How = 'environment' | 'docker' | 'local'

export interface RuntimeKafka extends KafkaAddress {
  readonly how: How
  /** of the broker, when it is a process of this machine */
  readonly pid?: number
}

export interface RuntimeClickHouse extends ClickHouseAddress {
  readonly how: How
  readonly pid?: number
}

export interface Runtime {
  readonly kafka: RuntimeKafka
  readonly clickhouse: RuntimeClickHouse
  stop(): Promise<void>
}

export interface ClickHouseOptions {
  /** absolute */
  readonly home: string
  readonly host: string
  readonly clickhousePort: number
  readonly env: NodeJS.ProcessEnv
  readonly log: (line: string) => void
  /** a local Kafka or ClickHouse ended although nobody had stopped it */
  readonly onExit?: (exit: ChildExit) => void
}

export interface RuntimeOptions extends ClickHouseOptions {
  readonly kafkaPort: number
}

export class RuntimeMissingError extends Error {
  readonly code = 'runtime_missing'
  constructor(message: string) {
    super(message)
    this.name = 'RuntimeMissingError'
  }
}

const CLICKHOUSE_READY_LIMIT_MS = 60_000

interface Part<Address> {
  readonly address: Address
  stop(): Promise<unknown>
}

/** Where the parts are to come from: an address of the environment for each, else Docker or this machine. */
interface Sources {
  readonly given: Pick<Config, 'kafka' | 'clickhouse'>
  readonly docker: boolean
}

export async function startRuntime(options: RuntimeOptions): Promise<Runtime> {
  const sources = await prepare(options, options.kafkaPort)
  const [kafka, clickhouse] = await together(kafkaPart(options, sources), clickhousePart(options, sources))
  let stopping: Promise<void> | undefined
  return {
    kafka: kafka.address,
    clickhouse: clickhouse.address,
    stop() {
      stopping ??= Promise.all([kafka.stop(), clickhouse.stop()]).then(() => {})
      return stopping
    },
  }
}

/** The same for ClickHouse alone. */
export async function startClickHouseAlone(options: ClickHouseOptions): Promise<Pick<Runtime, 'clickhouse' | 'stop'>> {
  const clickhouse = await clickhousePart(options, await prepare(options))
  return { clickhouse: clickhouse.address, stop: async () => void (await clickhouse.stop()) }
}

/** Both ports before either part: an error must not wait for the other one's start. Without `kafkaPort` no Kafka is wanted. */
async function prepare(options: ClickHouseOptions, kafkaPort?: number): Promise<Sources> {
  const { kafka, clickhouse, runtime } = readConfig(options.env)
  const own = { kafka: kafka ? undefined : kafkaPort, clickhouse: clickhouse ? undefined : options.clickhousePort }
  const wanted = { kafka: own.kafka !== undefined, clickhouse: own.clickhouse !== undefined }
  const docker = runtime !== 'local' && (wanted.kafka || wanted.clickhouse) ? await dockerAnswers(options.env) : false
  await requireParts(wanted, runtime, docker, options.env)
  if (own.kafka !== undefined) await preparePort('Kafka', own.kafka, options)
  if (own.clickhouse !== undefined) await preparePort('ClickHouse', own.clickhouse, options)
  return { given: { kafka, clickhouse }, docker }
}

const kafkaPart = (options: RuntimeOptions, { given, docker }: Sources) =>
  given.kafka ? checkKafka(given.kafka) : startKafka(options, docker)
const clickhousePart = (options: ClickHouseOptions, { given, docker }: Sources) =>
  given.clickhouse ? checkClickHouse(given.clickhouse) : startClickHouse(options, docker)

async function checkKafka(address: KafkaAddress): Promise<Part<RuntimeKafka>> {
  if (!(await kafkaAnswers(address)))
    throw new RuntimeMissingError(
      `no Kafka answers at KAFKA_BROKERS=${address.brokers.join(',')}, or it refuses the sign-in. Start it, correct the address, or unset the variable to have motcua start one.`,
    )
  return { address: { ...address, how: 'environment' }, stop: async () => {} }
}

async function checkClickHouse(address: ClickHouseAddress): Promise<Part<RuntimeClickHouse>> {
  if (!(await clickHouseAnswers(address)))
    throw new RuntimeMissingError(
      `no ClickHouse answers at CLICKHOUSE_URL (${new URL(address.url).host}), or it refuses the sign-in. Start it, correct the address, or unset the variable to have motcua start one.`,
    )
  return { address: { ...address, how: 'environment' }, stop: async () => {} }
}

/** Both, or neither: a part that did start is stopped again when the other fails. */
async function together<A, B>(first: Promise<Part<A>>, second: Promise<Part<B>>): Promise<[Part<A>, Part<B>]> {
  const [a, b] = await Promise.allSettled([first, second])
  if (a.status === 'fulfilled' && b.status === 'fulfilled') return [a.value, b.value]
  const errors: unknown[] = []
  for (const result of [a, b]) {
    if (result.status === 'fulfilled') await result.value.stop()
    else errors.push(result.reason)
  }
  if (errors.length === 1) throw errors[0]
  throw new AggregateError(errors, errors.map(error => (error as Error).message).join('\n'))
}

async function preparePort(name: 'Kafka' | 'ClickHouse', port: number, options: ClickHouseOptions): Promise<void> {
  const folders = homeFolders(options.home)
  const [folder, pidFile, variable] =
    name === 'Kafka'
      ? ([folders.kafka, folders.kafkaPid, 'KAFKA_PORT'] as const)
      : ([folders.clickhouse, folders.clickhousePid, 'CLICKHOUSE_PORT'] as const)
  await endLeftover(name, pidFile, folder, options.log)
  await requireFreePort(variable, options.host, port)
}

async function startKafka(options: RuntimeOptions, docker: boolean): Promise<Part<RuntimeKafka>> {
  const folders = homeFolders(options.home)
  if (docker) {
    const container = await startContainer('Kafka', startKafkaContainer, { ...options, port: options.kafkaPort })
    return { address: { brokers: [container.address], ssl: false, how: 'docker' }, stop: container.stop }
  }
  const ready = { done: false }
  const local = await startLocalKafka({
    host: options.host,
    port: options.kafkaPort,
    dataDir: folders.kafka,
    logFile: join(folders.logs, 'kafka.log'),
    pidFile: folders.kafkaPid,
    env: options.env,
    log: options.log,
    onExit: exit => reportUnexpected(exit, ready, options),
  })
  ready.done = true
  return {
    address: { brokers: local.brokers, ssl: false, how: 'local', pid: local.pid },
    stop: () => local.stop(),
  }
}

async function startClickHouse(options: ClickHouseOptions, docker: boolean): Promise<Part<RuntimeClickHouse>> {
  const folders = homeFolders(options.home)
  if (docker) {
    const container = await startContainer('ClickHouse', startClickHouseContainer, {
      ...options,
      port: options.clickhousePort,
    })
    return { address: { url: container.address, how: 'docker' }, stop: container.stop }
  }
  const ready = { done: false }
  const child = await startChild({
    name: 'ClickHouse',
    command: process.execPath,
    args: [
      join(PROJECT, 'infra/local/clickhouse/main.ts'),
      ...['--data', folders.clickhouse, '--host', options.host, '--port', String(options.clickhousePort)],
    ],
    env: options.env,
    logFile: join(folders.logs, 'clickhouse.log'),
    pidFile: folders.clickhousePid,
    onExit: exit => reportUnexpected(exit, ready, options),
    stopWaitMs: 30_000,
  })
  const url = `http://${hostAndPort(reachable(options.host), options.clickhousePort)}`
  await child.ready(() => pings(url), { limitMs: CLICKHOUSE_READY_LIMIT_MS })
  ready.done = true
  return {
    address: { url, how: 'local', pid: child.pid },
    stop: () => child.stop(),
  }
}

/** An end before readiness is startRuntime's own error. */
function reportUnexpected(exit: ChildExit, ready: { readonly done: boolean }, options: ClickHouseOptions): void {
  if (ready.done && !exit.expected) options.onExit?.(exit)
}

async function pings(url: string): Promise<boolean> {
  const response = await fetch(`${url}/ping`, { signal: AbortSignal.timeout(2000) })
  return response.ok && (await response.text()).startsWith('Ok.')
}

async function startContainer(
  name: string,
  start: (options: ContainerOptions) => Promise<RunningContainer>,
  options: ContainerOptions & { log: (line: string) => void },
): Promise<RunningContainer> {
  options.log(`starting ${name} in Docker (the first time its image is pulled) …`)
  try {
    return await start(options)
  } catch (cause) {
    throw new Error(
      `Docker answers, but ${name} could not be started in it: ${(cause as Error).message}\nMOTCUA_RUNTIME=local leaves Docker out.`,
      { cause },
    )
  }
}

// --- what is missing ------------------------------------------------------------------------------------------------

async function requireParts(
  wanted: { kafka: boolean; clickhouse: boolean },
  runtime: RuntimeChoice,
  docker: boolean,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  if (docker || (!wanted.kafka && !wanted.clickhouse)) return
  if (runtime === 'docker') throw new RuntimeMissingError(missingText(wanted, ['Docker: no engine answers']))
  const missing = [
    'Docker: no engine answers',
    ...(wanted.kafka ? await missingForLocalKafka(env) : []),
    ...(wanted.clickhouse ? missingForLocalClickHouse() : []),
  ]
  if (missing.length > 1) throw new RuntimeMissingError(missingText(wanted, missing))
}

export async function missingForLocalKafka(env: NodeJS.ProcessEnv): Promise<string[]> {
  const missing: string[] = []
  const { java, tooOld } = await findJava(env)
  if (java === undefined)
    missing.push(
      tooOld === undefined
        ? `Java: none found (Kafka needs ${JAVA_MAJOR_MIN} or later)`
        : `Java: ${tooOld.command} is version ${tooOld.major} (Kafka needs ${JAVA_MAJOR_MIN} or later)`,
    )
  if (!(await haveKafkaJars()) && (await findMaven(env)) === undefined)
    missing.push('Maven: no mvn found (needed once, to fetch Kafka)')
  return missing
}

/** chDB brings its library as a package per platform; npm leaves it out where there is none. */
export function missingForLocalClickHouse(): string[] {
  const name = chdbLibraryPackage()
  if (existsSync(join(PROJECT, 'node_modules', name))) return []
  return [`chDB: no library for ${process.platform} ${process.arch} (package ${name})`]
}

export function chdbLibraryPackage(): string {
  const libc = process.platform === 'linux' ? '-gnu' : ''
  return `@chdb/lib-${process.platform}-${process.arch}${libc}`
}

function missingText(wanted: { kafka: boolean; clickhouse: boolean }, missing: string[]): string {
  const parts = [wanted.kafka ? 'Kafka' : '', wanted.clickhouse ? 'ClickHouse' : ''].filter(Boolean)
  const variables = [wanted.kafka ? 'KAFKA_BROKERS' : '', wanted.clickhouse ? 'CLICKHOUSE_URL' : ''].filter(Boolean)
  return [
    `no ${parts.join(' and no ')} to work with. Missing here:`,
    ...missing.map(line => `  - ${line}`),
    'Any one of these three helps:',
    `  1. set ${variables.join(' and ')} to one that runs already`,
    '  2. start Docker',
    wanted.kafka
      ? `  3. install what the local one needs: Java ${JAVA_MAJOR_MIN}+ and Maven (Debian, Ubuntu: apt-get install default-jre-headless maven; macOS: brew install openjdk maven)`
      : '  3. use a machine that chDB has a library for: Linux or macOS on x64 or arm64',
    'npm run doctor looks at all of it.',
  ].join('\n')
}

/** For `--fresh`: forgets everything a local run has stored, in its home and in Docker's volumes. Nothing may be running. */
export async function removeRuntimeData(home: string, env: NodeJS.ProcessEnv): Promise<void> {
  const folders = homeFolders(home)
  for (const folder of [folders.kafka, folders.clickhouse]) await rm(folder, { recursive: true, force: true })
  if (readConfig(env).runtime !== 'local' && (await dockerAnswers(env))) await removeVolumes(home)
}
