// Promise: the environment of a local run (contract.md, Environment), checked as a whole: every error is reported
// together, with the variable, the bad value and what is allowed; an unknown MOTCUA_* variable is refused.
// On failure: ConfigError. An empty variable counts as unset.

import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

export const PROJECT = fileURLToPath(new URL('..', import.meta.url))

export class ConfigError extends Error {
  readonly problems: readonly string[]
  constructor(problems: readonly string[]) {
    super(`the environment is not right:\n${problems.map(problem => `  ${problem}`).join('\n')}`)
    this.name = 'ConfigError'
    this.problems = problems
  }
}

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

const port = (preset: number) =>
  z
    .string()
    .default(String(preset))
    .refine(text => /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535, 'a port from 1 to 65535')
    .transform(Number)

const url = z
  .string()
  .refine(text => /^https?:$/.test(protocolOf(text)), 'an address such as http://127.0.0.1:8123')
  .optional()

const brokers = z
  .string()
  .transform(text => text.split(',').map(part => part.trim()))
  .refine(list => list.every(part => /^(\[[\da-f:.]+\]|[^\s:/[\]]+):\d{1,5}$/i.test(part)), 'HOST:PORT[,HOST:PORT …]')
  .optional()

const yesNo = z
  .enum(['true', 'false', '1', '0'], { error: 'true or false' })
  .transform(text => text === 'true' || text === '1')
  .optional()

const variables = z.object({
  BIND_ADDRESS: z
    .string()
    .regex(/^[\w.:-]+$/, 'an address or host name, without port')
    .default('127.0.0.1'),
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
  KAFKA_BROKERS: brokers,
  KAFKA_USERNAME: z.string().optional(),
  KAFKA_PASSWORD: z.string().optional(),
  KAFKA_SASL: z
    .enum(['plain', 'scram-sha-256', 'scram-sha-512'], { error: 'plain, scram-sha-256 or scram-sha-512' })
    .optional(),
  KAFKA_TLS: yesNo,
  CLICKHOUSE_URL: url,
  CLICKHOUSE_USER: z.string().optional(),
  CLICKHOUSE_PASSWORD: z.string().optional(),
  SCHEMA_REGISTRY_URL: url,
})

type Variables = z.infer<typeof variables>

const SECRET = /PASSWORD|_KEY$/

export function readConfig(env: NodeJS.ProcessEnv, cwd = PROJECT): Config {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
  const parsed = variables.safeParse(set)
  const problems = [
    ...unknownVariables(set),
    ...(parsed.success ? [] : parsed.error.issues.map(issue => problem(issue, set))),
    ...(parsed.success ? contradictions(parsed.data) : []),
  ]
  if (problems.length > 0 || !parsed.success) throw new ConfigError(problems)
  return toConfig(parsed.data, cwd)
}

function unknownVariables(set: NodeJS.ProcessEnv): string[] {
  const known = Object.keys(variables.shape)
  return Object.keys(set)
    .filter(key => key.startsWith('MOTCUA_') && !known.includes(key))
    .map(
      key =>
        `${key}: unknown; motcua knows ${known.filter(name => name.startsWith('MOTCUA_')).join(', ')}. Unset it, or correct its name.`,
    )
}

function problem(issue: z.core.$ZodIssue, set: NodeJS.ProcessEnv): string {
  const key = String(issue.path[0])
  const value = SECRET.test(key) ? '(not shown)' : JSON.stringify(set[key])
  return `${key}: ${value} is not allowed; allowed: ${issue.message}`
}

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
  const ssl = data.KAFKA_TLS ?? false
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

function protocolOf(text: string): string {
  return URL.canParse(text) ? new URL(text).protocol : ''
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
