/**
 * Sends events to Kafka as Avro in the wire format, keyed by dossier. When `send` resolves, all replicas have them.
 * A retry inside may write a record twice: its event_id is the same, so it counts once.
 */
import type { Kafka } from 'kafkajs'
import { createProducer, partitionCount } from '../../common/kafka.ts'
import { sendAll } from '../../common/send.ts'
import type { DossierEvent } from '../../schemas/dossier-event/event.ts'
import { type SchemaRegistry, TOPIC_OF } from '../../schemas/registry.ts'
import { frame } from '../../schemas/wire.ts'

export const BATCH_EVENTS_MAX = 4_000
const TOPIC = TOPIC_OF['dossier-event']

export interface EventProducer {
  /** In this order within each partition. */
  send(events: readonly DossierEvent[]): Promise<void>
  close(): Promise<void>
}

/** Throws at once where the topic is missing. */
export async function openEventProducer(kafka: Kafka, registry: SchemaRegistry): Promise<EventProducer> {
  await partitionCount(kafka, TOPIC)
  const { id, type } = await registry.newest('dossier-event')
  const producer = createProducer(kafka)
  await producer.connect()
  return {
    async send(events) {
      for (let from = 0; from < events.length; from += BATCH_EVENTS_MAX) {
        const messages = events
          .slice(from, from + BATCH_EVENTS_MAX)
          .map(event => ({ key: event.dossier_id, value: frame(id, type, event) }))
        await sendAll(producer, TOPIC, messages)
      }
    },
    close: () => producer.disconnect(),
  }
}
