import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { examine, memoryFinding, nodeFinding, report } from './doctor.ts'
import { freePort } from './ports.ts'

const quiet = async () => ({
  PATH: process.env.PATH,
  MOTCUA_RUNTIME: 'local',
  // Not the project's own: an npm start may be running there.
  MOTCUA_HOME: join(tmpdir(), `motcua-doctor-${process.pid}`),
  KAFKA_PORT: String(await freePort()),
  CLICKHOUSE_PORT: String(await freePort()),
  PORTAL_PORT: String(await freePort()),
  INTAKE_PORT: String(await freePort()),
  INGEST_PORT: String(await freePort()),
  ALERTS_PORT: String(await freePort()),
})

test('every point is a line, and a port in use names its variable and what to do', { timeout: 20_000 }, async () => {
  const env = await quiet()
  const other = createServer().listen(Number(env.PORTAL_PORT), '127.0.0.1')
  await new Promise(resolve => other.once('listening', resolve))
  const text = report(await examine(env))
  expect(text).toMatch(/^✓ Node 24/)
  expect(text).toContain('✓ npm packages: all')
  expect(text).toContain(`✗ port ${env.PORTAL_PORT} (PORTAL_PORT) is in use by another program\n    → set PORTAL_PORT`)
  expect(text).toContain(`✓ port ${env.INTAKE_PORT} (INTAKE_PORT) is free`)
  expect(text).toMatch(/npm start cannot work here yet: \d ✗ above\.$/)
  await new Promise(resolve => other.close(resolve))
})

test('wrong variables are all named, and nothing else is guessed from them', async () => {
  const findings = await examine({ ...(await quiet()), KAFKA_PORT: 'x', MOTCUA_HOEM: 'y' })
  const bad = findings.filter(finding => finding.state === 'bad').map(finding => finding.text)
  expect(bad).toHaveLength(2)
  expect(bad.join()).toMatch(/MOTCUA_HOEM: unknown.*KAFKA_PORT: "x"/)
})

test('without Java it says which, and the ways round it', { timeout: 20_000 }, async () => {
  const text = report(await examine({ ...(await quiet()), PATH: '/nowhere' }))
  expect(text).toContain('✗ Java: none found')
  expect(text).toContain('or start Docker, or set KAFKA_BROKERS')
})

test('an address in the environment is tried, and its ports are not asked for', { timeout: 20_000 }, async () => {
  const env = { ...(await quiet()), KAFKA_BROKERS: '127.0.0.1:1', CLICKHOUSE_URL: 'http://u:secret@127.0.0.1:1' }
  const text = report(await examine(env))
  expect(text).toContain('✗ Kafka: nobody answers at KAFKA_BROKERS (127.0.0.1:1)')
  expect(text).toContain('✗ ClickHouse: nobody answers at CLICKHOUSE_URL (127.0.0.1:1)')
  expect(text).not.toContain('secret')
  expect(text).not.toContain('KAFKA_PORT')
})

test('an old Node is bad, little memory only a warning', () => {
  expect(nodeFinding('20.1.0').state).toBe('bad')
  expect(memoryFinding(2 ** 30, 2 ** 29).state).toBe('warn')
  expect(report([memoryFinding(2 ** 30, 2 ** 29)])).toMatch(/^! memory: 1\.0 GiB[\s\S]*npm start can work here\.$/)
})
