/**
 * Every case of contract-examples.json gives its rows: alone, all together (the rows add up), in any order, everything
 * delivered twice, cut into any batches. Straight into the log, so that the ledger alone is on trial; the way through Kafka
 * is in `end-to-end.test.ts`.
 */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { beforeEach, expect, test } from 'vitest'
import type { DossierEventJson } from '../schemas/dossier-event/event.ts'
import { eventOf, monthlyRates, type RateRow, TIERS } from './events.ts'
import { ownDatabase } from './own-database.ts'

interface Example {
  name: string
  events: DossierEventJson[]
  rows: Record<(typeof TIERS)[number], RateRow[]>
}
const examples = JSON.parse(readFileSync(new URL('data/contract-examples.json', import.meta.url), 'utf8')) as Example[]

const { clickhouse, empty, ingest } = ownDatabase('motcua_examples')
beforeEach(() => empty())

/** The rows of several examples added up, as the contract's keys have them. */
function sumOf(cases: readonly Example[]): Example['rows'] {
  const sums = Object.fromEntries(
    TIERS.map(tier => {
      const byKey = new Map<string, RateRow>()
      for (const row of cases.flatMap(example => example.rows[tier])) {
        const key = `${row.month} ${row.unit_code} ${row.unit_valid_from}`
        const sum = byKey.get(key)
        if (sum === undefined) byKey.set(key, { ...row })
        else
          for (const column of [
            'received',
            'received_online',
            'settled',
            'settled_early',
            'settled_on_time',
            'settled_late',
          ] as const)
            sum[column] += row[column]
      }
      return [tier, [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row)]
    }),
  )
  return sums as Example['rows']
}

test.each(examples.map(example => [example.name, example] as const))('alone: %s', async (_, example) => {
  await ingest(example.events.map(eventOf))
  expect(await monthlyRates(clickhouse)).toEqual(sumOf([example]))
})

test('all together the rows add up', async () => {
  await ingest(examples.flatMap(example => example.events.map(eventOf)))
  expect(await monthlyRates(clickhouse)).toEqual(sumOf(examples))
})

test('in any order, everything twice, cut into any batches, the rows are the same', async () => {
  const events = examples.flatMap(example => example.events.map(eventOf))
  const expected = sumOf(examples)
  await fc.assert(
    fc.asyncProperty(
      fc.shuffledSubarray([...events, ...events], { minLength: events.length * 2 }),
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 12 }),
      async (deliveries, sizes) => {
        await empty()
        for (let at = 0, turn = 0; at < deliveries.length; turn++) {
          const size = sizes[turn % sizes.length] as number
          await ingest(deliveries.slice(at, at + size))
          at += size
        }
        expect(await monthlyRates(clickhouse)).toEqual(expected)
      },
    ),
    { numRuns: 6, endOnFailure: true },
  )
})

test('the same content under new event ids and the same revisions moves nothing', async () => {
  const events = examples.flatMap(example => example.events.map(eventOf))
  const fresh = events.map((event, at) => ({
    ...event,
    event_id: `${event.event_id.slice(0, 24)}${String(900_000_000_000 + at)}`,
  }))
  // Two examples turn on the id itself (equal revisions with different content).
  const steady = (example: Example) =>
    new Set(example.events.map(event => event.revision)).size ===
    new Set(example.events.map(event => event.event_id)).size
  const kept = examples.filter(steady)
  const dossiers = new Set(kept.flatMap(example => example.events.map(event => event.dossier_id)))
  await ingest(events.filter(event => dossiers.has(event.dossier_id)))
  await ingest(fresh.filter(event => dossiers.has(event.dossier_id)))
  expect(kept.length).toBeGreaterThan(12)
  expect(await monthlyRates(clickhouse)).toEqual(sumOf(kept))
})
