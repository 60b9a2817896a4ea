/**
 * The roll-ups against the postings: every sum of the ledger's projections (unit, day, source, and more) equals the same sum computed from the postings themselves. A slice of days at a time, both read by one query.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../../common/clickhouse.ts'

export interface SumDifference {
  rollup: keyof typeof ROLLUPS
  unit_code: string
  day: string
  source: string
  /** The other columns that the roll-up is kept by: channel and service level, or what ended the dossier. */
  more: string[]
  /** What the roll-up says and what the postings say, in the order of the projection's sums. */
  rollup_says: number[]
  postings_say: number[]
}

/** Postings of one slice of days, about. */
const SLICE_POSTINGS = 2_000_000

const ROLLUPS = {
  received: { day: 'received_on', more: ['channel', 'service_level'], sums: ['sum(sign)'] },
  settled: {
    day: 'settled_on',
    more: ['channel', 'service_level'],
    sums: [
      'sum(sign)',
      'sumIf(sign, compared_on < due_on)',
      'sumIf(sign, compared_on > due_on AND due_on != toDate(0))',
    ],
  },
  ended: {
    day: 'ended_on',
    more: ['ended_as'],
    sums: ['sum(sign)', 'sumIf(sign, overdue_on != toDate(0) AND overdue_on < ended_on)'],
  },
  overdue: { day: 'overdue_on', more: [], sums: ['sumIf(sign, ended_on = toDate(0) OR overdue_on < ended_on)'] },
} as const

/** A condition on a column that no projection has: the sum must be computed. `audit.test.ts` reads the plan. */
const COMPUTED = "dossier_id != ''"

/** The query that compares one roll-up over some days; exported for the test that reads its plan. */
export function comparisonOf(
  rollup: keyof typeof ROLLUPS,
  from: string,
  to: string,
  tables = { read: 'dossier_postings', computed: 'dossier_postings' },
): string {
  const { day, more, sums } = ROLLUPS[rollup]
  const key = ['unit_code', day, 'source', ...more].join(', ')
  const days = `${day} BETWEEN toDate('${from}') AND toDate('${to}')`
  const read = sums.map((sum, at) => `${sum} AS a${at}, toInt64(0) AS b${at}`).join(', ')
  const computed = sums.map((sum, at) => `toInt64(0) AS a${at}, ${sum} AS b${at}`).join(', ')
  const side = (side: 'a' | 'b') => `[${sums.map((_, at) => `sum(${side}${at})`).join(', ')}]`
  return `SELECT '${rollup}' AS rollup, unit_code, toString(${day}) AS day, source, [${more.join(', ')}] AS more, ${side('a')} AS rollup_says, ${side('b')} AS postings_say
    FROM
    (
      SELECT ${key}, ${read} FROM ${tables.read} WHERE ${days} GROUP BY ${key}
      UNION ALL
      SELECT ${key}, ${computed} FROM ${tables.computed} WHERE ${days} AND ${COMPUTED} GROUP BY ${key}
    )
    GROUP BY ${key} HAVING rollup_says != postings_say ORDER BY ${key}`
}

/** Days cut so that each slice has about as many postings as fit in memory. */
async function daySlices(
  clickhouse: ClickHouseClient,
  day: string,
  since: Date | undefined,
): Promise<[string, string][]> {
  const news =
    since === undefined
      ? '1'
      : `posted_at >= toDateTime64('${since.toISOString().slice(0, 23).replace('T', ' ')}', 3, 'UTC')`
  const months = await rowsOf<{ first: string; last: string; postings: number }>(
    clickhouse,
    `SELECT toString(toStartOfMonth(${day}) AS month) AS first, toString(toLastDayOfMonth(any(${day}))) AS last, count() AS postings
     FROM dossier_postings WHERE ${news} GROUP BY month ORDER BY month`,
  )
  const slices: [string, string][] = []
  let rows = SLICE_POSTINGS
  for (const { first, last, postings } of months) {
    const open = slices.at(-1)
    if (open === undefined || rows + postings > SLICE_POSTINGS) {
      slices.push([first, last])
      rows = postings
    } else {
      open[1] = last
      rows += postings
    }
  }
  return slices
}

/** Every sum that differs; with `since` only in months that were posted to since then. */
export async function compareSums(clickhouse: ClickHouseClient, since?: Date): Promise<SumDifference[]> {
  const found: SumDifference[] = []
  for (const rollup of Object.keys(ROLLUPS) as (keyof typeof ROLLUPS)[])
    for (const [from, to] of await daySlices(clickhouse, ROLLUPS[rollup].day, since)) {
      const query = comparisonOf(rollup, from, to)
      let rows = await rowsOf<SumDifference>(clickhouse, query)
      // The two halves may have been read with a commit in between: only what differs again and again does differ.
      for (let turn = 0; turn < 3 && rows.length > 0; turn++) {
        const again = await rowsOf<SumDifference>(clickhouse, query)
        const key = ({ rollup_says, postings_say, ...key }: SumDifference) => JSON.stringify(key)
        const keys = new Set(again.map(key))
        rows = rows.filter(row => keys.has(key(row)))
      }
      found.push(...rows)
    }
  return found
}
