import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readMigrations } from './migrate.ts'
import { readReference } from './reference.ts'

test('migrations are numbered without gap, hold one statement each, and have a way back', () => {
  const migrations = readMigrations()
  expect(migrations.map(migration => migration.version)).toEqual(migrations.map((_, at) => at))
  for (const { version, name, statement } of migrations) {
    expect(statement.replace(/^\s*--.*$/gm, ''), name).not.toMatch(/;\s*(\n|$)/)
    expect(
      existsSync(new URL(`migrations/${String(version).padStart(4, '0')}_${name}.down.sql`, import.meta.url)),
      name,
    ).toBe(true)
  }
})

test('the reference files are whole', () => {
  expect(readReference('administrative_units')).toHaveLength(14_149)
  expect(readReference('procedures')).toHaveLength(2_948)
  expect(readReference('sectors')).toHaveLength(176)
  expect(readReference('agencies')).toHaveLength(300)
})
