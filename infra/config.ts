// Promise: the environment of a local run (contract.md, Environment), checked as a whole: every error is reported
// together, with the variable, the bad value and what is allowed; an unknown MOTCUA_* variable is refused.
// On failure: ConfigError. An empty variable counts as unset.

import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { commonShape, type Environment, port, readConfig as readVariables } from '../common/config.ts'

export { ConfigError } from '../common/config.ts'

export const PROJECT = fileURLToPath(new URL('..', import.meta.url))

export interface KafkaAddress {
  readonly brokers: readonly string[]
  readonly ssl: boolean
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
    readonly username: string
    readonly password: string
  }
}

export interface ClickHouseAddress {
  readonly url: string
  readonly username?: string
  readonly password?: string
}

export type RuntimeChoice = 'auto' | 'docker' | 'local'

export interface Config {
  readonly host: string
  readonly ports: Readonly<Record<'kafka' | 'clickhouse' | 'portal' | 'intake' | 'ingest' | 'alerts', number>>
  /** absolute */
  readonly home: string
  readonly demoKey: string
  readonly runtime: RuntimeChoice
  /** set when KAFKA_BROKERS is */
  readonly kafka?: KafkaAddress
  /** set when CLICKHOUSE_URL is */
  readonly clickhouse?: ClickHouseAddress
  readonly schemaRegistryUrl?: string
}

export const PORT_VARIABLES = {
  kafka: 'KAFKA_PORT',
  clickhouse: 'CLICKHOUSE_PORT',
  portal: 'PORTAL_PORT',
  intake: 'INTAKE_PORT',
  ingest: 'INGEST_PORT',
  alerts: 'ALERTS_PORT',
} as const

const variables = z.object({
  ...commonShape,
  KAFKA_BROKERS: commonShape.KAFKA_BROKERS.optional(),
  CLICKHOUSE_URL: commonShape.CLICKHOUSE_URL.optional(),
  KAFKA_PORT: port(9092),
  CLICKHOUSE_PORT: port(8123),
  PORTAL_PORT: port(8080),
  INTAKE_PORT: port(8081),
  INGEST_PORT: port(8082),
  ALERTS_PORT: port(8083),
  MOTCUA_HOME: z.string().default('.motcua'),
  MOTCUA_DEMO_KEY: z
    .string()
    .regex(/^[\x21-\x7e]{1,200}$/, '1 to 200 visible ASCII characters, no blanks')
    .default('demo'),
  MOTCUA_RUNTIME: z.enum(['auto', 'docker', 'local'], { error: 'auto, docker or local' }).default('auto'),
})
type Variables = z.output<typeof variables>

export const readConfig = (env: Environment, cwd = PROJECT): Config =>
  toConfig(readVariables(variables, env, contradictions), cwd)

function contradictions(data: Variables): string[] {
  const problems: string[] = []
  const seen = new Map<number, string>()
  for (const variable of Object.values(PORT_VARIABLES)) {
    const other = seen.get(data[variable])
    if (other !== undefined)
      problems.push(`${variable}: ${data[variable]} is also ${other}; give each a port of its own`)
    seen.set(data[variable], variable)
  }
  if ((data.KAFKA_USERNAME === undefined) !== (data.KAFKA_PASSWORD === undefined))
    problems.push('KAFKA_USERNAME, KAFKA_PASSWORD: only one of them is set; allowed: both or none')
  if (data.KAFKA_SASL !== undefined && data.KAFKA_USERNAME === undefined)
    problems.push(`KAFKA_SASL: "${data.KAFKA_SASL}" needs KAFKA_USERNAME and KAFKA_PASSWORD`)
  return problems
}

function toConfig(data: Variables, cwd: string): Config {
  return {
    host: data.BIND_ADDRESS,
    ports: {
      kafka: data.KAFKA_PORT,
      clickhouse: data.CLICKHOUSE_PORT,
      portal: data.PORTAL_PORT,
      intake: data.INTAKE_PORT,
      ingest: data.INGEST_PORT,
      alerts: data.ALERTS_PORT,
    },
    home: resolve(cwd, data.MOTCUA_HOME),
    demoKey: data.MOTCUA_DEMO_KEY,
    runtime: data.MOTCUA_RUNTIME,
    kafka: kafkaAddress(data),
    clickhouse: clickHouseAddress(data),
    schemaRegistryUrl: data.SCHEMA_REGISTRY_URL,
  }
}

function kafkaAddress(data: Variables): KafkaAddress | undefined {
  if (data.KAFKA_BROKERS === undefined) return undefined
  const ssl = data.KAFKA_TLS
  if (data.KAFKA_USERNAME === undefined || data.KAFKA_PASSWORD === undefined)
    return { brokers: data.KAFKA_BROKERS, ssl }
  const mechanism = data.KAFKA_SASL ?? 'plain'
  return {
    brokers: data.KAFKA_BROKERS,
    ssl,
    sasl: { mechanism, username: data.KAFKA_USERNAME, password: data.KAFKA_PASSWORD },
  }
}

function clickHouseAddress(data: Variables): ClickHouseAddress | undefined {
  if (data.CLICKHOUSE_URL === undefined) return undefined
  return { url: data.CLICKHOUSE_URL, username: data.CLICKHOUSE_USER, password: data.CLICKHOUSE_PASSWORD }
}

/** Where a run keeps what. */
export function homeFolders(home: string) {
  return {
    kafka: join(home, 'kafka'),
    clickhouse: join(home, 'clickhouse'),
    logs: join(home, 'logs'),
    kafkaPid: join(home, 'run', 'kafka.json'),
    clickhousePid: join(home, 'run', 'clickhouse.json'),
    /** held by the `npm start` of this home */
    startLock: join(home, 'run', 'start.lock'),
  }
}
