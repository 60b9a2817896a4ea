import { expect, test } from 'vitest'
import { z } from 'zod'
import { ConfigError, commonShape, integer, port, readConfig } from './config.ts'

const schema = z.object({ ...commonShape, INGEST_PORT: port(8082), ROWS: integer({ min: 1, max: 10, otherwise: 5 }) })
const good = { KAFKA_BROKERS: '127.0.0.1:9092', CLICKHOUSE_URL: 'http://127.0.0.1:8123' }

test('defaults, lists and numbers', () => {
  expect(readConfig(schema, { ...good, KAFKA_BROKERS: 'a:1,b:2', ROWS: '', INGEST_PORT: '' })).toMatchObject({
    KAFKA_BROKERS: ['a:1', 'b:2'],
    INGEST_PORT: 8082,
    ROWS: 5,
    BIND_ADDRESS: '127.0.0.1',
  })
})

test('all errors come together, with variable, value and what is allowed; passwords stay hidden', () => {
  const read = () =>
    readConfig(schema, {
      KAFKA_BROKERS: 'nowhere',
      KAFKA_TLS: 'perhaps',
      INGEST_PORT: '70000',
      ROWS: '11',
      MOTCUA_HOEM: 'x',
      KAFKA_PASSWORD: 'secret',
    })
  expect(read).toThrow(ConfigError)
  let message = ''
  try {
    read()
  } catch (error) {
    message = (error as Error).message
  }
  for (const part of [
    'KAFKA_BROKERS: "nowhere" is not allowed; allowed: host:port',
    'KAFKA_TLS: "perhaps" is not allowed; allowed: true or false',
    'INGEST_PORT: "70000" is not allowed; allowed: a port from 1 to 65535',
    'ROWS: "11" is not allowed; allowed: a whole number from 1 to 10',
    'CLICKHOUSE_URL: not set; needed: an address such as',
    'MOTCUA_HOEM: unknown; motcua knows',
  ])
    expect(message).toContain(part)
  expect(message).not.toContain('secret')
})
