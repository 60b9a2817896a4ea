/**
 * Makes right what an audit found, through the front door: nothing is written into ClickHouse from here.
 *
 * - `reingest`: a record that the log lost is produced once more, byte for byte, into the partition where it belongs. Its
 *   event_id is the same, so it counts once whatever else happens.
 * - `repair`: each differing dossier gets an event that says nothing (PROCESSING, revision 0, no field, source
 *   `motcua-repair`). Ingest takes it in like any other, and the ledger balances what it touches.
 *
 * A repair is refused while a raw event is missing: the ledger would agree with an incomplete log, and nobody would see it.
 */
import { randomUUID } from 'node:crypto'
import type { IHeaders, Kafka, Message } from 'kafkajs'
import { type DossierEvent, dossierEventJson } from '../../schemas/dossier-event/event.ts'
import type { SchemaRegistry } from '../../schemas/registry.ts'
import { frame } from '../../schemas/wire.ts'
import { createProducer, partitionCount } from '../../services/common/kafka.ts'
import { partitionOf } from '../../services/common/partition.ts'
import { caughtUp, TOPIC, type Until } from '../../services/ingest/progress.ts'
import { type AuditDeps, type AuditReport, compareDossiers, DIFFERENCES_MAX } from './audit.ts'
import type { Difference } from './ledger.ts'
import type { MissingRecord } from './topic.ts'

export class RepairError extends Error {
  readonly code: 'RECORDS_MISSING' | 'TOO_MANY' | 'NOT_INGESTED'
  constructor(code: RepairError['code'], message: string) {
    super(message)
    this.code = code
  }
}

export const REPAIR_SOURCE = 'motcua-repair'
const SEND_MAX = 1_000
const INGEST_MS_MAX = 120_000

/** The event that touches a dossier and says nothing of it. */
export const touchOf = (dossier_id: string, now_ms: number): DossierEvent =>
  dossierEventJson.parse({
    event_id: randomUUID(),
    dossier_id,
    revision: 0,
    event_type: 'PROCESSING',
    occurred_at: new Date(now_ms).toISOString(),
    source: REPAIR_SOURCE,
  })

/** Sends to the topic; when all replicas have everything, says how far ingest must come to have it, too. */
async function send(kafka: Kafka, messages: Message[]): Promise<Until> {
  const partitions = await partitionCount(kafka, TOPIC)
  const placed = messages.map(message => ({
    ...message,
    partition: message.partition ?? partitionOf(Buffer.from(message.key ?? ''), partitions),
  }))
  const until = new Map<number, bigint>()
  const producer = createProducer(kafka)
  await producer.connect()
  try {
    for (let at = 0; at < placed.length; at += SEND_MAX) {
      const some = placed.slice(at, at + SEND_MAX)
      for (const { partition, baseOffset } of await producer.send({ topic: TOPIC, acks: -1, messages: some }))
        until.set(partition, BigInt(baseOffset ?? 0) + BigInt(some.filter(one => one.partition === partition).length))
    }
  } finally {
    await producer.disconnect()
  }
  return until
}

/**
 * Produces lost records again. A record that the door refuses becomes the dead letter it should have been: it carries its
 * first coordinates along, as a replayed dead letter does, and lies where it lay. Returns how far ingest must come.
 */
export function reingest(kafka: Kafka, records: readonly MissingRecord[]): Promise<Until> {
  return send(
    kafka,
    records.map(({ topic, partition, offset, key, value, headers, dossier_id }) =>
      dossier_id === undefined
        ? { key, value, partition, headers: { ...firstSeenAt(topic, partition, offset), ...headers } as IHeaders }
        : { key: dossier_id, value, headers: headers as IHeaders },
    ),
  )
}

const firstSeenAt = (topic: string, partition: number, offset: bigint) => ({
  '__connect.errors.topic': topic,
  '__connect.errors.partition': String(partition),
  '__connect.errors.offset': String(offset),
})

/** Waits until ingest has come so far. Throws {@link RepairError}. */
export async function waitForIngest(deps: AuditDeps, until: Until): Promise<void> {
  if (!(await caughtUp(deps, until, INGEST_MS_MAX)))
    throw new RepairError(
      'NOT_INGESTED',
      'ingest does not take in what is in Kafka; is it running? The events are there: when it runs again, they do their work',
    )
}

export interface RepairReport {
  touched: number
  /** Dossiers that still differ. */
  left: Difference[]
}

/** Touches every dossier that the audit names, waits for ingest, and looks at them again. Throws {@link RepairError}. */
export async function repair(
  deps: AuditDeps & { registry: SchemaRegistry },
  report: AuditReport,
): Promise<RepairReport> {
  const { kafka, registry, clickhouse, now = Date.now } = deps
  const missing = report.records?.missing ?? 0
  if (report.records === undefined || missing > 0)
    throw new RepairError(
      'RECORDS_MISSING',
      report.records === undefined
        ? 'nothing is repaired without a look at the topic: a record may be missing from the log'
        : `nothing is repaired while ${missing} records are missing from the log; --reingest reads them again from the topic`,
    )
  if (report.differing_dossiers > report.differences.length)
    throw new RepairError(
      'TOO_MANY',
      `${report.differing_dossiers} dossiers differ, more than the ${DIFFERENCES_MAX} that a repair takes at a time; npm run rebuild recomputes all`,
    )
  const { id, type } = await registry.newest('dossier-event')
  const dossiers = report.differences.map(one => one.dossier_id)
  if (dossiers.length === 0) return { touched: 0, left: [] }
  const until = await send(
    kafka,
    dossiers.map(dossier_id => ({ key: dossier_id, value: frame(id, type, touchOf(dossier_id, now())) })),
  )
  await waitForIngest(deps, until)
  return { touched: dossiers.length, left: await compareDossiers(clickhouse, dossiers) }
}
