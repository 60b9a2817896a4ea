/** The fold is cut out of the statement of `balance`; a statement of another shape is refused, never half understood. */
import { expect, test } from 'vitest'
import { statementOf } from '../declarations.ts'
import { FoldShapeError, partsOf } from './fold.ts'

const statement = statementOf('balance')

test('every fact of the ledger, every field of the fold and every setting is found', () => {
  const { facts, fields, eventColumns, layers, settings } = partsOf(statement)
  expect(facts).toHaveLength(22)
  expect(facts).toContainEqual({ fact: 'f_compared', column: 'compared_on' })
  expect(fields).toHaveLength(22)
  expect(eventColumns).toMatch(/^dossier_id, rank, says,[\s\S]*data_reused$/)
  expect(layers).toContain("f_life NOT IN ('VOIDED', 'NOT_ACCEPTED')")
  expect(layers).toContain('cityHash64(f_unit')
  expect(settings).toContain('join_use_nulls = 0')
})

test.each([
  ['another aggregate', /argMaxIf\(e\.channel/, 'maxIf(e.channel'],
  ['events and history read differently', /FROM history/, ', partition FROM history'],
  ['another grouping', /GROUP BY e\.dossier_id/, 'GROUP BY e.slot, e.dossier_id'],
  ['no settings', /\nSETTINGS /, '\n-- SETTINGS '],
])('refused: %s', (_, part, replacement) => {
  const changed = statement.replace(part, replacement)
  expect(changed).not.toBe(statement)
  expect(() => partsOf(changed)).toThrow(FoldShapeError)
})
