/**
 * Decides about records that lie at gaps of the log: what each is, and whether its event is in the log all the same, or its
 * refusal among the dead letters. Works in small portions with breaths between them, because services share its event loop.
 *
 * Throws {@link TopicUnreadable} where a schema cannot be looked up: what cannot be judged has not passed.
 */
import { setImmediate as breathe, setTimeout as sleep } from 'node:timers/promises'
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../../common/clickhouse.ts'
import type { TopicRecord } from '../../common/fetch.ts'
import { TOPIC } from '../../common/progress.ts'
import { createDecoder, framed, type Verdict } from '../../schemas/dossier-event/codec.ts'
import type { Refusal } from '../../schemas/dossier-event/door.ts'
import type { SchemaRegistry } from '../../schemas/registry.ts'
import { quoted } from '../quoted.ts'
import { PARKED_REASONS } from './parked.ts'
import { TopicUnreadable } from './read-topic.ts'

/** A record that lies at a gap of the log, without its bytes. */
export interface Suspect {
  topic: string
  topic_epoch: number
  partition: number
  offset: bigint
  /** Its event; undefined where the door refuses it. */
  event_id?: string
  dossier_id?: string
  refusal?: Refusal
  schema_id?: number
}

export interface LookedUp<Some extends Suspect> {
  /** How many events are in the log under other coordinates, and how many refused records have their dead letter. */
  elsewhere: number
  dead_letters: number
  missing: Some[]
}

export interface Judge {
  /** What each record is. */
  judge(records: readonly TopicRecord[], topic_epoch: (partition: number) => number): Promise<Suspect[]>
  /** Where ClickHouse has them. */
  lookUp<Some extends Suspect>(suspects: readonly Some[]): Promise<LookedUp<Some>>
}

/** A registry decides within 30 s whether an id is unknown. */
const SCHEMA_MS_MAX = 35_000
const PORTION_ROWS = 200
const PORTION_BYTES = 262_144
const NAMES_AT_ONCE = 1_000

export interface JudgeDeps {
  clickhouse: ClickHouseClient
  registry: SchemaRegistry
  schema_ms_max?: number
}

export async function createJudge({ clickhouse, registry, schema_ms_max }: JudgeDeps): Promise<Judge> {
  const units = await rowsOf<{ unit_code: string }>(clickhouse, 'SELECT DISTINCT unit_code FROM administrative_units')
  const codes = new Set(units.map(row => row.unit_code))
  const judgeAll = createVerdicts(
    createDecoder(registry, code => codes.has(code)),
    schema_ms_max,
  )
  return {
    async judge(records, epochOf) {
      const verdicts = await judgeAll(records)
      return verdicts.map(({ event, schema_id, refusals }, at) => {
        const { partition, offset } = records[at] as TopicRecord
        const place = { topic: TOPIC, topic_epoch: epochOf(partition), partition, offset, schema_id }
        return event === undefined
          ? { ...place, refusal: refusals[0] as Refusal }
          : { ...place, event_id: event.event_id.toLowerCase(), dossier_id: event.dossier_id }
      })
    },
    async lookUp(suspects) {
      const found: LookedUp<(typeof suspects)[number]> = { elsewhere: 0, dead_letters: 0, missing: [] }
      for (let at = 0; at < suspects.length; at += NAMES_AT_ONCE) {
        const some = suspects.slice(at, at + NAMES_AT_ONCE)
        const good = some.filter(({ refusal }) => refusal === undefined)
        const inLog = await inLogOf(clickhouse, good)
        const letters = await lettersOf(
          clickhouse,
          some.filter(one => one.refusal !== undefined || !inLog.has(eventOf(one))),
        )
        /** A refused record has a letter; a good one only where it was set aside, and the letter tells why. */
        const isDead = (one: Suspect) => {
          const reasons = letters.get(placeOf(one))
          return reasons !== undefined && (one.refusal !== undefined || reasons.some(why => PARKED_REASONS.has(why)))
        }
        for (const one of some)
          if (one.refusal === undefined && inLog.has(eventOf(one))) found.elsewhere++
          else if (isDead(one)) found.dead_letters++
          else found.missing.push(one)
      }
      return found
    },
  }
}

