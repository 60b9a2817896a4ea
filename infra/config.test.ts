import { expect, test } from 'vitest'
import { ConfigError, PROJECT, readConfig } from './config.ts'

const problemsOf = (env: NodeJS.ProcessEnv): readonly string[] => {
  try {
    readConfig(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

test('an empty environment gives the defaults of the contract', () => {
  expect(readConfig({ PATH: '/bin', KAFKA_PORT: '' })).toEqual({
    host: '127.0.0.1',
    ports: { kafka: 9092, clickhouse: 8123, portal: 8080, intake: 8081, ingest: 8082, alerts: 8083 },
    home: `${PROJECT}.motcua`,
    demoKey: 'demo',
    runtime: 'auto',
  })
})

test('a home is taken from the project, unless absolute', () => {
  expect(readConfig({ MOTCUA_HOME: 'state' }).home).toBe(`${PROJECT}state`)
  expect(readConfig({ MOTCUA_HOME: '/var/lib/motcua' }).home).toBe('/var/lib/motcua')
})

test('addresses and sign-in are read', () => {
  const config = readConfig({
    KAFKA_BROKERS: 'a.example:9092, [::1]:9093',
    KAFKA_TLS: 'true',
    KAFKA_SASL: 'scram-sha-512',
    KAFKA_USERNAME: 'u',
    KAFKA_PASSWORD: 'p',
    CLICKHOUSE_URL: 'https://ch.example:8443',
    CLICKHOUSE_USER: 'ingest',
  })
  expect(config.kafka).toEqual({
    brokers: ['a.example:9092', '[::1]:9093'],
    ssl: true,
    sasl: { mechanism: 'scram-sha-512', username: 'u', password: 'p' },
  })
  expect(config.clickhouse).toEqual({ url: 'https://ch.example:8443', username: 'ingest', password: undefined })
})

test('all errors are reported together, each with its variable, value and what is allowed', () => {
  const problems = problemsOf({
    KAFKA_PORT: '70000',
    PORTAL_PORT: '80a',
    MOTCUA_RUNTIME: 'podman',
    MOTCUA_HOEM: 'x',
    CLICKHOUSE_URL: 'tcp://x:9000',
    KAFKA_BROKERS: 'nohost',
  })
  expect(problems).toHaveLength(6)
  expect(problems[0]).toMatch(/^MOTCUA_HOEM: unknown; .*MOTCUA_HOME/)
  expect(problems).toContainEqual('KAFKA_PORT: "70000" is not allowed; allowed: a port from 1 to 65535')
  expect(problems).toContainEqual('MOTCUA_RUNTIME: "podman" is not allowed; allowed: auto, docker or local')
})

test('two services cannot share a port', () => {
  expect(problemsOf({ PORTAL_PORT: '8083' })).toEqual([
    'ALERTS_PORT: 8083 is also PORTAL_PORT; give each a port of its own',
  ])
})

test('half a sign-in is refused, and no secret is printed', () => {
  expect(problemsOf({ KAFKA_USERNAME: 'u' })[0]).toContain('both or none')
  expect(problemsOf({ MOTCUA_DEMO_KEY: 'two words' })[0]).not.toContain('two words')
})
