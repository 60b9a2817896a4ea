// npm run doctor: what this machine, or this environment, lacks, in plain words.
//
// Promise: one line per point, with ✓ or ✗ and, where something is wrong, what to do. Changes nothing. Exit code 1 when
// `npm start` could not work here as things stand, 0 otherwise (a `!` is a warning).

import { existsSync } from 'node:fs'
import { access, constants, readFile, statfs } from 'node:fs/promises'
import { freemem, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { type Config, ConfigError, homeFolders, PORT_VARIABLES, PROJECT, readConfig } from './config.ts'
import { dockerAnswers } from './docker.ts'
import { homeOwner } from './home.ts'
import { runningPid } from './leftovers.ts'
import { findJava, findMaven, JAVA_MAJOR_MIN } from './local/java.ts'
import { haveKafkaJars } from './local/kafka/jars.ts'
import { portIsFree } from './ports.ts'
import { clickHouseAnswers, kafkaAnswers } from './reach.ts'
import { chdbLibraryPackage, missingForLocalClickHouse } from './runtime.ts'

export interface Finding {
  /** bad: npm start cannot work; warn: it can, but look */
  readonly state: 'ok' | 'warn' | 'bad'
  readonly text: string
  readonly advice?: string
}

const GIB = 1024 ** 3
const DISK_FREE_MIN_BYTES = 2 * GIB
const MEMORY_MIN_BYTES = 2 * GIB

export async function examine(env: NodeJS.ProcessEnv): Promise<Finding[]> {
  const findings = [nodeFinding(process.versions.node), await packagesFinding()]
  const config = configOf(env)
  if ('findings' in config) return [...findings, ...config.findings]
  const docker = config.runtime !== 'local' && (await dockerAnswers(env))
  return [
    ...findings,
    { state: 'ok', text: 'the environment variables are right' },
    ...(await kafkaFindings(config, docker, env)),
    ...(await clickHouseFindings(config, docker)),
    ...(await portFindings(config)),
    await diskFinding(config.home),
    memoryFinding(totalmem(), freemem()),
  ]
}

export function nodeFinding(version: string): Finding {
  if (Number.parseInt(version, 10) >= 24) return { state: 'ok', text: `Node ${version}` }
  return { state: 'bad', text: `Node ${version}`, advice: 'Node 24 is needed: npm rebuild node, or https://nodejs.org' }
}

function configOf(env: NodeJS.ProcessEnv): Config | { findings: Finding[] } {
  try {
    return readConfig(env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return { findings: error.problems.map(text => ({ state: 'bad', text, advice: 'correct or unset it' })) }
  }
}

async function packagesFinding(): Promise<Finding> {
  const { dependencies, devDependencies } = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8')) as Record<
    string,
    Record<string, string>
  >
  const wanted = Object.entries({ ...dependencies, ...devDependencies })
  const wrong: string[] = []
  for (const [name, version] of wanted) {
    const found = await installedVersion(name)
    if (found !== version) wrong.push(`${name} (${found ?? 'missing'})`)
  }
  if (wrong.length === 0) return { state: 'ok', text: `npm packages: all ${wanted.length} there` }
  return { state: 'bad', text: `npm packages: ${wrong.join(', ')}`, advice: 'npm install --no-audit --no-fund' }
}

async function installedVersion(name: string): Promise<string | undefined> {
  const text = await readFile(join(PROJECT, 'node_modules', name, 'package.json'), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as { version?: string }).version
}

// --- Kafka and ClickHouse -------------------------------------------------------------------------------------------

async function kafkaFindings(config: Config, docker: boolean, env: NodeJS.ProcessEnv): Promise<Finding[]> {
  if (config.kafka !== undefined) {
    const { brokers } = config.kafka
    if (await kafkaAnswers(config.kafka))
      return [{ state: 'ok', text: `Kafka: KAFKA_BROKERS answers (${brokers.join(', ')})` }]
    return [
      {
        state: 'bad',
        text: `Kafka: nobody answers at KAFKA_BROKERS (${brokers.join(', ')})`,
        advice: 'start it, correct the address, or unset KAFKA_BROKERS to have motcua start one',
      },
    ]
  }
  if (docker) return [{ state: 'ok', text: 'Kafka: will run in Docker, an engine answers' }]
  if (config.runtime === 'docker') return [noDocker('Kafka')]
  return [{ state: 'ok', text: 'Docker: no engine, so Kafka runs as a process here' }, ...(await localKafka(env))]
}

async function localKafka(env: NodeJS.ProcessEnv): Promise<Finding[]> {
  const { java, tooOld } = await findJava(env)
  const jars = await haveKafkaJars()
  const maven = await findMaven(env)
  return [
    java !== undefined
      ? { state: 'ok', text: `Java ${java.major} (${java.command})` }
      : {
          state: 'bad',
          text: tooOld === undefined ? 'Java: none found' : `Java: ${tooOld.command} is version ${tooOld.major}`,
          advice: `Kafka needs Java ${JAVA_MAJOR_MIN} or later: apt-get install default-jre-headless, or brew install openjdk; or start Docker, or set KAFKA_BROKERS`,
        },
    maven !== undefined
      ? { state: 'ok', text: maven }
      : {
          state: jars ? 'warn' : 'bad',
          text: `Maven: none found${jars ? ', and not needed before the next version of Kafka' : ''}`,
          advice: 'apt-get install maven, or brew install maven; or start Docker, or set KAFKA_BROKERS',
        },
    jars
      ? { state: 'ok', text: "Kafka's jars have been fetched" }
      : { state: 'ok', text: "Kafka's jars will be fetched at the first start (43 MB from Maven Central)" },
  ]
}

async function clickHouseFindings(config: Config, docker: boolean): Promise<Finding[]> {
  if (config.clickhouse !== undefined) {
    const { url } = config.clickhouse
    if (await clickHouseAnswers(config.clickhouse))
      return [{ state: 'ok', text: `ClickHouse: CLICKHOUSE_URL answers (${hostOf(url)})` }]
    return [
      {
        state: 'bad',
        text: `ClickHouse: nobody answers at CLICKHOUSE_URL (${hostOf(url)})`,
        advice: 'start it, correct the address, or unset CLICKHOUSE_URL to have motcua start one',
      },
    ]
  }
  if (docker) return [{ state: 'ok', text: 'ClickHouse: will run in Docker, an engine answers' }]
  if (config.runtime === 'docker') return [noDocker('ClickHouse')]
  const missing = missingForLocalClickHouse()
  if (missing.length === 0)
    return [{ state: 'ok', text: `ClickHouse: chDB's library is there (${chdbLibraryPackage()})` }]
  return missing.map(text => ({
    state: 'bad' as const,
    text,
    advice: 'npm install --no-audit --no-fund; where the platform has none: start Docker, or set CLICKHOUSE_URL',
  }))
}

function noDocker(name: string): Finding {
  return {
    state: 'bad',
    text: `${name}: MOTCUA_RUNTIME=docker, but no Docker engine answers`,
    advice: 'start Docker, or unset MOTCUA_RUNTIME',
  }
}

/** Without user and password, which a URL may hold. */
function hostOf(address: string): string {
  return new URL(address).host
}

// --- ports, disk, memory --------------------------------------------------------------------------------------------

async function portFindings(config: Config): Promise<Finding[]> {
  const folders = homeFolders(config.home)
  const owner = homeOwner(config.home)
  const parts: Record<string, number | undefined> = {
    kafka: await runningPid(folders.kafkaPid, folders.kafka),
    clickhouse: await runningPid(folders.clickhousePid, folders.clickhouse),
  }
  const findings: Finding[] = []
  for (const [service, port] of Object.entries(config.ports)) {
    if ((service === 'kafka' && config.kafka) || (service === 'clickhouse' && config.clickhouse)) continue
    const variable = PORT_VARIABLES[service as keyof typeof PORT_VARIABLES]
    const text = `port ${port} (${variable})`
    if (await portIsFree(config.host, port)) findings.push({ state: 'ok', text: `${text} is free` })
    else if (owner !== undefined)
      findings.push({ state: 'ok', text: `${text} is used by motcua itself (process ${owner})` })
    else if (parts[service] !== undefined)
      findings.push({ state: 'warn', text: `${text} is used by what an earlier run left; the next start ends it` })
    else
      findings.push({
        state: 'bad',
        text: `${text} is in use by another program`,
        advice: `set ${variable} to a free port, or end that program`,
      })
  }
  return findings
}

async function diskFinding(home: string): Promise<Finding> {
  let folder = home
  while (!existsSync(folder)) folder = dirname(folder)
  const { bavail, bsize } = await statfs(folder)
  const free = bavail * bsize
  const text = `disk: ${gib(free)} free for ${home}`
  if (!(await canWrite(folder))) return { state: 'bad', text: `${home} cannot be written`, advice: 'set MOTCUA_HOME' }
  if (free >= DISK_FREE_MIN_BYTES) return { state: 'ok', text }
  return { state: 'bad', text, advice: `make room (${gib(DISK_FREE_MIN_BYTES)} at least), or set MOTCUA_HOME` }
}

function canWrite(folder: string): Promise<boolean> {
  return access(folder, constants.W_OK).then(
    () => true,
    () => false,
  )
}

export function memoryFinding(total: number, free: number): Finding {
  const text = `memory: ${gib(total)}, ${gib(free)} free`
  if (total >= MEMORY_MIN_BYTES) return { state: 'ok', text }
  return {
    state: 'warn',
    text,
    advice: `${gib(MEMORY_MIN_BYTES)} are advisable; KAFKA_BROKERS and CLICKHOUSE_URL can point elsewhere`,
  }
}

function gib(bytes: number): string {
  return `${(bytes / GIB).toFixed(1)} GiB`
}

export function report(findings: readonly Finding[]): string {
  const marks = { ok: '✓', warn: '!', bad: '✗' }
  const lines = findings.flatMap(({ state, text, advice }) => [
    `${marks[state]} ${text}`,
    ...(state !== 'ok' && advice !== undefined ? [`    → ${advice}`] : []),
  ])
  const bad = findings.filter(finding => finding.state === 'bad').length
  return [
    ...lines,
    '',
    bad === 0 ? 'npm start can work here.' : `npm start cannot work here yet: ${bad} ✗ above.`,
  ].join('\n')
}

if (import.meta.main) {
  const findings = await examine(process.env)
  console.log(report(findings))
  process.exitCode = findings.some(finding => finding.state === 'bad') ? 1 : 0
}
