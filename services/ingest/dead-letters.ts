/**
 * Step 2a: refused records go to the dead-letter topic with key and value byte for byte, and are acknowledged there before
 * anything is committed. Step 2b: misplaced records go home, acknowledged likewise. Both may happen twice after a crash.
 */
import type { IHeaders, Message, Producer } from 'kafkajs'
import type { DeadLetter, Misplaced } from './classify.ts'

/** Messages of one send at most. */
const SEND_MAX = 1_000
const STAGE = 'VALUE_CONVERTER'

export const DLQ_SUFFIX = '.dlq'

/** The dead letter of a refused record: headers as in the contract, those of Kafka Connect first. */
export function deadLetterOf({ record, topic, partition, refusal, schema_id }: DeadLetter, now_ms: number): Message {
  const before = (name: string) => record.headers[name]?.toString()
  const headers: IHeaders = {
    '__connect.errors.topic': before('__connect.errors.topic') ?? topic,
    '__connect.errors.partition': before('__connect.errors.partition') ?? String(partition),
    '__connect.errors.offset': before('__connect.errors.offset') ?? String(record.offset),
    '__connect.errors.stage': STAGE,
    '__connect.errors.exception.message': refusal.message,
    'motcua.reason': refusal.reason,
    'motcua.field': refusal.field,
    'motcua.schema_id': schema_id === undefined ? '' : String(schema_id),
    'motcua.first_failed_at': before('motcua.first_failed_at') ?? new Date(now_ms).toISOString(),
    'motcua.attempt': String(Number(before('motcua.attempt') ?? 0) + 1),
  }
  return { key: record.key, value: record.value, headers }
}

export function createDeadLetters(producer: Producer, topic: string, now: () => number) {
  return async function writeDeadLetters(letters: readonly DeadLetter[]): Promise<void> {
    const now_ms = now()
    for (let at = 0; at < letters.length; at += SEND_MAX)
      await producer.send({
        topic: topic + DLQ_SUFFIX,
        acks: -1,
        // A refused record may have no key: it goes where its original lay, as far as the dead-letter topic has it.
        messages: letters
          .slice(at, at + SEND_MAX)
          .map(letter => ({ ...deadLetterOf(letter, now_ms), partition: letter.partition })),
      })
  }
}

export function createRehome(producer: Producer, topic: string) {
  return async function rehome(records: readonly Misplaced[]): Promise<void> {
    for (let at = 0; at < records.length; at += SEND_MAX)
      await producer.send({
        topic,
        acks: -1,
        messages: records.slice(at, at + SEND_MAX).map(({ record, dossier_id }) => ({
          key: dossier_id,
          value: record.value,
          headers: record.headers as IHeaders,
        })),
      })
  }
}
