/** What the exchange changed: the figures of the old ledger and of the new one, over all postings up to the same moment. */
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../../common/clickhouse.ts'
import { BEFORE, LEDGER } from './tables.ts'

export const MEASURES = ['postings', 'received', 'received_online', 'settled', 'settled_early', 'settled_late'] as const
export type Sums = Record<(typeof MEASURES)[number], number>

export interface Comparison {
  before: Sums
  after: Sums
  /** Days and recorded units whose figures differ. */
  differing: number
  /** The first of them. */
  examples: { unit_code: string; day: string; before: string; after: string }[]
}

const EXAMPLES_MAX = 20
const NAMES = MEASURES.slice(1)

/** `until`: postings after this moment are not compared. They are made while we look. */
export async function compare(clickhouse: ClickHouseClient, until: string): Promise<Comparison> {
  const sumsOf = async (table: string) =>
    (
      await rowsOf<Sums>(
        clickhouse,
        `SELECT count() AS postings, sum(sign) AS received, sumIf(sign, channel = 'ONLINE') AS received_online,
           sumIf(sign, settled_on != toDate(0)) AS settled, sumIf(sign, compared_on < due_on AND settled_on != toDate(0)) AS settled_early,
           sumIf(sign, compared_on > due_on AND due_on != toDate(0) AND settled_on != toDate(0)) AS settled_late
         FROM ${table} WHERE posted_at <= {until:DateTime64(3, 'UTC')}`,
        { until },
      )
    )[0] as Sums
  const flows = (table: string, side: 'b' | 'a') => `
    SELECT unit_code, received_on AS day, sum(sign) AS ${side}_received, sumIf(sign, channel = 'ONLINE') AS ${side}_received_online, 0 AS ${side}_settled, 0 AS ${side}_settled_early, 0 AS ${side}_settled_late
    FROM ${table} WHERE posted_at <= {until:DateTime64(3, 'UTC')} GROUP BY unit_code, day
    UNION ALL
    SELECT unit_code, settled_on AS day, 0, 0, sum(sign), sumIf(sign, compared_on < due_on), sumIf(sign, compared_on > due_on AND due_on != toDate(0))
    FROM ${table} WHERE posted_at <= {until:DateTime64(3, 'UTC')} AND settled_on != toDate(0) GROUP BY unit_code, day`
  const zeros = (side: 'b' | 'a') => NAMES.map(name => `0 AS ${side}_${name}`).join(', ')
  const own = (side: 'b' | 'a') => NAMES.map(name => `${side}_${name}`).join(', ')
  const differing = `SELECT unit_code, day, ${NAMES.flatMap(name => [`sum(b_${name}) AS sb_${name}`, `sum(a_${name}) AS sa_${name}`]).join(', ')}
    FROM (
      SELECT unit_code, day, ${own('b')}, ${zeros('a')} FROM (${flows(BEFORE, 'b')})
      UNION ALL
      SELECT unit_code, day, ${zeros('b')}, ${own('a')} FROM (${flows(LEDGER, 'a')})
    )
    GROUP BY unit_code, day
    HAVING ${NAMES.map(name => `sb_${name} != sa_${name}`).join(' OR ')}`
  const told = (side: 'b' | 'a') => `concat(${NAMES.map(name => `toString(s${side}_${name})`).join(", ' ', ")})`
  const [before, after, rows] = [
    await sumsOf(BEFORE),
    await sumsOf(LEDGER),
    await rowsOf<Comparison['examples'][number] & { differing: number }>(
      clickhouse,
      `SELECT unit_code, toString(day) AS day, ${told('b')} AS before, ${told('a')} AS after, count() OVER () AS differing
       FROM (${differing}) ORDER BY day, unit_code LIMIT ${EXAMPLES_MAX}`,
      { until },
    ),
  ]
  return {
    before,
    after,
    differing: rows[0]?.differing ?? 0,
    examples: rows.map(({ unit_code, day, before, after }) => ({ unit_code, day, before, after })),
  }
}
