/** What the README tells a reader to run does run. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { rowsOf } from '../common/clickhouse.ts'
import { clickhouseOfTests } from './events.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const { scripts } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  scripts: Record<string, string>
}
const queries = [...readme.matchAll(/```sql\n([\s\S]*?)```/g)].map(match => match[1] as string)

test('there are five queries', () => {
  expect(queries).toHaveLength(5)
})
test.each(queries.map(query => [query.split('\n')[0] as string, query]))('%s', async (_, query) => {
  expect(Array.isArray(await rowsOf(clickhouseOfTests('analyst'), query))).toBe(true)
})
test('every npm script it names exists, and every script is named', () => {
  const named = new Set([...readme.matchAll(/npm run ([a-z:]+)/g)].map(match => match[1] as string))
  for (const name of named) expect(Object.keys(scripts)).toContain(name)
  for (const name of Object.keys(scripts))
    expect(name === 'start' || name === 'test' || named.has(name), name).toBe(true)
})
