/**
 * What is sent of a record that does not become a row: the dead letter of a refused one, and the copy of one that lies in the
 * wrong partition, which goes home. Ingest sends them, the audit as well.
 */
import type { Message } from 'kafkajs'
import type { Refusal } from '../schemas/dossier-event/door.ts'
import { type HeaderPair, type HeaderPairs, headerOf, headersFromPairs } from './headers.ts'
import type { KafkaRecord } from './records.ts'

export interface DeadLetter {
  record: KafkaRecord
  topic: string
  topic_epoch: number
  partition: number
  refusal: Refusal
  schema_id: number | undefined
}
/** A good record that lies in another partition than Kafka's Java client would put it, or has no key. */
export interface Misplaced extends Omit<DeadLetter, 'refusal'> {
  dossier_id: string
  /** Where it belongs, among so many partitions. */
  home: number
  partitions: number
}

export const DLQ_SUFFIX = '.dlq'
const STAGE = 'VALUE_CONVERTER'

/** Names the partition count under which a record was sent home: it is sent once per count. */
export const REHOMED_UNDER = 'motcua.rehomed_under'
/** A record's own headers stand behind this, so that they cannot pass for ours. */
const OWN_PREFIX = 'motcua.record.'
const OWN_HEADERS_MAX = 32
const OWN_BYTES_MAX = 8_192
const ATTEMPT = /^[1-9]\d{0,3}$/

/** The record's own headers as far as they fit. */
function ownHeaders(pairs: HeaderPairs): HeaderPair[] {
  const kept: HeaderPair[] = []
  let bytes = 0
  for (const [name, value] of pairs) {
    bytes += name.length + (value?.length ?? 0)
    if (kept.length >= OWN_HEADERS_MAX || bytes > OWN_BYTES_MAX) break
    kept.push([OWN_PREFIX + name, value])
  }
  if (kept.length < pairs.length) kept.push(['motcua.record_headers', Buffer.from(String(pairs.length))])
  return kept
}

/** The dead letter of a refused record: headers as in the contract, those of Kafka Connect first. */
export function deadLetterOf(letter: DeadLetter, now_ms: number): Message {
  const { record, topic, topic_epoch, partition, refusal, schema_id } = letter
  const pairs = record.headers
  // A letter that was replayed tells how often; anything else is a first attempt.
  const before = headerOf(pairs, 'motcua.attempt')
  const attempts = before !== undefined && ATTEMPT.test(before) ? Number(before) : 0
  const first_ms = Date.parse(headerOf(pairs, 'motcua.first_failed_at') ?? '')
  const first_failed_at = attempts > 0 && first_ms > 0 && first_ms < now_ms ? first_ms : now_ms
  const ours = {
    '__connect.errors.topic': topic,
    '__connect.errors.partition': partition,
    '__connect.errors.offset': record.offset,
    '__connect.errors.stage': STAGE,
    '__connect.errors.exception.message': refusal.message,
    'motcua.reason': refusal.reason,
    'motcua.field': refusal.field,
    'motcua.schema_id': schema_id ?? '',
    'motcua.first_failed_at': new Date(first_failed_at).toISOString(),
    'motcua.attempt': attempts + 1,
    'motcua.topic_epoch': topic_epoch,
  }
  const headers = Object.entries(ours).map(([name, value]): [string, Buffer] => [name, Buffer.from(String(value))])
  return { key: record.key, value: record.value, headers: headersFromPairs([...headers, ...ownHeaders(pairs)]) }
}

/** The letter of a record that cannot be brought home. */
export function misplacedLetter({ dossier_id, home, partitions, ...place }: Misplaced, why: string): DeadLetter {
  const message = `the record of ${dossier_id} lies in partition ${place.partition}; it belongs in partition ${home} of ${partitions}, and ${why}`
  return { ...place, refusal: { reason: 'misplaced', field: 'dossier_id', message } }
}

/** The bytes of the record, under the right key, in the partition where it belongs. */
export function rehomedOf({ record, dossier_id, home, partitions }: Misplaced): Message & { partition: number } {
  const kept = [...record.headers].filter(([name]) => name !== REHOMED_UNDER)
  return {
    key: dossier_id,
    value: record.value,
    partition: home,
    headers: headersFromPairs([...kept, [REHOMED_UNDER, Buffer.from(String(partitions))]]),
  }
}

/** Whether a record was already sent home under this count. */
export const wasRehomedUnder = (headers: HeaderPairs, partitions: number): boolean =>
  headerOf(headers, REHOMED_UNDER) === String(partitions)
