import { expect, test } from 'vitest'
import { type AvroSchema, avroType } from './avro.ts'
import { SUBJECTS, schemaFile } from './registry.ts'
import { readWriterSchema } from './writer-schema.ts'

test.each(SUBJECTS)('our own %s is read as what it is', subject => {
  const schema = schemaFile(`${subject}/v1.avsc`)
  expect(readWriterSchema(JSON.stringify(schema)).type?.schema()).toEqual(avroType(schema).schema())
})

test('a type may name another, and itself, in any namespace', () => {
  const schema = {
    type: 'record',
    name: 'a.b.Node',
    fields: [
      { name: 'next', type: ['null', 'Node'] },
      { name: 'kind', type: { type: 'enum', name: 'Kind', namespace: 'c', symbols: ['X'] } },
      { name: 'again', type: 'c.Kind' },
    ],
  } as unknown as AvroSchema
  expect(readWriterSchema(JSON.stringify(schema)).type?.schema()).toEqual(avroType(schema).schema())
})

/** Every level holds the one below twice, with a default: avsc would copy out 2^40 records. */
function doublingDefaults(): object {
  let schema: object = { type: 'record', name: 'D0', fields: [{ name: 'x', type: 'int', default: 0 }] }
  for (let n = 1; n <= 40; n++)
    schema = {
      type: 'record',
      name: `D${n}`,
      fields: [
        { name: 'x', type: schema, default: {} },
        { name: 'y', type: `D${n - 1}`, default: {} },
      ],
    }
  return schema
}

test('defaults of a writer cost nothing', () => {
  const begin = performance.now()
  expect(readWriterSchema(JSON.stringify(doublingDefaults())).type?.name).toBe('D40')
  expect(performance.now() - begin).toBeLessThan(1_000)
})

const field = (type: unknown, name: unknown = 'x') => ({ type: 'record', name: 'R', fields: [{ name, type }] })

test.each<[string, unknown]>([
  ['null', null],
  ['a number', 5],
  ['nothing', {}],
  ['a name of JavaScript as type', 'constructor'],
  ['the same in a field', field('__proto__')],
  ['the same as a type of types', { type: 'constructor', name: 'motcua.DossierEvent' }],
  ['a name that is code', field('int', 'x;process.exit()')],
  ['a name that is no text', field('int', { toString: 'x' })],
  ['no fields', { type: 'record', name: 'R' }],
  ['a field that is none', { type: 'record', name: 'R', fields: [null] }],
  ['symbols that are none', field({ type: 'enum', name: 'E', symbols: 5 })],
  ['a negative size', field({ type: 'fixed', name: 'F', size: -1 })],
  ['a union in a union', field([['null']])],
  ['an unknown name', field('Unknown')],
  ['too many parts', field(Array(20_000).fill('int'))],
])('refused, never thrown: %s', (_, schema) => {
  const { refused } = readWriterSchema(JSON.stringify(schema))
  expect(refused).toContain('no Avro schema that can be used')
  expect(refused?.length).toBeLessThan(300)
})
