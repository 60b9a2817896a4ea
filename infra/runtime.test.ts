import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from './ports.ts'
import { clickHouseAnswers } from './reach.ts'
import { type RuntimeOptions, startRuntime } from './runtime.ts'

let home: string
let options: Omit<RuntimeOptions, 'env'>
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'motcua-runtime-'))
  options = { home, host: '127.0.0.1', kafkaPort: await freePort(), clickhousePort: await freePort(), log: () => {} }
})
afterAll(() => rm(home, { recursive: true, force: true }))

test('nothing found: one message with the three ways on, naming exactly what is missing', async () => {
  const env = { PATH: '/nowhere', MOTCUA_RUNTIME: 'local' }
  const error = (await startRuntime({ ...options, env }).catch((thrown: unknown) => thrown)) as Error & { code: string }
  expect(error.code).toBe('runtime_missing')
  expect(error.message).toContain('Java: none found (Kafka needs 17 or later)')
  expect(error.message).toContain('1. set KAFKA_BROKERS and CLICKHOUSE_URL')
  expect(error.message).toContain('2. start Docker')
  expect(error.message).toContain('3. install what the local one needs: Java 17+ and Maven')
})

test('Docker asked for, and none there', async () => {
  const env = {
    PATH: process.env.PATH,
    MOTCUA_RUNTIME: 'docker',
    DOCKER_HOST: 'unix:///nowhere.sock',
    CLICKHOUSE_URL: 'http://127.0.0.1:1',
  }
  await expect(startRuntime({ ...options, env })).rejects.toThrow(
    /no Kafka to work with[\s\S]*Docker: no engine answers/,
  )
})

test('a port in use is said before anything is started', async () => {
  const other = createServer().listen(options.clickhousePort, '127.0.0.1')
  await new Promise(resolve => other.once('listening', resolve))
  const env = { ...process.env, MOTCUA_RUNTIME: 'local' }
  await expect(startRuntime({ ...options, env })).rejects.toMatchObject({
    code: 'port_in_use',
    variable: 'CLICKHOUSE_PORT',
  })
  expect(await readdir(home)).toEqual([])
  await new Promise(resolve => other.close(resolve))
})

test('an address in the environment where nobody answers is said, and nothing is started in its place', async () => {
  const env = { ...process.env, KAFKA_BROKERS: '127.0.0.1:1', CLICKHOUSE_URL: 'http://127.0.0.1:1' }
  const error = (await startRuntime({ ...options, env }).catch((thrown: unknown) => thrown)) as Error
  expect(error.message).toContain('no Kafka answers at KAFKA_BROKERS=127.0.0.1:1')
  expect(error.message).toContain('no ClickHouse answers at CLICKHOUSE_URL (127.0.0.1:1)')
  expect(await readdir(home)).toEqual([])
})

test('a ClickHouse answers only when it accepts the sign-in', async () => {
  const server = createHttpServer((request, response) => {
    const good = request.headers['x-clickhouse-user'] === 'ingest' && request.headers['x-clickhouse-key'] === 'b mt'
    response.writeHead(good ? 200 : 403).end(good ? '1\n' : 'Authentication failed')
  }).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  const url = `http://127.0.0.1:${port}`
  expect(await clickHouseAnswers({ url, username: 'ingest', password: 'b mt' })).toBe(true)
  expect(await clickHouseAnswers({ url: `http://ingest:b%20mt@127.0.0.1:${port}` })).toBe(true)
  expect(await clickHouseAnswers({ url })).toBe(false)
  server.close()
})
