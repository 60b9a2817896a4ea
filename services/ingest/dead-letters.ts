/**
 * Step 2a: refused records go to the dead-letter topic with key and value byte for byte, and are acknowledged there before
 * anything is committed. Step 2b: misplaced records go home, acknowledged likewise.
 *
 * After a crash a batch is read again. Before the first letter of a partition after its assignment, the letters that an earlier
 * attempt has already written are read back, so that each record has one letter over any restart of one member. (An
 * acknowledgement that is lost may repeat one; readers count distinct coordinates.)
 */
import type { Kafka, Message, Producer } from 'kafkajs'
import type { Fetcher } from '../common/fetch.ts'
import { type HeaderPair, type HeaderPairs, headerOf, headersFromPairs } from '../common/headers.ts'
import type { Log } from '../common/log.ts'
import { bytesOfMessage, isTooLarge, sendAll } from '../common/send.ts'
import { ensureDeadLettersFit, ensureTopics, setTopicSettings } from '../common/topics.ts'
import type { DeadLetter, Misplaced } from './classify.ts'

export const DLQ_SUFFIX = '.dlq'
const STAGE = 'VALUE_CONVERTER'

/** Names the partition count under which a record was sent home: it is sent once per count. */
export const REHOMED_UNDER = 'motcua.rehomed_under'
/** A record's own headers stand behind this, so that they cannot pass for ours. */
const OWN_PREFIX = 'motcua.record.'
const OWN_HEADERS_MAX = 32
const OWN_BYTES_MAX = 8_192
const ATTEMPT = /^[1-9]\d{0,3}$/
/** Room for what a batch adds to its records. */
const LETTER_BYTES_MORE = 1_048_576
const INT32_MAX = 2_147_483_647
/** Clocks of two brokers may differ. */
const CLOCK_MS = 60_000
const COUNT_MS = 5_000

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

/** Somebody deleted the topic. */
const isUnknownTopic = (error: unknown): boolean =>
  error instanceof Error && 'type' in error && error.type === 'UNKNOWN_TOPIC_OR_PARTITION'

const nameOf = (topic_epoch: number, partition: number, offset: bigint) => `${topic_epoch} ${partition} ${offset}`

export interface DeadLetters {
  write(letters: readonly DeadLetter[]): Promise<void>
  /** Partitions were assigned: what an earlier attempt wrote of them is to be read back. */
  assigned(): void
}

export function createDeadLetters(deps: {
  kafka: Kafka
  producer: Producer
  fetcher: Fetcher
  topic: string
  log: Log
  now: () => number
}): DeadLetters {
  const { kafka, producer, fetcher, topic, log, now } = deps
  const dlq = topic + DLQ_SUFFIX
  /** Partitions whose letters of an earlier attempt are known, and the letters. */
  const readBack = new Set<number>()
  let there = new Set<string>()
  /** The dead-letter topic's own partition count, and when it was asked for. */
  let count = 0
  let counted_ms = Number.NEGATIVE_INFINITY

  /** Letters of these partitions in the dead-letter topic since that time. */
  async function lookBack(partitions: readonly number[], since_ms: number): Promise<void> {
    const [from, ends] = [await fetcher.offsetsAt(dlq, Math.max(0, since_ms - CLOCK_MS)), await fetcher.ends(dlq)]
    // Some may have been written while the topic had fewer partitions.
    const counts = Array.from(ends.keys(), (_, fewer) => fewer + 1)
    const homes = new Set(partitions.flatMap(partition => counts.map(count => partition % count)))
    for (const home of homes) {
      const end = ends.get(home)?.high ?? 0n
      for (let at = from.get(home) ?? 0n; at < end; ) {
        const { records, next } = await fetcher.read(dlq, home, at)
        for (const { headers } of records) {
          const [epoch, partition, offset] = [
            'motcua.topic_epoch',
            '__connect.errors.partition',
            '__connect.errors.offset',
          ].map(name => headerOf(headers, name))
          if (headerOf(headers, '__connect.errors.topic') === topic && partitions.includes(Number(partition)))
            there.add(`${epoch} ${partition} ${offset}`)
        }
        if (next === at) break
        at = next
      }
    }
    for (const partition of partitions) readBack.add(partition)
  }

  async function send(letters: readonly DeadLetter[]): Promise<void> {
    const now_ms = now()
    if (now_ms - counted_ms > COUNT_MS) {
      count = (await fetcher.ends(dlq)).size
      counted_ms = now_ms
    }
    // A refused record may have no key, or another's: its letter goes by the partition in which it lay.
    const messages = letters.map(letter => ({ ...deadLetterOf(letter, now_ms), partition: letter.partition % count }))
    await sendAll(producer, dlq, messages, { pack_larger: true })
  }

  /** A batch that one codec packs small may stay large in ours: then the topic has to take it as it is. */
  async function sendLarge(letters: readonly DeadLetter[]): Promise<void> {
    await ensureDeadLettersFit(kafka, log)
    try {
      await send(letters)
    } catch (error) {
      if (!isTooLarge(error)) throw error
      const largest = Math.max(...letters.map(letter => bytesOfMessage(deadLetterOf(letter, now()))))
      const bytes = Math.min(largest + LETTER_BYTES_MORE, INT32_MAX)
      log.warn({ topic: dlq, bytes }, 'a dead letter is larger than its topic takes; the topic is raised')
      await setTopicSettings(kafka, dlq, { 'max.message.bytes': String(bytes) })
      await send(letters)
    }
  }

  return {
    async write(letters) {
      const unread = [...new Set(letters.map(({ partition }) => partition))].filter(each => !readBack.has(each))
      if (unread.length > 0) {
        // By a clock that is not the broker's nothing can be found.
        const times = letters.map(({ record }) => (record.broker_time ? record.timestamp_ms : 0))
        await lookBack(unread, Math.min(...times))
      }
      const fresh = letters.filter(
        ({ topic_epoch, partition, record }) => !there.has(nameOf(topic_epoch, partition, record.offset)),
      )
      if (fresh.length === 0) return
      try {
        await send(fresh)
      } catch (error) {
        if (isTooLarge(error)) return sendLarge(fresh)
        if (!isUnknownTopic(error)) throw error
        await ensureTopics(kafka)
        await send(fresh)
      }
    },
    assigned() {
      readBack.clear()
      there = new Set()
    },
  }
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

/** Sends records home. Returns those that the topic does not take, because they are too large with key and header. */
export function createRehome(producer: Producer, topic: string) {
  return async function rehome(records: readonly Misplaced[]): Promise<Misplaced[]> {
    try {
      await sendAll(producer, topic, records.map(rehomedOf), { pack_larger: true })
      return []
    } catch (error) {
      if (!isTooLarge(error)) throw error
    }
    const refused: Misplaced[] = []
    for (const record of records)
      try {
        await sendAll(producer, topic, [rehomedOf(record)], { pack_larger: true })
      } catch (error) {
        if (!isTooLarge(error)) throw error
        refused.push(record)
      }
    return refused
  }
}
