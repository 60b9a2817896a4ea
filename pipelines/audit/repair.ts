/**
 * Makes right what an audit found, through the front door: nothing is written into ClickHouse from here.
 *
 * - `reingest`: a record that the log lost is produced once more, byte for byte, into the partition where it belongs. Its
 *   event_id is the same, so it counts once whatever else happens. A refused record that has no dead letter gets the one that
 *   ingest would have written.
 * - `repair`: each differing dossier gets an event that says nothing (PROCESSING, revision 0, no field, source
 *   `motcua-repair`). Ingest takes it in like any other, and the ledger balances what it touches.
 *
 * A repair is refused while a raw event is missing: the ledger would agree with an incomplete log, and that would not show.
 */
import { randomUUID } from 'node:crypto'
import type { Kafka, Message, Producer } from 'kafkajs'
import { type DeadLetter, DLQ_SUFFIX, deadLetterOf, REHOMED_UNDER } from '../../common/dead-letter.ts'
import { headersFromPairs } from '../../common/headers.ts'
import { createProducer, partitionCount } from '../../common/kafka.ts'
import { partitionOf } from '../../common/partition.ts'
import { caughtUp, TOPIC, type Until } from '../../common/progress.ts'
import { sendAll } from '../../common/send.ts'
import { type DossierEvent, dossierEventJson } from '../../schemas/dossier-event/event.ts'
import { SILENT_SOURCE } from '../../schemas/dossier-event/says.ts'
import type { SchemaRegistry } from '../../schemas/registry.ts'
import { frame } from '../../schemas/wire.ts'
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

export const REPAIR_SOURCE = SILENT_SOURCE
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

async function withProducer<Answer>(kafka: Kafka, work: (producer: Producer) => Promise<Answer>): Promise<Answer> {
  const producer = createProducer(kafka)
  await producer.connect()
  try {
    return await work(producer)
  } finally {
    await producer.disconnect()
  }
}

/** Sends events of dossiers; when all replicas have everything, says how far ingest must come to have it, too. */
async function send(kafka: Kafka, messages: (Message & { key: string })[]): Promise<Until> {
  if (messages.length === 0) return new Map()
  const partitions = await partitionCount(kafka, TOPIC)
  const placed = messages.map(message => ({
    ...message,
    partition: partitionOf(Buffer.from(message.key), partitions),
  }))
  return withProducer(kafka, producer => sendAll(producer, TOPIC, placed, { pack_larger: true }))
}

/** Writes dead letters where ingest writes them. */
async function sendLetters(kafka: Kafka, letters: DeadLetter[], now_ms: number): Promise<void> {
  if (letters.length === 0) return
  const topic = TOPIC + DLQ_SUFFIX
  const partitions = await partitionCount(kafka, topic)
  const messages = letters.map(letter => ({
    ...deadLetterOf(letter, now_ms),
    partition: letter.partition % partitions,
  }))
  await withProducer(kafka, producer => sendAll(producer, topic, messages, { pack_larger: true }))
}

/**
 * Produces lost records again, and writes the dead letters that are missing. Returns how far ingest must come; the copies of
 * the dead letters follow a moment later.
 */
export async function reingest(kafka: Kafka, records: readonly MissingRecord[], now_ms = Date.now()): Promise<Until> {
  const lost: (Message & { key: string })[] = []
  const letters: DeadLetter[] = []
  for (const { record, topic, topic_epoch, partition, dossier_id, refusal, schema_id } of records)
    if (refusal !== undefined) letters.push({ record, topic, topic_epoch, partition, refusal, schema_id })
    else if (dossier_id !== undefined)
      // Whether it was sent home before says nothing about where it goes now.
      lost.push({
        key: dossier_id,
        value: record.value,
        headers: headersFromPairs([...record.headers].filter(([name]) => name !== REHOMED_UNDER)),
      })
  await sendLetters(kafka, letters, now_ms)
  return send(kafka, lost)
}

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
