import { expect, test } from 'vitest'
import { parseJavaMajor } from '../java.ts'
import { serverProperties } from './kafka.ts'

test('Java versions of several makers', () => {
  expect(parseJavaMajor('openjdk version "17.0.15" 2025-04-15')).toBe(17)
  expect(parseJavaMajor('java version "1.8.0_401"')).toBe(8)
  expect(parseJavaMajor('openjdk version "25" 2025-09-16')).toBe(25)
  expect(parseJavaMajor('openjdk version "27-ea" 2026-09-15')).toBe(27)
  expect(parseJavaMajor('The operation couldn’t be completed. Unable to locate a Java Runtime.')).toBeUndefined()
})

test('the properties name the address, and spell out what Latin-1 has not', () => {
  const text = serverProperties({ host: '127.0.0.1', port: 9092, dataDir: '/home/nguyễn/một cửa\\x' }, 19_093)
  expect(text).toContain('listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:19093\n')
  expect(text).toContain('advertised.listeners=PLAINTEXT://127.0.0.1:9092\n')
  expect(text).toContain('log.dirs=/home/nguy\\u1ec5n/m\\u1ed9t c\\u1eeda\\\\x\n')
  expect(text).toContain('auto.create.topics.enable=false\n')
})

test('all addresses: one of them is advertised', () => {
  const text = serverProperties({ host: '0.0.0.0', port: 9092, dataDir: '/d' }, 19_093)
  expect(text).toContain('listeners=PLAINTEXT://0.0.0.0:9092,')
  expect(text).toContain('advertised.listeners=PLAINTEXT://127.0.0.1:9092\n')
  expect(serverProperties({ host: '::1', port: 9092, dataDir: '/d' }, 1)).toContain('PLAINTEXT://[::1]:9092')
})
