/**
 * The log against Kafka: every offset of the topic that ingest has settled is in the log, or a dead letter, or its event is
 * in the log all the same (re-homed, or read again after a loss). What is not is read from the topic once more and named.
 *
 * How far ingest has come is asked first, so that it may go on meanwhile: what it had settled by then, the log has. Memory is
 * bounded, however much is missing and however large the records are.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClickHouseClient } from '@clickhouse/client'
import type { Kafka } from 'kafkajs'
import type { TopicRecord } from '../../common/fetch.ts'
import { caughtUp, progressOf, TOPIC, topicEnds, untilNow } from '../../common/progress.ts'
import { bytesOfMessage } from '../../common/send.ts'
import type { SchemaRegistry } from '../../schemas/registry.ts'
import { beginnings, gapsOf } from './gaps.ts'
import { createJudge, type LookedUp, type Suspect } from './judge.ts'
import { type LeaveOut, offsetsIn, without } from './leave-out.ts'
import { type Range, readRanges, TopicUnreadable } from './read-topic.ts'

/** A record that should be in the log, or among the dead letters, and is not. */
export interface MissingRecord extends Suspect {
  record: TopicRecord
}
/** Its bytes are kept only where somebody wants them. */
type Doubt = Suspect & { record?: TopicRecord }

export interface TopicFindings {
  /** Offsets looked at. */
  offsets: number
  dead_letters: number
  /** Offsets whose event is in the log under another coordinate: re-homed, or read again. */
  elsewhere: number
  missing: number
  named: Suspect[]
  /** Offsets that are in no list and that the broker no longer has: what they were cannot be said any more. */
  gone_offsets: number
  gone: { partition: number; first: string; last: string }[]
  /** Offsets that are in no list and were not read, because the audit was told to leave them out. */
  left_out: number
}

export interface TopicDeps {
  kafka: Kafka
  clickhouse: ClickHouseClient
  registry: SchemaRegistry
}

export interface TopicOptions {
  /** How many of each kind are named. */
  limit: number
  leave_out?: LeaveOut
  /** Gets all missing records, with their bytes. */
  onMissing?: (records: MissingRecord[]) => Promise<void>
  onProgress?: (offsets: number) => void
}

/** Ranges kept before they are read: with many re-homed records nearly every offset is one. */
const RANGES_AT_ONCE = 200_000
/** What doubtful records may take before they are settled, and what one takes without its bytes. */
const DOUBTS_BYTES_MAX = 33_554_432
const DOUBT_BYTES = 512
/** How long a re-homed record may be under way to its partition. */
const UNDER_WAY_MS_MAX = 15_000
/** The copy of the dead letters in ClickHouse follows a moment later. */
const COPY_MS = 1_000
const COPY_TURNS = 4

/** Looks at every offset of the present life of each partition, to where ingest has come. */
export async function auditTopic(deps: TopicDeps, options: TopicOptions): Promise<TopicFindings> {
  const { clickhouse, kafka } = deps
  const findings: TopicFindings = {
    ...{ offsets: 0, dead_letters: 0, elsewhere: 0, missing: 0, named: [] },
    ...{ gone_offsets: 0, gone: [], left_out: 0 },
  }
  const progress = await progressOf(clickhouse)
  const ends = await topicEnds(kafka)
  const beginningOf = await beginnings(clickhouse)
  const doubts = await createDoubts(deps, options, findings, partition => progress.get(partition)?.topic_epoch ?? 0)

  for (const [partition, { topic_epoch, next_offset }] of progress) {
    const end = ends.get(partition)
    // The topic was made again with fewer partitions.
    if (end === undefined) continue
    if (next_offset > end.high)
      throw new TopicUnreadable(
        'TOPIC_UNREADABLE',
        `${TOPIC} partition ${partition} ends at offset ${end.high}, and ingest has settled it up to ${next_offset}: the topic was made again or cut off, and ingest has not seen that yet`,
      )
    const life = { partition, topic_epoch }
    const out = options.leave_out?.get(partition) ?? []
    // What lies before a later life belonged to an earlier one.
    let from = topic_epoch === 0 ? 0n : (beginningOf(life) ?? end.low)
    while (from < next_offset) {
      const { gaps, dead_letters, to } = await gapsOf(clickhouse, life, from, next_offset)
      findings.offsets += Number(to - from)
      findings.dead_letters += dead_letters
      options.onProgress?.(findings.offsets)
      for (const gap of gaps) {
        const kept = without(gap, out)
        findings.left_out += offsetsIn([gap]) - offsetsIn(kept)
        for (const range of kept) doubts.add(partition, range, end.low)
      }
      await doubts.readWhereMany()
      from = to
    }
  }
  await doubts.read()
  return findings
}

