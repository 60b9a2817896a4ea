/**
 * Configuration from the environment: one zod schema per service, read once in `main.ts`, all errors reported together with
 * the variable, its bad value and what is allowed. Unknown `MOTCUA_*` variables are refused: a typing error must not go unseen.
 */
import { z } from 'zod'

export class ConfigError extends Error {
  readonly code = 'CONFIG_INVALID'
}

/** Every `MOTCUA_*` variable there is, of any service. */
const MOTCUA_VARIABLES = ['MOTCUA_HOME', 'MOTCUA_DEMO_KEY', 'MOTCUA_RUNTIME']

export type Environment = Record<string, string | undefined>

/**
 * Reads the variables that a schema names. An empty variable counts as unset.
 * Throws {@link ConfigError} with a line per problem.
 */
export function readConfig<T extends z.ZodObject>(schema: T, env: Environment): z.output<T> {
  const named = Object.keys(schema.shape)
  const values = Object.fromEntries(
    named.filter(key => env[key] !== undefined && env[key] !== '').map(key => [key, env[key]]),
  )
  const parsed = schema.safeParse(values)
  const problems = parsed.success
    ? []
    : parsed.error.issues.map(issue => `${issue.path.join('.')} is ${show(values, issue.path)}: ${issue.message}`)
  for (const key of Object.keys(env))
    if (key.startsWith('MOTCUA_') && !MOTCUA_VARIABLES.includes(key) && env[key] !== undefined)
      problems.push(`${key} is no variable of motcua; there are ${MOTCUA_VARIABLES.join(', ')}`)
  if (!parsed.success || problems.length > 0)
    throw new ConfigError(`the configuration is not usable:\n  ${problems.join('\n  ')}`)
  return parsed.data
}

/** Secrets stay out of error messages. */
const show = (values: Record<string, string | undefined>, path: PropertyKey[]) => {
  const key = String(path[0])
  const value = values[key]
  if (value === undefined) return 'not set'
  return /PASSWORD|KEY/.test(key) ? 'set (not shown)' : JSON.stringify(value)
}

/** A TCP port; 0 lets the system choose. */
export const port = (otherwise: number) =>
  z
    .string()
    .regex(/^\d{1,5}$/, { error: 'a port from 0 to 65535' })
    .transform(Number)
    .refine(value => value <= 65535, { error: 'a port from 0 to 65535' })
    .default(otherwise)

/** A whole number within limits. */
export const integer = (limits: { min: number; max: number; otherwise: number }) =>
  z
    .string()
    .regex(/^\d+$/, { error: `a whole number from ${limits.min} to ${limits.max}` })
    .transform(Number)
    .refine(value => value >= limits.min && value <= limits.max, {
      error: `a whole number from ${limits.min} to ${limits.max}`,
    })
    .default(limits.otherwise)

const httpUrl = z.url({ protocol: /^https?$/, error: 'an http or https address' })

/** What every service reads. */
export const commonShape = {
  KAFKA_BROKERS: z
    .string({ error: 'host:port of one or more brokers with commas between' })
    .regex(/^[^\s,]+:\d+(,[^\s,]+:\d+)*$/, { error: 'host:port of one or more brokers with commas between' })
    .transform(text => text.split(',')),
  KAFKA_USERNAME: z.string().optional(),
  KAFKA_PASSWORD: z.string().optional(),
  KAFKA_SASL: z
    .enum(['plain', 'scram-sha-256', 'scram-sha-512'], { error: 'plain, scram-sha-256 or scram-sha-512' })
    .default('plain'),
  KAFKA_TLS: z
    .enum(['true', 'false'], { error: 'true or false' })
    .default('false')
    .transform(text => text === 'true'),
  CLICKHOUSE_URL: httpUrl,
  CLICKHOUSE_USER: z.string().optional(),
  CLICKHOUSE_PASSWORD: z.string().optional(),
  SCHEMA_REGISTRY_URL: httpUrl.optional(),
  BIND_ADDRESS: z.string().default('127.0.0.1'),
}
export type CommonConfig = z.output<z.ZodObject<typeof commonShape>>
