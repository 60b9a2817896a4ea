/**
 * The log against Kafka: every offset of the topic that ingest has committed is in the log, or a dead letter, or its event is
 * in the log all the same (re-homed, or read again after a loss). What is not is read from the topic once more and named.
 *
 * The committed offsets are asked first, so that ingest may go on meanwhile: what it committed before, the log has.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClickHouseClient } from '@clickhouse/client'
import type { Kafka } from 'kafkajs'
import { createDecoder } from '../../schemas/dossier-event/codec.ts'
import type { SchemaRegistry } from '../../schemas/registry.ts'
import { rowsOf } from '../../services/common/clickhouse.ts'
import { withAdmin } from '../../services/common/kafka.ts'
import { caughtUp, offsetsOf, TOPIC, untilNow } from '../../services/ingest/progress.ts'
import { type Range, readRanges, type TopicRecord } from './read-topic.ts'
import { quoted } from './slices.ts'

/** A record that should be in the log and is not. */
export interface MissingRecord extends TopicRecord {
  topic: string
  /** Its event; undefined where the door refuses it and there is no dead letter. */
  event_id?: string
  dossier_id?: string
}

export interface TopicFindings {
  /** Offsets looked at. */
  offsets: number
  dead_letters: number
  /** Offsets whose event is in the log under another coordinate: re-homed, or read again. */
  elsewhere: number
  missing: number
  named: MissingRecord[]
  /** Offsets that are in no list and that the broker no longer has: nobody can say what they were. */
  gone: { partition: number; first: string; last: string }[]
}

export interface TopicDeps {
  kafka: Kafka
  clickhouse: ClickHouseClient
  registry: SchemaRegistry
}

/** Offsets of one query at most: what a sort of them takes stays far below the memory of a query. */
const WINDOW = 4_000_000n
/** Ranges kept before they are read: with many re-homed records nearly every offset is one. */
const RANGES_AT_ONCE = 200_000
/** How long a re-homed record may be under way to its partition. */
const UNDER_WAY_MS_MAX = 15_000
/** The copy of the dead letters in ClickHouse follows a moment later. */
const COPY_MS = 1_000
const COPY_TURNS = 4

/**
 * Looks at every offset from `from` (else from the beginning) to what ingest has committed. Names up to `limit` missing records;
 * `onMissing` gets all of them.
 */
export async function auditTopic(
  deps: TopicDeps,
  options: {
    limit: number
    onMissing?: (records: MissingRecord[]) => Promise<void>
    onProgress?: (offsets: number) => void
  },
): Promise<TopicFindings> {
  const { clickhouse, kafka } = deps
  const findings: TopicFindings = { offsets: 0, dead_letters: 0, elsewhere: 0, missing: 0, named: [], gone: [] }
  const judge = await createJudge(deps)
  /** Not in the log yet, but perhaps under way to the partition where they belong. */
  let doubtful: MissingRecord[] = []
  let doubted_ranges = new Map<number, Range[]>()

  async function found(records: MissingRecord[]) {
    findings.missing += records.length
    findings.named.push(...records.slice(0, Math.max(0, options.limit - findings.named.length)))
    if (records.length > 0) await options.onMissing?.(records)
  }
  async function settleDoubts() {
    if (doubtful.length === 0) return
    await caughtUp(deps, await untilNow(deps), UNDER_WAY_MS_MAX)
    let missing = doubtful
    for (let turn = 0; turn < COPY_TURNS && missing.length > 0; turn++) {
      if (turn > 0 && missing.every(record => record.event_id !== undefined)) break
      if (turn > 0) await sleep(COPY_MS)
      const judged = await judge(missing)
      findings.elsewhere += judged.elsewhere
      findings.dead_letters += judged.dead_letters
      missing = judged.missing
    }
    doubtful = []
    await found(missing)
  }
  async function readDoubted() {
    const ranges = doubted_ranges
    doubted_ranges = new Map()
    await readRanges(kafka, TOPIC, ranges, async records => {
      const { missing, elsewhere, dead_letters } = await judge(records)
      findings.elsewhere += elsewhere
      findings.dead_letters += dead_letters
      doubtful.push(...missing)
      if (doubtful.length > RANGES_AT_ONCE) await settleDoubts()
    })
    await settleDoubts()
  }

  for (const [partition, { low, committed }] of await withAdmin(kafka, offsetsOf))
    for (let from = 0n; from < committed; from += WINDOW) {
      const to = from + WINDOW < committed ? from + WINDOW : committed
      findings.offsets += Number(to - from)
      options.onProgress?.(findings.offsets)
      const { gaps, dead_letters } = await gapsOf(clickhouse, partition, from, to)
      findings.dead_letters += dead_letters
      for (const gap of gaps) {
        if (gap.first < low)
          findings.gone.push({
            partition,
            first: String(gap.first),
            last: String(gap.last < low ? gap.last : low - 1n),
          })
        if (gap.last < low) continue
        const range = gap.first < low ? { first: low, last: gap.last } : gap
        doubted_ranges.set(partition, [...(doubted_ranges.get(partition) ?? []), range])
      }
      if (sizeOf(doubted_ranges) > RANGES_AT_ONCE) await readDoubted()
    }
  await readDoubted()
  return findings
}

