/** Which offsets of a partition are in no list: neither in the log nor among the dead letters. Asked of ClickHouse alone. */
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../../common/clickhouse.ts'
import { TOPIC } from '../../common/progress.ts'
import { quoted } from '../quoted.ts'
import type { Range } from './read-topic.ts'

/** A partition in its present life (`topic_epochs`): rows of earlier ones say nothing about its offsets. */
export interface Life {
  partition: number
  topic_epoch: number
}

export interface Gaps {
  /** Ascending and apart. */
  gaps: Range[]
  dead_letters: number
  /** Up to there all is answered; more gaps than are taken at once end a window early. */
  to: bigint
}

/** Offsets of one query at most: what a sort of them takes stays far below the memory of a query. */
export const WINDOW = 4_000_000n
const GAPS_AT_ONCE = 50_000

/** Looks at the offsets from `from` to before `end`, a window of them or as many as have {@link GAPS_AT_ONCE} gaps. */
export async function gapsOf(
  clickhouse: ClickHouseClient,
  life: Life,
  from: bigint,
  end: bigint,
  gaps_max = GAPS_AT_ONCE,
): Promise<Gaps> {
  const window_end = from + WINDOW < end ? from + WINDOW : end
  const where = within(life, from, window_end)
  const rows = await rowsOf<{ first: string; last: string; dead_letters: number }>(
    clickhouse,
    `SELECT first, last, toUInt64(0) AS dead_letters
     FROM
     (
       SELECT toString(previous + 1) AS first, toString(offset - 1) AS last
       FROM
       (
         SELECT offset, lagInFrame(offset, 1, toInt64(${from} - 1)) OVER (ORDER BY offset ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS previous
         FROM (SELECT offset FROM dossier_events WHERE ${where} UNION ALL SELECT offset FROM dead_letters WHERE ${where} UNION ALL SELECT toInt64(${window_end}))
       )
       WHERE offset > previous + 1
       ORDER BY offset LIMIT ${gaps_max}
     )
     UNION ALL
     ${deadLetters(where)}`,
  )
  const gaps = rows
    .filter(({ first }) => first !== NO_GAP)
    .map(({ first, last }) => ({ first: BigInt(first), last: BigInt(last) }))
    .sort((a, b) => (a.first < b.first ? -1 : 1))
  const counted = rows.find(({ first }) => first === NO_GAP)?.dead_letters
  const last = gaps.at(-1)
  if (gaps.length < gaps_max || last === undefined) return { gaps, dead_letters: counted ?? 0, to: window_end }
  const to = last.last + 1n
  const [again] = await rowsOf<{ dead_letters: number }>(clickhouse, deadLetters(within(life, from, to)))
  return { gaps, dead_letters: again?.dead_letters ?? 0, to }
}

const within = ({ partition, topic_epoch }: Life, from: bigint, to: bigint) =>
  `topic = ${quoted(TOPIC)} AND topic_epoch = ${topic_epoch} AND partition = ${partition} AND offset >= ${from} AND offset < ${to}`

/** In the row that counts dead letters, beside rows of gaps. */
const NO_GAP = ''
const deadLetters = (where: string) =>
  `SELECT '${NO_GAP}' AS first, '${NO_GAP}' AS last, uniqExact(offset) AS dead_letters FROM dead_letters WHERE ${where}`

/** Per partition the first offset of its present life, where that is known and not the first one of all. */
export async function beginnings(clickhouse: ClickHouseClient): Promise<(life: Life) => bigint | undefined> {
  const rows = await rowsOf<{ partition: number; epoch: number; first: string }>(
    clickhouse,
    `SELECT partition, epoch, toString(min(first_offset)) AS first FROM topic_epochs
     WHERE topic = ${quoted(TOPIC)} AND first_offset >= 0 GROUP BY partition, epoch`,
  )
  const first = new Map(rows.map(row => [`${row.partition} ${row.epoch}`, BigInt(row.first)]))
  return ({ partition, topic_epoch }) => first.get(`${partition} ${topic_epoch}`)
}
