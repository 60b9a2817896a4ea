// Promise: the local Kafka is a broker to rely on. What was acknowledged is there after a stop, after SIGKILL, and after its
// parent was killed; it never outlives its parent; and a port in use is one clear error.
import { execFileSync, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Kafka, logLevel, Partitioners } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startLocalKafka } from '../infra/local/kafka/kafka.ts'
import { isAlive } from '../infra/lock.mjs'
import { freePort } from '../infra/ports.ts'
import { type ChildExit, residentBytes } from '../infra/processes.ts'

const LIMIT_MS = 120_000
const KAFKA = fileURLToPath(new URL('../infra/local/kafka/kafka.ts', import.meta.url))
let home: string
let port: number

beforeAll(async () => {
  // letters beyond ASCII and a blank, as in a home folder of a Vietnamese user
  home = await mkdtemp(join(tmpdir(), 'motcua một cửa-'))
  port = await freePort()
})
afterAll(() => rm(home, { recursive: true, force: true }))

const options = (exits: ChildExit[] = []) => ({
  host: '127.0.0.1',
  port,
  dataDir: join(home, 'kafka'),
  logFile: join(home, 'logs', 'kafka.log'),
  env: process.env,
  log: () => {},
  onExit: (exit: ChildExit) => exits.push(exit),
})

const client = () =>
  new Kafka({ clientId: 'test', brokers: [`127.0.0.1:${port}`], logLevel: logLevel.NOTHING, retry: { retries: 3 } })

async function produce(values: string[]): Promise<void> {
  const producer = client().producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
  })
  await producer.connect()
  await producer.send({ topic: 'events', acks: -1, messages: values.map(value => ({ key: value, value })) })
  await producer.disconnect()
}

async function consume(count: number, groupId: string): Promise<string[]> {
  const consumer = client().consumer({ groupId, rebalanceTimeout: 5000, sessionTimeout: 10_000 })
  const seen: string[] = []
  await consumer.connect()
  await consumer.subscribe({ topics: ['events'], fromBeginning: true })
  await consumer.run({ eachMessage: async ({ message }) => void seen.push(String(message.value)) })
  await expect.poll(() => seen.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(count)
  await consumer.disconnect()
  return seen.toSorted()
}

async function gone(pid: number, limitMs: number): Promise<boolean> {
  for (const end = Date.now() + limitMs; Date.now() < end; await sleep(50)) if (!isAlive(pid)) return true
  return !isAlive(pid)
}

test('a new broker: topics only on request, produce, consume, clean stop', { timeout: LIMIT_MS }, async () => {
  const exits: ChildExit[] = []
  const kafka = await startLocalKafka(options(exits))
  expect(kafka.brokers).toEqual([`127.0.0.1:${port}`])
  const admin = client().admin()
  await admin.connect()
  await expect(produce(['nowhere'])).rejects.toThrow()
  await admin.createTopics({
    topics: [{ topic: 'events', numPartitions: 3, replicationFactor: -1 }],
    waitForLeaders: true,
  })
  await admin.disconnect()
  await produce(['a', 'b', 'c'])
  expect(await consume(3, 'first')).toEqual(['a', 'b', 'c'])
  expect(await residentBytes(kafka.pid)).toBeLessThan(400_000_000)
  expect(await kafka.stop()).toMatchObject({ expected: true, signal: null })
  expect(exits).toHaveLength(1)
  expect(await readFile(join(home, 'logs', 'kafka.log'), 'utf8')).toContain('Kafka Server started')
})

test('a second start goes on with what is there, groups included', { timeout: LIMIT_MS }, async () => {
  const kafka = await startLocalKafka(options())
  await produce(['d'])
  expect(await consume(1, 'first')).toEqual(['d'])
  expect(await consume(4, 'second')).toEqual(['a', 'b', 'c', 'd'])
  await kafka.stop()
})

test('killed with SIGKILL it is reported, and has every acknowledged record after restart', {
  timeout: LIMIT_MS,
}, async () => {
  const exits: ChildExit[] = []
  const kafka = await startLocalKafka(options(exits))
  await produce(['e', 'f'])
  process.kill(kafka.pid, 'SIGKILL')
  await kafka.child.exited
  expect(exits).toEqual([{ name: 'Kafka', code: null, signal: 'SIGKILL', expected: false }])
  const again = await startLocalKafka(options())
  expect(await consume(6, 'third')).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
  await again.stop()
})

test('when its parent is killed with SIGKILL, broker and watchdog are gone within seconds', {
  timeout: LIMIT_MS,
}, async () => {
  const source = `
    import { startLocalKafka } from ${JSON.stringify(KAFKA)}
    const kafka = await startLocalKafka({ ...${JSON.stringify(options())}, log: () => {} })
    console.log('pid', kafka.pid)
    setInterval(() => {}, 1000)`
  const parent = spawn(process.execPath, ['--input-type=module-typescript', '-e', source], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const pid = await new Promise<number>((resolve, reject) => {
    parent.once('exit', () => reject(new Error('the parent ended by itself')))
    parent.stdout.on('data', data => {
      const match = /pid (\d+)/.exec(String(data))
      if (match !== null) resolve(Number(match[1]))
    })
  })
  parent.removeAllListeners('exit')
  expect(isAlive(pid)).toBe(true)
  parent.kill('SIGKILL')
  expect(await gone(pid, 10_000)).toBe(true)
  const watchdogs = () =>
    execFileSync('ps', ['-axo', 'args='], { encoding: 'utf8' }).includes(`motcua-deathwatch ${pid} `)
  await expect.poll(watchdogs, { timeout: 5000 }).toBe(false)
  const kafka = await startLocalKafka(options())
  expect(await consume(6, 'fourth')).toHaveLength(6)
  await kafka.stop()
})

test('a port in use is one error that names the variable', async () => {
  const other = createServer().listen(port, '127.0.0.1')
  await new Promise(resolve => other.once('listening', resolve))
  await expect(startLocalKafka(options())).rejects.toMatchObject({
    code: 'port_in_use',
    variable: 'KAFKA_PORT',
    message: `127.0.0.1:${port} is in use by another program. Set KAFKA_PORT to a free port, or end that program.`,
  })
  await new Promise(resolve => other.close(resolve))
})

test('a broker that cannot start is one error with the end of its log', { timeout: LIMIT_MS }, async () => {
  const first = await startLocalKafka(options())
  // the same data folder at the same time: Kafka's own lock refuses it
  const second = startLocalKafka({ ...options(), port: await freePort(), logFile: join(home, 'logs', 'second.log') })
  await expect(second).rejects.toMatchObject({ code: 'ended_before_ready', message: expect.stringContaining('  | ') })
  await first.stop()
})
