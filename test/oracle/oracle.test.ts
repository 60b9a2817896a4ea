/** The oracle gives what the contract's examples must give, and follows every unit of the lists through all times. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type DossierEventJson, dossierEventJson } from '../../schemas/dossier-event/event.ts'
import { codesOf, unitOnDay } from './lists.ts'
import { type RateRow, ratesBetween, ratesOf, type Tier } from './oracle.ts'

interface Example {
  name: string
  events: DossierEventJson[]
  rows: Record<Tier, RateRow[]>
}
const examples = JSON.parse(
  readFileSync(new URL('../data/contract-examples.json', import.meta.url), 'utf8'),
) as Example[]
const eventsOf = (example: Example) => example.events.map(event => dossierEventJson.parse(event))

test.each(examples.map(example => [example.name, example] as const))('contract example: %s', (_, example) => {
  expect(ratesOf(eventsOf(example))).toEqual(example.rows)
})

test('any order and any repetition of the events is the same to it', () => {
  const events = examples.flatMap(eventsOf)
  expect(ratesOf([...events, ...events].reverse())).toEqual(ratesOf(events))
})

test('a period adds up its months, and the country its provinces', () => {
  const events = examples.flatMap(eventsOf)
  const all = { from: '1990-01-01', to: '2099-12-31' } as const
  const received = (rows: { received: number }[]) => rows.reduce((sum, row) => sum + row.received, 0)
  expect(received(ratesBetween(events, { ...all, tier: 'province' }))).toBe(received(ratesOf(events).province))
  expect(ratesBetween(events, { ...all, tier: 'country' })).toMatchObject([
    { unit_code: 'VN', unit_valid_from: '1970-01-01', received: received(ratesOf(events).province) },
  ])
})

test('every unit of every time has a province valid on the day, before and after the reform', () => {
  const wrong: string[] = []
  for (const level of ['province', 'district', 'commune'])
    for (const listed of ['2025-06-30', '2025-07-01']) {
      const known = new Set(codesOf(level, '2025-06-30'))
      for (const code of codesOf(level, listed))
        for (const day of ['2025-06-30', '2025-07-01']) {
          // A code that came later keeps the province of its own first day.
          const came_later = day === '2025-06-30' && !known.has(code)
          if (unitOnDay(code, day).province.valid_from > day !== came_later) wrong.push(`${code} on ${day}`)
        }
    }
  expect(wrong).toEqual([])
})
