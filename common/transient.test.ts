import { ClickHouseError } from '@clickhouse/client'
import { expect, test } from 'vitest'
import { RegistryUnavailable } from '../schemas/registry.ts'
import { UnacknowledgedError } from './send.ts'
import { isTransient } from './transient.ts'

const clickhouseError = (code: string, type: string) => new ClickHouseError({ message: 'x', code, type })

test.each([
  ['too many parts', clickhouseError('252', 'TOO_MANY_PARTS'), true],
  ['out of memory', clickhouseError('241', 'MEMORY_LIMIT_EXCEEDED'), true],
  ['too slow', clickhouseError('159', 'TIMEOUT_EXCEEDED'), true],
  ['refused connection', Object.assign(new Error('x'), { code: 'ECONNREFUSED' }), true],
  ['a wrapped reset', new Error('x', { cause: Object.assign(new Error('y'), { code: 'ECONNRESET' }) }), true],
  ["the client's time-out", new Error('Timeout error.'), true],
  ['a schema registry that does not answer', new RegistryUnavailable('x'), true],
  ['a broker that does not acknowledge', new UnacknowledgedError('t', [3]), true],
  [
    'a full disk',
    new ClickHouseError({
      message: 'Cannot write to file: , errno: 28, strerror: No space left on device',
      code: '75',
      type: 'CANNOT_WRITE_TO_FILE_DESCRIPTOR',
    }),
    true,
  ],
  ['an unknown table', clickhouseError('60', 'UNKNOWN_TABLE'), false],
  ['the block guard', clickhouseError('395', 'FUNCTION_THROW_IF_VALUE_IS_NON_ZERO'), false],
  ['bad data', clickhouseError('33', 'CANNOT_READ_ALL_DATA'), false],
  ['a bug of ours', new TypeError('x is not a function'), false],
])('%s', (_, error, transient) => {
  expect(isTransient(error)).toBe(transient)
})