/** What lies at gaps of the log: kept until it is worth reading, and what is read until it is certain. */
async function createDoubts(
  deps: TopicDeps,
  { limit, onMissing }: TopicOptions,
  findings: TopicFindings,
  epochOf: (partition: number) => number,
) {
  const { clickhouse, kafka } = deps
  const { judge, lookUp } = await createJudge(deps)
  let ranges = new Map<number, Range[]>()
  let ranges_kept = 0
  /** Not in the log yet, but perhaps under way to the partition where they belong. */
  let doubtful: Doubt[] = []
  let doubtful_bytes = 0

  async function tell(missing: Doubt[]): Promise<void> {
    findings.missing += missing.length
    for (const { record: _, ...suspect } of missing.slice(0, Math.max(0, limit - findings.named.length)))
      findings.named.push(suspect)
    if (missing.length > 0) await onMissing?.(missing as MissingRecord[])
  }

  function note({ elsewhere, dead_letters, missing }: LookedUp<Doubt>): Doubt[] {
    findings.elsewhere += elsewhere
    findings.dead_letters += dead_letters
    return missing
  }

  async function settle(): Promise<void> {
    if (doubtful.length === 0) return
    let missing = doubtful
    doubtful = []
    doubtful_bytes = 0
    await caughtUp({ clickhouse }, await untilNow(deps), UNDER_WAY_MS_MAX)
    for (let turn = 0; turn < COPY_TURNS && missing.length > 0; turn++) {
      if (turn > 0 && missing.every(({ refusal }) => refusal === undefined)) break
      if (turn > 0) await sleep(COPY_MS)
      missing = note(await lookUp(missing))
    }
    await tell(missing)
  }

  async function look(records: TopicRecord[]): Promise<void> {
    const suspects: Doubt[] = await judge(records, epochOf)
    if (onMissing !== undefined) for (const [at, suspect] of suspects.entries()) suspect.record = records[at]
    for (const doubt of note(await lookUp(suspects))) {
      if (doubt.record !== undefined) doubt.record = copyOf(doubt.record)
      doubtful.push(doubt)
      doubtful_bytes += DOUBT_BYTES + (doubt.record === undefined ? 0 : bytesOfMessage(doubt.record))
    }
    if (doubtful_bytes > DOUBTS_BYTES_MAX) await settle()
  }

  async function read(): Promise<void> {
    const all = ranges
    ranges = new Map()
    ranges_kept = 0
    await readRanges(kafka, TOPIC, all, look)
    await settle()
  }

  return {
    /** An offset before `low` cannot be read any more. */
    add(partition: number, range: Range, low: bigint): void {
      if (range.first < low) {
        const gone = { first: range.first, last: range.last < low ? range.last : low - 1n }
        findings.gone_offsets += offsetsIn([gone])
        if (findings.gone.length < limit)
          findings.gone.push({ partition, first: String(gone.first), last: String(gone.last) })
      }
      if (range.last < low) return
      const list = ranges.get(partition) ?? []
      list.push(range.first < low ? { first: low, last: range.last } : range)
      ranges.set(partition, list)
      ranges_kept++
    },
    read,
    readWhereMany: () => (ranges_kept > RANGES_AT_ONCE ? read() : undefined),
  }
}

/** A record without the batch that it was cut out of. */
function copyOf(record: TopicRecord): TopicRecord {
  const copied = (bytes: Buffer | null) => bytes && Buffer.from(bytes)
  return {
    ...record,
    key: copied(record.key),
    value: copied(record.value),
    headers: [...record.headers].map(([name, value]) => [name, copied(value)]),
  }
}
