import { expect, test } from 'vitest'
import { rowsOfBody } from './body.ts'

test('one object, an array, lines', () => {
  expect(rowsOfBody('{"a":1}', undefined)).toEqual([{ index: 0, value: { a: 1 } }])
  expect(rowsOfBody(' [1, {"a":1}] ', 'application/json')).toEqual([
    { index: 0, value: 1 },
    { index: 1, value: { a: 1 } },
  ])
  expect(rowsOfBody('{"a":1}\n\n{"a":2}\r\n', 'application/x-ndjson')).toEqual([
    { index: 0, line: 1, value: { a: 1 } },
    { index: 1, line: 3, value: { a: 2 } },
  ])
})

test('one line of NDJSON that is an array is one row, and no event', () => {
  expect(rowsOfBody('[{"a":1}]', 'application/x-ndjson')).toEqual([{ index: 0, line: 1, value: [{ a: 1 }] }])
})

test('lines are recognised without the header, and a broken one is a row of its own', () => {
  const rows = rowsOfBody('{"a":1}\n{"a":\n{"a":3}', 'application/x-www-form-urlencoded')
  expect(rows?.map(row => [row.index, row.line, row.unreadable === undefined])).toEqual([
    [0, 1, true],
    [1, 2, false],
    [2, 3, true],
  ])
})

test.each(['', 'hello', 'hello\nworld', '<xml/>', '{"a":1'])('%j is no JSON at all', text => {
  expect(rowsOfBody(text, 'application/json')).toBeUndefined()
})
