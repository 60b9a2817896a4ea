/** docs/sql.md says what the database says, and every example in it runs, as an analyst runs it. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readExamples } from '../docs/sql/examples.ts'
import { sqlGuide, UndocumentedError } from '../docs/sql/generate.ts'
import { clickhouseOfTests } from './events.ts'

const analyst = clickhouseOfTests('analyst')
const examples = readExamples()

test('docs/sql.md is what the database says (npm run docs writes it)', async () => {
  expect(await sqlGuide(analyst)).toBe(readFileSync(new URL('../docs/sql.md', import.meta.url), 'utf8'))
})

test.each(examples)('$object: $question', async ({ query }) => {
  const answer = await analyst.query({ query, format: 'JSONCompactEachRowWithNames' })
  const [names] = (await answer.json()) as [string[]]
  expect(names.length).toBeGreaterThan(0)
})

test('a view without an example, and an example without a view, are named', async () => {
  const without = examples.filter(({ object }) => object !== 'backlog')
  await expect(sqlGuide(analyst, without)).rejects.toThrow(/backlog has no example/)
  const strange = { object: 'backlogs', question: '?', query: 'SELECT 1' }
  await expect(sqlGuide(analyst, [...examples, strange])).rejects.toThrow(UndocumentedError)
})
