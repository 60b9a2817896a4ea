import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { readChanges } from './changes.ts'
import { FOLDERS, readSchema } from './declarations.ts'
import { readReference } from './reference.ts'

/** A copy of the schema that a test may spoil. */
function copyOf(folder: string): { path: string; url: URL } {
  const path = mkdtempSync(join(tmpdir(), 'motcua-schema-'))
  onTestFinished(() => rmSync(path, { recursive: true }))
  cpSync(new URL(folder, import.meta.url), path, { recursive: true })
  return { path, url: pathToFileURL(`${path}/`) }
}

test('each object stands behind those it refers to, and refers to its own folder or to those before it', () => {
  const declared = readSchema('motcua')
  const at = new Map(declared.map(({ name }, nth) => [name, nth]))
  const folderOf = new Map(declared.map(({ name, folder }) => [name, FOLDERS.indexOf(folder)]))
  const wrong = declared.flatMap(({ name, references }) =>
    references
      .filter(
        other =>
          (at.get(other) as number) > (at.get(name) as number) ||
          (folderOf.get(other) as number) > (folderOf.get(name) as number),
      )
      .map(other => `${name} refers to ${other}`),
  )
  expect(wrong).toEqual([])
  expect(declared.length).toBeGreaterThan(80)
})

test('one statement a file', () => {
  for (const { name, statement } of readSchema('motcua'))
    expect(statement.replace(/--.*$/gm, ''), name).not.toMatch(/;\s*(\n|$)/)
})

test('views with parameters are named with their database, so that they are found from any other', () => {
  const rates = readSchema('other').find(({ name }) => name === 'rates_by_commune')
  expect(rates?.statement).toContain('FROM other.rates_by_month(')
})

test.each([
  ['rates/0074_rates.sql', 'CREATE VIEW rates AS SELECT 1', /rates\/0074_rates\.sql is no declaration/],
  ['rates/README', '', /rates\/README is no declaration/],
  ['rates/other.sql', 'CREATE VIEW another AS SELECT 1', /other\.sql creates another; it must be/],
  ['rates/other.sql', 'ALTER TABLE rates ADD COLUMN x UInt8', /other\.sql creates nothing; it must be/],
  ['rates/rates.sql', 'CREATE VIEW rates AS SELECT * FROM rates_by_province', /a circle/],
  ['views/x.sql', 'CREATE VIEW x AS SELECT 1', /pipelines\/schema\/views is no folder of the schema/],
])('refused: %s, %s', (file, text, error) => {
  const { path, url } = copyOf('schema/')
  if (error.source === 'a circle')
    writeFileSync(join(path, 'rates/rates_by_province.sql'), 'CREATE VIEW rates_by_province AS SELECT * FROM rates')
  mkdirSync(join(path, file, '..'), { recursive: true })
  writeFileSync(join(path, file), text)
  expect(() => readSchema('motcua', url)).toThrow(error)
})

test('changes are read in order, statement by statement; a file that is none is refused', () => {
  const { path, url } = copyOf('changes/')
  writeFileSync(
    join(path, '0900_two.sql'),
    '-- Why.\nALTER TABLE a ADD COLUMN b UInt8;\nALTER TABLE c\n  DROP COLUMN d;\n',
  )
  expect(readChanges(url).slice(-2)).toEqual([
    { name: '0900_two', step: 0, statement: 'ALTER TABLE a ADD COLUMN b UInt8' },
    { name: '0900_two', step: 1, statement: 'ALTER TABLE c\n  DROP COLUMN d' },
  ])
  writeFileSync(join(path, '901_short.sql'), '')
  expect(() => readChanges(url)).toThrow(/pipelines\/changes\/901_short\.sql is no change/)
})

test('the reference files are whole', () => {
  expect(readReference('administrative_units')).toHaveLength(14_149)
  expect(readReference('procedures')).toHaveLength(2_948)
  expect(readReference('sectors')).toHaveLength(176)
  expect(readReference('agencies')).toHaveLength(300)
})
