/** What intake answers before it looks at an event: bodies that it cannot read as what they are. */
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { createMetrics } from '../../common/metrics.ts'
import { checkedPartitioner } from '../../common/send.ts'
import { newestType } from '../../schemas/registry.ts'
import { createIntake } from './app.ts'

const sent: string[] = []
const app = createIntake({
  producer: {
    // As kafkajs does it: the partitioner is asked for each message, and each partition is acknowledged.
    send: async ({ topic, messages }) => {
      const choose = checkedPartitioner()
      const partitionMetadata = [{ partitionId: 0, leader: 0, partitionErrorCode: 0, replicas: [0], isr: [0] }]
      for (const message of messages) choose({ topic, message, partitionMetadata })
      sent.push(...messages.map(({ key }) => String(key)))
      return [{ topicName: topic, partition: 0, errorCode: 0, baseOffset: '0' }]
    },
  },
  schema: { id: 1, type: newestType('dossier-event') },
  knownUnit: () => true,
  demoKey: 'key',
  body_bytes_max: 1_000_000,
  ready: () => undefined,
  metrics: createMetrics('intake'),
  log: pino({ level: 'silent' }),
})

const event = (dossier_id: string) =>
  JSON.stringify({
    event_id: '0b9d5f6e-6f0e-4a3b-9f5b-0d5b4a3b9f5b',
    dossier_id,
    revision: 1,
    event_type: 'RECEIVED',
    occurred_at: '2025-08-04T09:00:00+07:00',
    source: 'test',
    processing_unit: '08746',
    received_at: '2025-08-04T09:00:00+07:00',
  })
const post = (payload: Buffer, type: string) =>
  app.inject({
    method: 'POST',
    url: '/v1/dossier-events',
    headers: { authorization: 'Bearer key', 'content-type': type },
    payload,
  })

test.each(['application/json', 'application/x-ndjson'])(
  '%s that is no UTF-8 is refused: two ids would become one',
  async type => {
    const [first, second] = event('A?B').split('?') as [string, string]
    for (const byte of [0x80, 0x81, 0xf5]) {
      const answer = await post(Buffer.concat([Buffer.from(first), Buffer.of(byte), Buffer.from(second)]), type)
      expect(answer.statusCode).toBe(400)
      expect(answer.json()).toMatchObject({ title: 'Bad Request', detail: expect.stringMatching(/not UTF-8/) })
    }
    expect(sent).toEqual([])
  },
)

test.each(['application/json', 'application/x-ndjson'])('%s may begin with a byte order mark', async type => {
  const answer = await post(Buffer.from(`\ufeff${event('A-250804-1')}`), type)
  expect(answer.statusCode).toBe(202)
  expect(sent.splice(0)).toEqual(['A-250804-1'])
})
