/** Events for tests: made shortly, sent through Kafka as Avro or through intake as JSON, and awaited in the views. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import type { ClickHouseClient } from '@clickhouse/client'
import { Kafka, logLevel, type Message, type Producer } from 'kafkajs'
import { inject } from 'vitest'
import { type ClickHouseConfig, createClickHouse, type Role, rowsOf } from '../common/clickhouse.ts'
import { javaPartitioner } from '../common/partition.ts'
import { caughtUp, progressOf, untilNow } from '../common/progress.ts'
import type { DossierEvent, DossierEventJson } from '../schemas/dossier-event/event.ts'
import { dossierEventJson } from '../schemas/dossier-event/event.ts'
import { directoryRegistry } from '../schemas/registry.ts'
import { frame } from '../schemas/wire.ts'

const schema = await directoryRegistry().newest('dossier-event')

/** A RECEIVED event of Xuân Hòa (08746) on 4 August 2025 unless told otherwise. */
export const eventJson = (change: Partial<DossierEventJson> = {}): DossierEventJson => ({
  event_id: randomUUID(),
  dossier_id: `T-${randomUUID()}`,
  revision: 1,
  event_type: 'RECEIVED',
  occurred_at: '2025-08-04T09:00:00+07:00',
  source: 'test',
  processing_unit: '08746',
  channel: 'ONLINE',
  received_at: '2025-08-04T09:00:00+07:00',
  ...change,
})
export const eventOf = (json: DossierEventJson): DossierEvent => dossierEventJson.parse(json)
export const avroOf = (event: DossierEvent): Buffer => frame(schema.id, schema.type, event)
export const messageOf = (event: DossierEvent): Message => ({ key: event.dossier_id, value: avroOf(event) })

export const kafkaOfTests = (level = logLevel.ERROR) =>
  new Kafka({ clientId: 'test', brokers: inject('kafkaBrokers').split(','), logLevel: level })

export async function producerOfTests(): Promise<Producer> {
  const producer = kafkaOfTests().producer({ createPartitioner: javaPartitioner, allowAutoTopicCreation: false })
  await producer.connect()
  return producer
}

/** The server of this run, and who asks it. */
export const clickhouseConfig = (): ClickHouseConfig => ({
  CLICKHOUSE_URL: inject('clickhouseUrl'),
  CLICKHOUSE_USER: process.env.CLICKHOUSE_USER,
  CLICKHOUSE_PASSWORD: process.env.CLICKHOUSE_PASSWORD,
})
export const clickhouseOfTests = (role: Role = 'default', database = 'motcua'): ClickHouseClient =>
  createClickHouse(clickhouseConfig(), role, { database })

/** Asks until the answer satisfies, and returns it; the last answer is in the error. */
export async function eventually<T>(
  ask: () => Promise<T>,
  satisfies: (answer: T) => boolean,
  limit_ms = 30_000,
): Promise<T> {
  const end = Date.now() + limit_ms
  for (;;) {
    const answer = await ask()
    if (satisfies(answer)) return answer
    if (Date.now() > end) throw new Error(`not within ${limit_ms} ms; the last answer was ${JSON.stringify(answer)}`)
    await sleep(150)
  }
}

export interface RateRow {
  month: string
  unit_code: string
  unit_valid_from: string
  received: number
  received_online: number
  settled: number
  settled_early: number
  settled_on_time: number
  settled_late: number
}

export const TIERS = ['commune', 'district', 'province'] as const
export const RATE_COLUMNS =
  'toString(month) AS month, unit_code, toString(unit_valid_from) AS unit_valid_from, received, received_online, settled, settled_early, settled_on_time, settled_late'

/** All rows of the three monthly views. */
export async function monthlyRates(clickhouse: ClickHouseClient): Promise<Record<(typeof TIERS)[number], RateRow[]>> {
  const rows = TIERS.map(async tier => [
    tier,
    await rowsOf<RateRow>(
      clickhouse,
      `SELECT ${RATE_COLUMNS} FROM rates_by_${tier} ORDER BY month, unit_code, unit_valid_from`,
    ),
  ])
  return Object.fromEntries(await Promise.all(rows)) as Record<(typeof TIERS)[number], RateRow[]>
}

/**
 * Waits until ingest has settled everything that is in the topic now. Seeing an event in the log is not enough: it stands
 * there a moment before it counts.
 */
export async function allIngested(limit_ms = 60_000): Promise<void> {
  const clickhouse = clickhouseOfTests()
  try {
    const until = await untilNow({ kafka: kafkaOfTests() })
    if (await caughtUp({ clickhouse }, until, limit_ms)) return
    throw new Error(
      `not within ${limit_ms} ms: ingest stands at ${inspect(await progressOf(clickhouse))}, the topic at ${inspect(until)}`,
    )
  } finally {
    await clickhouse.close()
  }
}
