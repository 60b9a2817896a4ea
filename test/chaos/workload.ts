/**
 * The seeded stream of one cell: some hundred dossiers, several events each, spread over the whole stream, with repeats,
 * corrections, voids and back, disorder, ties, changes of unit, steps across the reform of 1 July 2025, and refused records.
 * The same seed gives the same stream, for the same number of partitions. It knows what it made: which events are accepted, which records are refused and why.
 */
import { crc32 } from 'node:zlib'
import { PARTITIONS_DEFAULT } from '../../common/kafka.ts'
import { partitionOf } from '../../common/partition.ts'
import { createRandom, type Random } from '../../infra/sample/random.ts'
import type { Reason } from '../../schemas/dossier-event/door.ts'
import { type DossierEvent, dossierEventJson } from '../../schemas/dossier-event/event.ts'
import { directoryRegistry } from '../../schemas/registry.ts'
import { frame } from '../../schemas/wire.ts'

export interface Delivery {
  key: Buffer | null
  value: Buffer | null
  partition: number
}
export interface Workload {
  /** Every accepted event once. */
  accepted: DossierEvent[]
  /** Reason of a refused record, by {@link nameOf}. */
  refused: Map<string, Reason>
  /** Delivered before the fault, around it, and after it. */
  parts: [Delivery[], Delivery[], Delivery[]]
  /** Deliveries that lie in a partition where they do not belong. */
  misplaced: number
  /** How many partitions its producers know at first. */
  partitions: number
}
export interface WorkloadOptions {
  dossiers?: number
  events_max?: number
  /** Dossiers with events in nearly every batch. */
  hot?: number
  /** Refused records per accepted one: everywhere, and at the beginning of the stream alone. */
  poison?: number
  poison_first?: number
  /** Half of the records by a producer that partitions by CRC32, some without a key. */
  crc32?: boolean
  /** After the fault half of the records by a producer that knows one partition more; the others by one that does not hear of it. */
  raised?: boolean
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Communes before and after the reform, districts and provinces among them. */
const UNITS = ['08746', '08152', '08674', '24', '25', '232', '08707', '09169', '00004', '22234', '58', '582']
const schema = await directoryRegistry().newest('dossier-event')

/** One record, told apart from all others. */
export const nameOf = (key: Buffer | null | undefined, value: Buffer | null | undefined): string =>
  `${key?.toString('hex') ?? '-'} ${value?.toString('base64') ?? '-'}`

export function createWorkload(name: string, options: WorkloadOptions = {}, partitions = PARTITIONS_DEFAULT): Workload {
  const random = createRandom(name)
  const { dossiers = 240, events_max = 14, hot = 24, poison = 0.02, poison_first = 0 } = options
  const timed: { at: number; delivery: Delivery }[] = []
  const accepted: DossierEvent[] = []
  const refused = new Map<string, Reason>()
  let misplaced = 0

  const deliver = (event: DossierEvent, at: number) => {
    const key = Buffer.from(event.dossier_id)
    const home = partitionOf(key, partitions)
    const foreign = options.crc32 === true && random.chance(0.5)
    const partition = foreign ? crc32(key) % partitions : home
    const keyless = foreign && random.chance(0.05)
    if (partition !== home || keyless) misplaced++
    timed.push({ at, delivery: { key: keyless ? null : key, value: frame(schema.id, schema.type, event), partition } })
  }
  for (let at = 0; at < dossiers + hot; at++) {
    const isHot = at >= dossiers
    const events = dossierOf(
      random,
      `H${random.between(10, 99)}-2507${String(random.between(1, 28)).padStart(2, '0')}-${at}`,
      {
        count: isHot ? 60 : random.between(2, events_max),
      },
    )
    const start = random.unit() * 0.7
    events.forEach((event, step) => {
      accepted.push(event)
      // In order but for a jitter that is often larger than the distance of two events.
      const when = isHot ? random.unit() : Math.min(1, start + (step / events.length) * 0.3 + random.unit() * 0.1)
      deliver(event, when)
      if (random.chance(0.12)) deliver(event, Math.min(1, when + random.unit() * random.unit()))
    })
  }
  const refuse = (at: number) => {
    const { reason, key, value } = poisonOf(random, random.of(accepted))
    refused.set(nameOf(key, value), reason)
    timed.push({ at, delivery: { key, value, partition: random.below(partitions) } })
  }
  for (let left = Math.round(accepted.length * poison); left > 0; left--) refuse(random.unit())
  for (let left = Math.round(accepted.length * poison_first); left > 0; left--) refuse(-random.unit())

  const deliveries = timed.sort((a, b) => a.at - b.at).map(({ delivery }) => delivery)
  const [first, second] = [Math.floor(deliveries.length * 0.3), Math.floor(deliveries.length * 0.7)]
  if (options.raised)
    for (const [at, delivery] of deliveries.slice(second).entries())
      if (at % 2 === 1 && delivery.key !== null) delivery.partition = partitionOf(delivery.key, partitions + 1)
  return {
    accepted,
    refused,
    misplaced,
    partitions,
    parts: [deliveries.slice(0, first), deliveries.slice(first, second), deliveries.slice(second)],
  }
}

const event = (random: Random, dossier_id: string, change: Record<string, unknown>): DossierEvent =>
  ({
    ...dossierEventJson.parse({
      event_id: random.uuid(),
      dossier_id,
      revision: 0,
      event_type: 'PROCESSING',
      occurred_at: '2025-07-01T09:00:00Z',
      source: 'chaos',
    }),
    ...change,
  }) as DossierEvent

/** The life of one dossier, as its sources tell it: in the order of revisions, sometimes tied. */
function dossierOf(random: Random, dossier_id: string, { count }: { count: number }): DossierEvent[] {
  const received = Date.UTC(2025, 4, 20) + random.below(75) * DAY_MS + random.below(24) * HOUR_MS
  let revision = BigInt(random.between(0, 1_000))
  const channel = () => random.of(['ONLINE', 'ONLINE', 'COUNTER', 'POSTAL'])
  const received_at = () => received + random.below(3) * DAY_MS
  const due_at = () => received + random.between(4, 25) * DAY_MS
  const settled_at = () => received + random.between(4, 30) * DAY_MS
  const makes: (() => Record<string, unknown>)[] = [
    () => ({ event_type: 'SETTLED', settled_at: settled_at() }),
    () => ({ event_type: 'SETTLED', settled_at: settled_at(), due_at: due_at() }),
    () => ({ event_type: 'DEADLINE_CHANGED', due_at: due_at() }),
    () => ({ event_type: 'SUPPLEMENT_RECEIVED', supplement_pause_ms: BigInt(random.below(6) * 12 * HOUR_MS) }),
    () => ({ event_type: 'PROCESSING' }),
    () => ({ event_type: 'CORRECTED', processing_unit: random.of(UNITS) }),
    () => ({ event_type: 'CORRECTED', channel: channel() }),
    () => ({ event_type: 'CORRECTED', received_at: received_at() }),
    () => ({
      event_type: 'CORRECTED',
      cleared: [random.of(['settled_at', 'due_at', 'channel', 'supplement_pause_ms'])],
    }),
    () => ({ event_type: 'RETURNED', returned_at: settled_at(), digital_result: random.chance(0.5) }),
    () => ({ event_type: random.of(['VOIDED', 'NOT_ACCEPTED', 'WITHDRAWN']) }),
  ]
  return Array.from({ length: count }, (_, at) => {
    if (!random.chance(0.1)) revision += BigInt(random.between(1, 1_000_000))
    const first = {
      event_type: random.of(['SUBMITTED', 'RECEIVED']),
      channel: channel(),
      received_at: received_at(),
      receiving_unit: random.of(UNITS),
      ...(random.chance(0.8) ? { processing_unit: random.of(UNITS) } : {}),
      ...(random.chance(0.5) ? { due_at: due_at() } : {}),
    }
    return event(random, dossier_id, { ...(at === 0 ? first : random.of(makes)()), revision })
  })
}

/** A record that the door must refuse, with the reason it must give; it speaks of a dossier that counts. */
function poisonOf(random: Random, about: DossierEvent): { reason: Reason; key: Buffer | null; value: Buffer | null } {
  const { dossier_id } = about
  const key = Buffer.from(dossier_id)
  const good = () => event(random, dossier_id, { revision: 10n ** 15n, event_type: 'VOIDED' })
  const changed = (reason: Reason, change: Record<string, unknown>) => ({
    reason,
    key,
    value: frame(schema.id, schema.type, { ...good(), ...change } as DossierEvent),
  })
  const bytes = () => frame(schema.id, schema.type, good())
  const otherSchema = () => {
    const value = Buffer.from(bytes())
    value.writeUInt32BE(999_999, 1)
    return value
  }
  return random.of([
    () => ({ reason: 'unknown_magic' as const, key: Buffer.from(random.uuid()), value: null }),
    () => ({ reason: 'unknown_magic' as const, key, value: Buffer.from(`{"event":"${random.uuid()}"}`) }),
    () => ({ reason: 'unknown_schema' as const, key, value: otherSchema() }),
    () => ({ reason: 'truncated_body' as const, key, value: bytes().subarray(0, -2) }),
    () => ({
      reason: 'truncated_body' as const,
      key,
      value: Buffer.concat([bytes(), Buffer.alloc(random.between(1, 200_000), 7)]),
    }),
    () => ({ reason: 'key_mismatch' as const, key: Buffer.from(`not-${random.uuid()}`), value: bytes() }),
    () => changed('unknown_unit', { processing_unit: 'ZZ-99' }),
    () => changed('received_in_future', { received_at: Date.now() + 90 * DAY_MS }),
    () => changed('negative_value', { revision: -5n }),
    () => changed('too_long', { source: 'x'.repeat(65) }),
    () => changed('wrong_type', { event_id: `no-uuid-${random.uuid()}` }),
    () => changed('not_allowed_value', { source: '' }),
    () => changed('set_and_cleared', { channel: 'ONLINE', cleared: ['channel'] }),
    () => changed('time_out_of_range', { due_at: Date.UTC(1980, 0, 1) }),
    () => changed('due_before_received', { received_at: Date.UTC(2025, 6, 2), due_at: Date.UTC(2025, 5, 2) }),
  ])()
}
