// Promise: the class path of one Kafka broker, complete or not at all, fetched once per version of pom.xml.
//
// The jars lie in the project (node_modules/.cache/motcua), not in MOTCUA_HOME: they survive `npm start -- --fresh`. They are
// fetched into a folder aside, which takes its place by one rename, so an interrupted fetch is never taken for a whole
// one; a lock keeps two callers from fetching at once. With them lies the bootstrap snapshot of an empty broker, made by
// Kafka's own format tool once, so that each new data folder costs a copy and not a Java start.
// On failure: LocalKafkaError, with what Maven said last.

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { lock } from '../../lock.mjs'
import { startChild } from '../../processes.ts'
import { findMaven, type Java } from '../java.ts'

const POM = fileURLToPath(new URL('pom.xml', import.meta.url))
const CACHE = fileURLToPath(new URL('../../../node_modules/.cache/motcua', import.meta.url))
const FETCH_LIMIT_MS = 15 * 60_000

export type LocalKafkaErrorCode = 'no_java' | 'no_maven' | 'fetch_failed' | 'format_failed' | 'bad_folder'

export class LocalKafkaError extends Error {
  readonly code: LocalKafkaErrorCode
  constructor(code: LocalKafkaErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'LocalKafkaError'
    this.code = code
  }
}

export interface KafkaJars {
  readonly classPath: string
  /** what Kafka's format tool writes beside meta.properties: the feature levels a new broker begins with */
  readonly bootstrapSnapshot: string
}

export interface JarOptions {
  readonly java: Java
  readonly env: NodeJS.ProcessEnv
  readonly log: (line: string) => void
  readonly cacheDir?: string
}

export async function kafkaJarsFolder(cacheDir = CACHE): Promise<string> {
  const hash = createHash('sha256')
    .update(await readFile(POM))
    .digest('hex')
    .slice(0, 12)
  return join(cacheDir, `kafka-${hash}`)
}

export async function haveKafkaJars(cacheDir?: string): Promise<boolean> {
  return existsSync(join(await kafkaJarsFolder(cacheDir), 'bootstrap.checkpoint'))
}

export async function kafkaJars(options: JarOptions): Promise<KafkaJars> {
  const folder = await kafkaJarsFolder(options.cacheDir)
  if (!(await haveKafkaJars(options.cacheDir))) await fetchLocked(folder, options)
  return { classPath: await classPathOf(folder), bootstrapSnapshot: join(folder, 'bootstrap.checkpoint') }
}

async function fetchLocked(folder: string, options: JarOptions): Promise<void> {
  await mkdir(dirname(folder), { recursive: true })
  const release = await lock(`${folder}.lock`, {
    limitMs: FETCH_LIMIT_MS,
    onWait: pid => options.log(`process ${pid} is fetching Kafka's jars; waiting for it`),
  })
  const aside = await mkdtemp(`${folder}.part-`)
  try {
    if (await haveKafkaJars(options.cacheDir)) return
    await runMaven(aside, options)
    await format(aside, options)
    await rm(folder, { recursive: true, force: true })
    await rename(aside, folder)
  } finally {
    await rm(aside, { recursive: true, force: true })
    release()
  }
}

async function runMaven(aside: string, options: JarOptions): Promise<void> {
  if ((await findMaven(options.env)) === undefined)
    throw new LocalKafkaError('no_maven', 'Maven (mvn) was not found, and is needed once to fetch Kafka')
  options.log('fetching Apache Kafka from Maven Central (43 MB, once) …')
  const lines: string[] = []
  // In a folder of its own: a plugin that writes `target/` must not write it into the project.
  await copyFile(POM, join(aside, 'pom.xml'))
  const maven = await startChild({
    name: 'Maven',
    command: 'mvn',
    args: ['-q', '-B', 'dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${aside}`],
    cwd: aside,
    env: withJavaHome(options),
    onLine: line => lines.push(line),
  })
  const exit = await maven.exited
  if (exit.code === 0 && (await jarsIn(aside)).length > 0) return
  throw new LocalKafkaError(
    'fetch_failed',
    `Maven could not fetch Kafka (exit code ${exit.code}). Is Maven Central, or the mirror in ~/.m2/settings.xml, reachable?\n${lines.slice(-8).join('\n')}`,
  )
}

/** Maven takes the Java of JAVA_HOME; give it the one we found, unless it is simply `java`. */
function withJavaHome(options: JarOptions): NodeJS.ProcessEnv {
  if (options.java.command === 'java') return options.env
  return { ...options.env, JAVA_HOME: dirname(dirname(options.java.command)) }
}

async function format(aside: string, options: JarOptions): Promise<void> {
  const data = join(aside, 'format')
  const properties = join(aside, 'format.properties')
  await writeFile(
    properties,
    [
      'process.roles=broker,controller',
      'node.id=1',
      'controller.quorum.voters=1@127.0.0.1:9093',
      'controller.listener.names=CONTROLLER',
      'listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093',
      'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      `log.dirs=${data}`,
    ].join('\n'),
  )
  const args = ['-Xmx128m', '-cp', await classPathOf(aside), 'kafka.tools.StorageTool', 'format']
  try {
    await promisify(execFile)(options.java.command, [...args, '-t', 'AAAAAAAAAAAAAAAAAAAAAQ', '-c', properties], {
      env: options.env,
    })
  } catch (cause) {
    throw new LocalKafkaError('format_failed', `Kafka's format tool failed: ${(cause as Error).message}`, { cause })
  }
  await copyFile(join(data, 'bootstrap.checkpoint'), join(aside, 'bootstrap.checkpoint'))
  await rm(data, { recursive: true })
}

async function classPathOf(folder: string): Promise<string> {
  return (await jarsIn(folder)).map(name => join(folder, name)).join(delimiter)
}

async function jarsIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter(name => name.endsWith('.jar')).sort()
}
