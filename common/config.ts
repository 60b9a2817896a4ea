/**
 * Configuration from the environment: one zod schema per service, read once in `main.ts`, all errors reported together with
 * the variable, its bad value and what is allowed. Unknown `MOTCUA_*` variables are refused: a typing error must not go unseen.
 */
import { z } from 'zod'

export class ConfigError extends Error {
  readonly code = 'CONFIG_INVALID'
  readonly problems: readonly string[]
  constructor(problems: readonly string[]) {
    super(`the environment is not right:\n${problems.map(problem => `  ${problem}`).join('\n')}`)
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/** Every `MOTCUA_*` variable there is, of any service. */
const MOTCUA_VARIABLES = ['MOTCUA_HOME', 'MOTCUA_DEMO_KEY', 'MOTCUA_RUNTIME']

export type Environment = Record<string, string | undefined>

/**
 * Reads the variables that a schema names. An empty variable counts as unset. `contradictions` are rules between variables
 * that are right each by itself. Throws {@link ConfigError} with a line per problem.
 */
export function readConfig<T extends z.ZodObject>(
  schema: T,
  env: Environment,
  contradictions: (config: z.output<T>) => string[] = () => [],
): z.output<T> {
  const values = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
  const parsed = schema.safeParse(values)
  const problems = [
    ...unknownVariables(values),
    ...(parsed.success ? contradictions(parsed.data) : parsed.error.issues.map(issue => problemOf(issue, values))),
  ]
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems)
  return parsed.data
}

const unknownVariables = (values: Environment): string[] =>
  Object.keys(values)
    .filter(key => key.startsWith('MOTCUA_') && !MOTCUA_VARIABLES.includes(key))
    .map(key => `${key}: unknown; motcua knows ${MOTCUA_VARIABLES.join(', ')}. Unset it, or correct its name.`)

/** Secrets stay out of error messages. */
const SECRET = /PASSWORD|_KEY$/

function problemOf(issue: z.core.$ZodIssue, values: Environment): string {
  const key = String(issue.path[0])
  if (values[key] === undefined) return `${key}: not set; needed: ${issue.message}`
  return `${key}: ${SECRET.test(key) ? '(not shown)' : JSON.stringify(values[key])} is not allowed; allowed: ${issue.message}`
}

/** A TCP port. */
export const port = (otherwise: number) => integer({ min: 1, max: 65_535, otherwise, what: 'a port' })

/** A whole number within limits. */
export function integer(limits: { min: number; max: number; otherwise: number; what?: string }) {
  const error = `${limits.what ?? 'a whole number'} from ${limits.min} to ${limits.max}`
  return z
    .string()
    .regex(/^\d{1,15}$/, { error })
    .transform(Number)
    .refine(value => value >= limits.min && value <= limits.max, { error })
    .default(limits.otherwise)
}

const BROKERS = 'host:port of one or more brokers, with commas between'
const BROKER = /^(\[[\da-f:.]+\]|[^\s:/[\]]+):\d{1,5}$/i
const HTTP_URL = 'an address such as http://127.0.0.1:8123'
const httpUrl = z.url({ protocol: /^https?$/, error: HTTP_URL })

/** What every service reads. */
export const commonShape = {
  KAFKA_BROKERS: z
    .string({ error: BROKERS })
    .transform(text => text.split(',').map(part => part.trim()))
    .refine(list => list.every(part => BROKER.test(part)), { error: BROKERS }),
  KAFKA_USERNAME: z.string().optional(),
  KAFKA_PASSWORD: z.string().optional(),
  KAFKA_SASL: z
    .enum(['plain', 'scram-sha-256', 'scram-sha-512'], { error: 'plain, scram-sha-256 or scram-sha-512' })
    .optional(),
  KAFKA_TLS: z
    .enum(['true', 'false'], { error: 'true or false' })
    .default('false')
    .transform(text => text === 'true'),
  CLICKHOUSE_URL: httpUrl,
  CLICKHOUSE_USER: z.string().optional(),
  CLICKHOUSE_PASSWORD: z.string().optional(),
  SCHEMA_REGISTRY_URL: httpUrl.optional(),
  BIND_ADDRESS: z
    .string()
    .regex(/^[\w.:-]+$/, { error: 'an address or host name, without port' })
    .default('127.0.0.1'),
}
export type CommonConfig = z.output<z.ZodObject<typeof commonShape>>