const sizeOf = (ranges: Map<number, Range[]>) => [...ranges.values()].reduce((sum, list) => sum + list.length, 0)

/** Offsets of a window that are neither in the log nor dead letters. */
async function gapsOf(clickhouse: ClickHouseClient, partition: number, from: bigint, to: bigint) {
  const at = `topic = ${quoted(TOPIC)} AND partition = ${partition} AND offset >= ${from} AND offset < ${to}`
  const rows = await rowsOf<{ first: string; last: string; dead_letters: number }>(
    clickhouse,
    `SELECT toString(previous + 1) AS first, toString(offset - 1) AS last, toInt64(0) AS dead_letters
     FROM
     (
       SELECT offset, lagInFrame(offset, 1, toInt64(${from} - 1)) OVER (ORDER BY offset ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS previous
       FROM (SELECT offset FROM dossier_events WHERE ${at} UNION ALL SELECT offset FROM dead_letters WHERE ${at} UNION ALL SELECT toInt64(${to}))
     )
     WHERE offset > previous + 1
     UNION ALL
     SELECT '', '', uniqExact(offset) FROM dead_letters WHERE ${at}`,
  )
  return {
    dead_letters: rows.find(row => row.first === '')?.dead_letters ?? 0,
    gaps: rows
      .filter(row => row.first !== '')
      .map(({ first, last }) => ({ first: BigInt(first), last: BigInt(last) }))
      .sort((a, b) => (a.first < b.first ? -1 : 1)),
  }
}

interface Judged {
  elsewhere: number
  dead_letters: number
  missing: MissingRecord[]
}

/** Decides about records that lie at gaps of the log. */
async function createJudge({ clickhouse, registry }: TopicDeps) {
  const units = await rowsOf<{ unit_code: string }>(clickhouse, 'SELECT DISTINCT unit_code FROM administrative_units')
  const codes = new Set(units.map(row => row.unit_code))
  const decoder = createDecoder(registry, code => codes.has(code))

  return async function judge(records: readonly TopicRecord[]): Promise<Judged> {
    await decoder.prepare(records.map(record => record.value))
    const named: MissingRecord[] = records.map(record => {
      const { event } = decoder.judgeRecord(record)
      return { ...record, topic: TOPIC, event_id: event?.event_id.toLowerCase(), dossier_id: event?.dossier_id }
    })
    const good = named.filter(record => record.event_id !== undefined)
    const refused = named.filter(record => record.event_id === undefined)
    const [inLog, dead] = await Promise.all([inLogOf(clickhouse, good), deadLettersOf(clickhouse, refused)])
    return {
      elsewhere: good.filter(record => inLog.has(keyOf(record))).length,
      dead_letters: refused.filter(record => dead.has(firstCoordinates(record))).length,
      missing: [
        ...good.filter(record => !inLog.has(keyOf(record))),
        ...refused.filter(record => !dead.has(firstCoordinates(record))),
      ],
    }
  }
}

const keyOf = ({ event_id, dossier_id }: { event_id?: string; dossier_id?: string }) => `${event_id} ${dossier_id}`

/** Which of these events the log has, wherever they came from. */
async function inLogOf(clickhouse: ClickHouseClient, records: readonly MissingRecord[]): Promise<Set<string>> {
  if (records.length === 0) return new Set()
  const dossiers = [...new Set(records.map(record => record.dossier_id as string))].map(quoted).join(', ')
  const events = [...new Set(records.map(record => record.event_id as string))].map(quoted).join(', ')
  const rows = await rowsOf<{ event_id: string; dossier_id: string }>(
    clickhouse,
    `SELECT DISTINCT lower(toString(event_id)) AS event_id, dossier_id FROM dossier_events
     WHERE slot IN (SELECT toUInt32OrZero(splitByChar('-', arrayJoin([${dossiers}]))[2])) AND dossier_id IN (${dossiers}) AND dossier_events.event_id IN (${events})`,
  )
  return new Set(rows.map(keyOf))
}

/** Where a record was refused the first time: a replayed dead letter carries it along. */
function firstCoordinates({ topic, partition, offset, headers }: MissingRecord): string {
  const header = (name: string) => headers[`__connect.errors.${name}`]?.toString()
  return `${header('topic') ?? topic} ${header('partition') ?? partition} ${header('offset') ?? offset}`
}

async function deadLettersOf(clickhouse: ClickHouseClient, records: readonly MissingRecord[]): Promise<Set<string>> {
  if (records.length === 0) return new Set()
  const list = records.map(record => quoted(firstCoordinates(record))).join(', ')
  const rows = await rowsOf<{ coordinates: string }>(
    clickhouse,
    `SELECT DISTINCT concat(topic, ' ', toString(partition), ' ', toString(offset)) AS coordinates FROM dead_letters WHERE coordinates IN (${list})`,
  )
  return new Set(rows.map(row => row.coordinates))
}
