// The way through Docker, against an engine of our own: a small HTTP server on a socket that answers as Docker's API does.
// It shows which containers motcua asks for, and that the engine's answers lead to addresses. Not shown: that the images
// themselves start; that needs a real engine.
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer as createHttpServer, type IncomingMessage, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from './ports.ts'
import type { Runtime } from './runtime.ts'

interface Created {
  Image: string
  Env: string[]
  HostConfig: { Binds: string[]; PortBindings: Record<string, { HostIp: string; HostPort: string }[]> }
}

let folder: string
let engine: Server
let inner: Server
const requests: string[] = []
const created = new Map<string, Created>()

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'motcua-docker-'))
  engine = createHttpServer(
    (request, response) =>
      void answer(request).then(({ status, body, type }) => {
        response.writeHead(status, { 'content-type': type ?? 'application/json', 'api-version': '1.47' })
        response.end(body)
      }),
  )
  await new Promise<void>(resolve => engine.listen(join(folder, 'docker.sock'), resolve))
  process.env.DOCKER_HOST = `unix://${join(folder, 'docker.sock')}`
  process.env.TESTCONTAINERS_RYUK_DISABLED = 'true'
  // testcontainers would look for its gateway where these tests run in a container themselves
  process.env.TESTCONTAINERS_HOST_OVERRIDE = 'localhost'
})
afterAll(async () => {
  engine.close()
  inner?.close()
  await rm(folder, { recursive: true, force: true })
})

interface Reply {
  readonly status: number
  readonly body?: string | Buffer
  readonly type?: string
}

const json = (value: unknown, status = 200): Reply => ({ status, body: JSON.stringify(value) })

async function answer(request: IncomingMessage): Promise<Reply> {
  const path = (request.url ?? '').replace(/^\/v[\d.]+/, '')
  requests.push(`${request.method} ${path}`)
  const body = await text(request)
  const id = /^\/containers\/(\w+)\//.exec(path)?.[1] ?? ''
  if (path === '/_ping') return { status: 200, body: 'OK', type: 'text/plain' }
  if (path === '/info')
    return json({
      ServerVersion: '28.0',
      OperatingSystem: 'Fake',
      OSType: 'linux',
      Architecture: 'x86_64',
      NCPU: 2,
      MemTotal: 8e9,
    })
  if (path.startsWith('/images/') && path.endsWith('/json')) return json({ Id: 'sha256:1', Config: {} })
  if (path.startsWith('/containers/json')) return json([])
  if (path.startsWith('/containers/create')) {
    const container = JSON.parse(body) as Created
    const name = container.Image.includes('kafka') ? 'kafka' : 'clickhouse'
    created.set(name, container)
    return json({ Id: name, Warnings: [] }, 201)
  }
  if (path.startsWith('/containers/') && path.includes('/logs'))
    return { status: 200, body: frame('Kafka Server started\n'), type: 'application/vnd.docker.raw-stream' }
  if (path.startsWith('/containers/') && path.endsWith('/json')) return json(inspection(id))
  return { status: request.method === 'PUT' ? 200 : 204 }
}

/** Docker's own framing of a log: stream, length, text. */
function frame(line: string): Buffer {
  const head = Buffer.alloc(8)
  head[0] = 1
  head.writeUInt32BE(Buffer.byteLength(line), 4)
  return Buffer.concat([head, Buffer.from(line)])
}

function inspection(id: string) {
  const container = created.get(id)
  return {
    Id: id,
    Name: `/${id}`,
    Config: { Hostname: id, Labels: {} },
    State: {
      Status: 'running',
      Running: true,
      StartedAt: new Date().toISOString(),
      FinishedAt: '0001-01-01T00:00:00Z',
    },
    NetworkSettings: { Ports: container?.HostConfig.PortBindings, Networks: {} },
  }
}

test('containers with pinned images, ports of this machine only, and data in volumes', {
  timeout: 60_000,
}, async () => {
  const { startRuntime } = await import('./runtime.ts')
  const { CLICKHOUSE_IMAGE, KAFKA_IMAGE, volumeName } = await import('./docker.ts')
  const [kafkaPort, clickhousePort] = [await freePort(), await freePort()]
  const env = { ...process.env, MOTCUA_RUNTIME: 'docker' }
  const starting: Promise<Runtime> = startRuntime({
    home: folder,
    host: '127.0.0.1',
    kafkaPort,
    clickhousePort,
    env,
    log: () => {},
  })
  starting.catch(() => {})
  // what the container would do: listen on its published ports
  await expect.poll(() => created.size, { timeout: 20_000 }).toBe(2)
  inner = createHttpServer((_, response) => response.end('Ok.\n')).listen(clickhousePort, '127.0.0.1')
  const runtime = await starting
  expect(runtime.kafka).toEqual({ brokers: [`127.0.0.1:${kafkaPort}`], ssl: false, how: 'docker' })
  expect(runtime.clickhouse).toEqual({ url: `http://127.0.0.1:${clickhousePort}`, how: 'docker' })

  const kafka = created.get('kafka') as Created
  expect(kafka.Image).toBe(KAFKA_IMAGE)
  expect(kafka.Env).toContain(`KAFKA_ADVERTISED_LISTENERS=HOST://127.0.0.1:${kafkaPort}`)
  expect(kafka.HostConfig.PortBindings).toEqual({ '9092/tcp': [{ HostIp: '127.0.0.1', HostPort: String(kafkaPort) }] })
  expect(kafka.HostConfig.Binds).toEqual([`${volumeName(folder, 'kafka')}:/var/lib/kafka/data:rw`])
  const clickhouse = created.get('clickhouse') as Created
  expect(clickhouse.Image).toBe(CLICKHOUSE_IMAGE)
  expect(clickhouse.HostConfig.PortBindings).toEqual({
    '8123/tcp': [{ HostIp: '127.0.0.1', HostPort: String(clickhousePort) }],
  })
  expect(requests.some(line => line.startsWith('PUT /containers/clickhouse/archive'))).toBe(true)

  await runtime.stop()
  expect(requests.some(line => /^POST \/containers\/kafka\/stop\?t=20/.test(line))).toBe(true)
  expect(requests.some(line => /^DELETE \/containers\/kafka\?v=false/.test(line))).toBe(true)
})

test('what --fresh forgets', async () => {
  const { removeRuntimeData } = await import('./runtime.ts')
  const { volumeName } = await import('./docker.ts')
  await removeRuntimeData(folder, process.env)
  for (const service of ['kafka', 'clickhouse'] as const)
    expect(requests).toContain(`DELETE /volumes/${volumeName(folder, service)}`)
})

test('the knock: an engine that answers, one that does not, one that hangs', { timeout: 10_000 }, async () => {
  const { dockerAnswers } = await import('./docker.ts')
  expect(await dockerAnswers({ DOCKER_HOST: `unix://${join(folder, 'docker.sock')}` })).toBe(true)
  expect(await dockerAnswers({ DOCKER_HOST: `unix://${join(folder, 'nothing.sock')}` })).toBe(false)
  expect(await dockerAnswers({ DOCKER_HOST: 'tcp://127.0.0.1:9' })).toBe(false)
  const mute = createHttpServer(() => {}).listen(join(folder, 'mute.sock'))
  const started = Date.now()
  expect(await dockerAnswers({ DOCKER_HOST: `unix://${join(folder, 'mute.sock')}` })).toBe(false)
  expect(Date.now() - started).toBeLessThan(3000)
  mute.closeAllConnections()
  mute.close()
})
