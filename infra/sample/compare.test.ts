/** The closing table says exact only when it is, and shows what was published apart from what was made up. */
import { expect, test } from 'vitest'
import { tableOf } from './compare.ts'
import type { ReplayedSample } from './state.ts'

const figures = {
  received: 1000,
  received_online: 812,
  settled: 1000,
  settled_on_time: 950,
  settled_late: 50,
  land_received: 100,
  land_online: 2,
}
const plain = {
  ...figures,
  received: 1100,
  received_online: 880,
  settled_on_time: 1010,
  settled_late: 90,
  land_online: 7,
}
const sample: ReplayedSample = {
  unit: '58',
  valid_from: '1970-01-01',
  title: 'A sample',
  remark: 'made up',
  from: '2023-01-01',
  to: '2023-06-30',
  seed: '1',
  dossiers: 1000,
  published: { received: 1000, settled_on_time: 950, settled_late: 50, on_time_percent: '95.00' },
  figures,
  deliveries: 2700,
  stage: 'replayed',
}
const rows = (lines: string[]) => lines.map(line => line.trim().split(/ {3,}/))

test('what was published stands beside the views and the plain count', () => {
  const { lines, exact } = tableOf(sample, { figures, others: [] }, plain)
  expect(exact).toBe(true)
  expect(rows(lines)).toEqual(
    expect.arrayContaining([
      ['figure', 'published', 'rates (views)', 'plain count', 'difference'],
      ['received', '1,000', '1,000', '1,100', '0'],
      ['received online', '–', '812', '880', '0', 'synthetic'],
      ['online rate', '–', '81.20 %', '80.00 %', '0', 'synthetic'],
      ['settled on time', '950', '950', '1,010', '0'],
      ['settled late', '50', '50', '90', '0'],
      ['on-time rate', '95.00 %', '95.00 %', '91.82 %', '0'],
    ]),
  )
  expect(lines.join('\n')).not.toContain('land')
})

test('the land sector has rows where its rate was published', () => {
  const published = { online_percent: '81.20', land_online_percent: '2.06' }
  const { lines, exact } = tableOf({ ...sample, published }, { figures, others: [] }, plain)
  expect(exact).toBe(false)
  expect(rows(lines)).toContainEqual(['land: online rate', '2.06 %', '2.00 %', '7.00 %', '0.06 points'])
  expect(rows(lines)).toContainEqual(['online rate', '81.20 %', '81.20 %', '80.00 %', '0'])
})

test.each([
  ['one dossier too few', { received: 999 }, ['received', '1,000', '999', '1,100', '1'], 'caught up'],
  ['one too many', { received: 1001 }, ['received', '1,000', '1,001', '1,100', '-1'], 'audit'],
  [
    'a synthetic figure is off',
    { received_online: 811 },
    ['received online', '–', '811', '880', '1', 'synthetic'],
    'audit',
  ],
  ['nothing there', { received: 0 }, ['received', '1,000', '0', '1,100', '1,000'], 'is ingest running'],
])('%s: not exact, and it says what to look at', (_, off, row, advice) => {
  const { lines, exact } = tableOf(sample, { figures: { ...figures, ...off }, others: [] }, plain)
  expect(exact).toBe(false)
  expect(rows(lines)).toContainEqual(row)
  expect(lines.join('\n')).toContain(advice)
})

test('other systems that count in the unit are named', () => {
  expect(tableOf(sample, { figures, others: ['curl', 'H18'] }, plain).lines.join('\n')).toContain(
    'dossiers of curl, H18, left out',
  )
})
