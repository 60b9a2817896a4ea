import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { answers, freePort, hostAndPort, PortInUseError, portIsFree, reachable, requireFreePort } from './ports.ts'

test('a port is free, then in use, then free again', async () => {
  const port = await freePort()
  expect(await portIsFree('127.0.0.1', port)).toBe(true)
  const server = createServer().listen(port, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  expect(await portIsFree('127.0.0.1', port)).toBe(false)
  expect(await answers('127.0.0.1', port)).toBe(true)
  await expect(requireFreePort('PORTAL_PORT', '127.0.0.1', port)).rejects.toThrow(PortInUseError)
  await new Promise(resolve => server.close(resolve))
  await requireFreePort('PORTAL_PORT', '127.0.0.1', port)
})

test('a listener on all addresses occupies each of them', async () => {
  const server = createServer().listen(0, '0.0.0.0')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  expect(await portIsFree('127.0.0.1', port)).toBe(false)
  await new Promise(resolve => server.close(resolve))
})

test('addresses to connect to', () => {
  expect([reachable('0.0.0.0'), reachable('::'), reachable('10.0.0.1')]).toEqual(['127.0.0.1', '::1', '10.0.0.1'])
  expect([hostAndPort('127.0.0.1', 1), hostAndPort('::1', 2)]).toEqual(['127.0.0.1:1', '[::1]:2'])
})