const undecodable = (message: string): Verdict => ({
  schema_id: undefined,
  refusals: [{ reason: 'undecodable', field: '', message }],
})

/** Verdicts on records, in their order. Exported for its test. */
export function createVerdicts(
  decoder: Pick<ReturnType<typeof createDecoder>, 'prepare' | 'judgeRecord'>,
  schema_ms_max = SCHEMA_MS_MAX,
) {
  function judgeOne(record: TopicRecord): Verdict {
    if (record.unreadable !== undefined) return undecodable(record.unreadable)
    try {
      return decoder.judgeRecord(record)
    } catch (error) {
      // As ingest does after its tries: a record that only raises errors is a refused one.
      return undecodable(error instanceof Error ? error.message : String(error))
    }
  }

  return async function judgeAll(records: readonly TopicRecord[]): Promise<Verdict[]> {
    const verdicts: Verdict[] = []
    let bytes = 0
    let end = performance.now() + schema_ms_max
    while (verdicts.length < records.length) {
      const rest = records.slice(verdicts.length)
      const { ready, trouble, pause_ms } = await decoder.prepare(
        framed(rest.map(({ value, unreadable }) => (unreadable === undefined ? value : null))),
      )
      for (const record of rest.slice(0, ready)) {
        verdicts.push(judgeOne(record))
        bytes += record.value?.length ?? 0
        if (verdicts.length % PORTION_ROWS !== 0 && bytes < PORTION_BYTES) continue
        bytes = 0
        await breathe()
      }
      if (ready > 0) end = performance.now() + schema_ms_max
      if (verdicts.length === records.length) break
      if (performance.now() > end)
        throw new TopicUnreadable('SCHEMA_UNAVAILABLE', `${describe(rest[ready])} cannot be judged: ${trouble}`)
      await sleep(Math.min(pause_ms ?? 0, schema_ms_max / 10))
    }
    return verdicts
  }
}

const describe = (record: TopicRecord | undefined) =>
  `the record of ${TOPIC} partition ${record?.partition} offset ${record?.offset}`

const eventOf = ({ event_id, dossier_id }: { event_id?: string; dossier_id?: string }) => `${event_id} ${dossier_id}`
const placeOf = ({ topic, topic_epoch, partition, offset }: Suspect) => `${topic} ${topic_epoch} ${partition} ${offset}`

/** Which of these events the log has, wherever they came from. */
async function inLogOf(clickhouse: ClickHouseClient, suspects: readonly Suspect[]): Promise<Set<string>> {
  if (suspects.length === 0) return new Set()
  const dossiers = [...new Set(suspects.map(one => one.dossier_id as string))].map(quoted).join(', ')
  const events = [...new Set(suspects.map(one => one.event_id as string))].map(quoted).join(', ')
  const rows = await rowsOf<{ event_id: string; dossier_id: string }>(
    clickhouse,
    `SELECT DISTINCT lower(toString(event_id)) AS event_id, dossier_id FROM dossier_events
     WHERE slot IN (SELECT toUInt32OrZero(splitByChar('-', arrayJoin([${dossiers}]))[2])) AND dossier_id IN (${dossiers}) AND dossier_events.event_id IN (${events})`,
  )
  return new Set(rows.map(eventOf))
}

/** The reasons of the dead letters of these places: a letter names where its record lay, whatever the record's own headers say. */
async function lettersOf(clickhouse: ClickHouseClient, suspects: readonly Suspect[]): Promise<Map<string, string[]>> {
  if (suspects.length === 0) return new Map()
  const list = suspects.map(one => quoted(placeOf(one))).join(', ')
  const rows = await rowsOf<{ place: string; reasons: string[] }>(
    clickhouse,
    `SELECT concat(topic, ' ', toString(topic_epoch), ' ', toString(partition), ' ', toString(offset)) AS place, groupUniqArray(reason) AS reasons
     FROM dead_letters WHERE place IN (${list}) GROUP BY place`,
  )
  return new Map(rows.map(({ place, reasons }) => [place, reasons]))
}
