// Promise: Kafka and ClickHouse as containers, through testcontainers, on fixed ports of this machine, their data in named
// volumes: a second start goes on with what is there. testcontainers' reaper removes the containers when this process dies.
//
// `dockerAnswers` only knocks, so a machine without Docker does not even load testcontainers.

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { request } from 'node:http'
import { homedir, userInfo } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { StartedTestContainer } from 'testcontainers'
import { answers, hostAndPort } from './ports.ts'

// The same engine version as the local ClickHouse (chDB 26.7), and the same Kafka as infra/local/kafka/pom.xml.
export const KAFKA_IMAGE = 'apache/kafka:4.1.1'
export const CLICKHOUSE_IMAGE = 'clickhouse/clickhouse-server:26.7'

export const CLICKHOUSE_USERS = fileURLToPath(new URL('clickhouse/users.xml', import.meta.url))

const KNOCK_LIMIT_MS = 2000
const START_LIMIT_MS = 180_000
const STOP_WAIT_MS = 20_000

/** Does a Docker engine answer where testcontainers would look for one? Takes at most two seconds. */
export async function dockerAnswers(env: NodeJS.ProcessEnv): Promise<boolean> {
  const host = env.DOCKER_HOST
  if (host?.startsWith('unix://')) return pingSocket(host.slice('unix://'.length))
  if (host) return URL.canParse(host) && answers(new URL(host).hostname, Number(new URL(host).port), KNOCK_LIMIT_MS)
  const sockets = socketPaths(env).filter(path => existsSync(path))
  const replies = await Promise.all(sockets.map(pingSocket))
  return replies.includes(true)
}

function socketPaths(env: NodeJS.ProcessEnv): string[] {
  const runtimeDir = env.XDG_RUNTIME_DIR
  return [
    '/var/run/docker.sock',
    ...(runtimeDir ? [join(runtimeDir, 'docker.sock')] : []),
    join(homedir(), '.docker', 'run', 'docker.sock'),
    join(homedir(), '.docker', 'desktop', 'docker.sock'),
    `/run/user/${userInfo().uid}/docker.sock`,
  ]
}

function pingSocket(socketPath: string): Promise<boolean> {
  return new Promise(resolve => {
    const ask = request({ socketPath, path: '/_ping', timeout: KNOCK_LIMIT_MS }, response => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    ask.once('timeout', () => ask.destroy(new Error('no answer')))
    ask.once('error', () => resolve(false))
    ask.end()
  })
}

export interface ContainerOptions {
  readonly home: string
  readonly host: string
  readonly port: number
}

export interface RunningContainer {
  readonly address: string
  stop(): Promise<void>
}

/** One volume per home, so that two homes (a run and its tests) never share data. */
export function volumeName(home: string, service: 'kafka' | 'clickhouse'): string {
  return `motcua-${createHash('sha256').update(home).digest('hex').slice(0, 10)}-${service}`
}

export function kafkaEnvironment(advertised: string): Record<string, string> {
  return {
    KAFKA_NODE_ID: '1',
    KAFKA_PROCESS_ROLES: 'broker,controller',
    KAFKA_LISTENERS: 'HOST://:9092,CONTROLLER://:9093',
    KAFKA_ADVERTISED_LISTENERS: `HOST://${advertised}`,
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'HOST:PLAINTEXT,CONTROLLER:PLAINTEXT',
    KAFKA_INTER_BROKER_LISTENER_NAME: 'HOST',
    KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
    KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
    KAFKA_LOG_DIRS: '/var/lib/kafka/data',
    KAFKA_DEFAULT_REPLICATION_FACTOR: '1',
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
    KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS: '8',
    KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
    KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
    KAFKA_TRANSACTION_MAX_TIMEOUT_MS: '60000',
    KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR: '1',
    KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR: '1',
    KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
    KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
    KAFKA_MESSAGE_MAX_BYTES: '8388608',
    KAFKA_LOG_RETENTION_HOURS: '-1',
    KAFKA_HEAP_OPTS: '-Xms128m -Xmx512m',
  }
}

export async function startKafkaContainer(options: ContainerOptions): Promise<RunningContainer> {
  const { Wait } = await import('testcontainers')
  const address = hostAndPort(await engineHost(), options.port)
  const container = await newContainer(KAFKA_IMAGE, 9092, options)
  const started = await container
    .withEnvironment(kafkaEnvironment(address))
    .withBindMounts([{ source: volumeName(options.home, 'kafka'), target: '/var/lib/kafka/data' }])
    .withWaitStrategy(Wait.forLogMessage('Kafka Server started'))
    .start()
  return { address, stop: () => stopContainer(started) }
}

export async function startClickHouseContainer(options: ContainerOptions): Promise<RunningContainer> {
  const { Wait } = await import('testcontainers')
  const container = await newContainer(CLICKHOUSE_IMAGE, 8123, options)
  const started = await container
    // users.xml replaces what the image would set up: a `default` that may only sign in from inside
    .withEnvironment({ CLICKHOUSE_SKIP_USER_SETUP: '1' })
    .withBindMounts([{ source: volumeName(options.home, 'clickhouse'), target: '/var/lib/clickhouse' }])
    .withCopyFilesToContainer([{ source: CLICKHOUSE_USERS, target: '/etc/clickhouse-server/users.d/motcua.xml' }])
    .withUlimits({ nofile: { soft: 262_144, hard: 262_144 } })
    .withWaitStrategy(Wait.forHttp('/ping', 8123).forStatusCode(200))
    .start()
  return { address: `http://${hostAndPort(await engineHost(), options.port)}`, stop: () => stopContainer(started) }
}

async function engineHost(): Promise<string> {
  const { getContainerRuntimeClient } = await import('testcontainers')
  const { host } = (await getContainerRuntimeClient()).info.containerRuntime
  return host === 'localhost' ? '127.0.0.1' : host
}

async function newContainer(image: string, inner: number, options: ContainerOptions) {
  const { GenericContainer } = await import('testcontainers')
  const local = (await engineHost()) === '127.0.0.1'

  // testcontainers publishes on all addresses; a local run must not be open to the network.
  class BoundContainer extends GenericContainer {
    bindTo(host: string): this {
      this.hostConfig.PortBindings = { [`${inner}/tcp`]: [{ HostIp: host, HostPort: String(options.port) }] }
      return this
    }
  }
  const container = new BoundContainer(image)
    .withExposedPorts({ container: inner, host: options.port })
    .withStartupTimeout(START_LIMIT_MS)
  return local ? container.bindTo(options.host) : container
}

async function stopContainer(container: StartedTestContainer): Promise<void> {
  await container.stop({ timeout: STOP_WAIT_MS, remove: true, removeVolumes: false })
}

/** Forgets what the containers of this home have stored. */
export async function removeVolumes(home: string): Promise<void> {
  const { getContainerRuntimeClient } = await import('testcontainers')
  const { dockerode } = (await getContainerRuntimeClient()).container as unknown as {
    dockerode: { getVolume(name: string): { remove(): Promise<unknown> } }
  }
  for (const service of ['kafka', 'clickhouse'] as const) {
    await dockerode
      .getVolume(volumeName(home, service))
      .remove()
      .catch((error: { statusCode?: number }) => {
        if (error.statusCode !== 404) throw error
      })
  }
}
