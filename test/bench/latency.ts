/**
 * How long it takes from an event's acknowledgement by Kafka until it counts, at a steady rate: the count of the ledger's
 * postings is asked for as often as it answers, and the n-th event that was sent is the n-th that counts.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../../common/clickhouse.ts'
import { createProducer } from '../../common/kafka.ts'
import { openRegistry } from '../../schemas/registry.ts'
import { frame } from '../../schemas/wire.ts'
import { type Bench, empty, startIngest } from './turns.ts'
import { workload } from './workload.ts'

const SECONDS = 12
const WARM_SECONDS = 4
const SENDS_PER_S = 50

export interface Latency {
  /** What was reached of the rate asked for. */
  events_per_s: number
  p50_ms: number
  p99_ms: number
}

export async function latencyAt(bench: Bench, clickhouse: ClickHouseClient, events_per_s: number): Promise<Latency> {
  await empty(clickhouse)
  const { id, type } = await openRegistry(undefined).newest('dossier-event')
  const producer = createProducer(bench.kafka)
  await producer.connect()
  const { child } = await startIngest(bench)
  try {
    const [template] = workload(1).events
    const sent: { at: number; total: number }[] = [{ at: performance.now(), total: 0 }]
    const seen: { at: number; total: number }[] = [{ at: performance.now(), total: 0 }]
    const counted = async () =>
      (await rowsOf<{ n: number }>(clickhouse, 'SELECT count() AS n FROM dossier_postings'))[0]?.n ?? 0
    const sendSome = async (count: number) => {
      const messages = Array.from({ length: count }, () => {
        const event = { ...template, event_id: randomUUID(), dossier_id: `L-260101-${randomUUID()}` }
        return { key: event.dossier_id, value: frame(id, type, event) }
      })
      await producer.send({ topic: 'dossier-events', acks: -1, messages })
      sent.push({ at: performance.now(), total: (sent.at(-1)?.total ?? 0) + count })
    }
    // A member of the group first.
    while ((await counted()) === 0) {
      await sendSome(1)
      await sleep(500)
    }
    while ((await counted()) < (sent.at(-1)?.total ?? 0)) await sleep(100)

    let sending = true
    const watching = (async () => {
      while (sending || (seen.at(-1)?.total ?? 0) < (sent.at(-1)?.total ?? 0)) {
        seen.push({ total: await counted(), at: performance.now() })
        await sleep(5)
      }
    })()
    const before = sent.at(-1)?.total ?? 0
    const began = performance.now()
    const per_send = Math.max(1, Math.round(events_per_s / SENDS_PER_S))
    for (let nth = 0; nth * per_send < events_per_s * SECONDS; nth++) {
      await sleep(Math.max(0, began + (nth * per_send * 1_000) / events_per_s - performance.now()))
      await sendSome(per_send)
    }
    const reached = ((sent.at(-1)?.total ?? 0) - before) / ((performance.now() - began) / 1_000)
    sending = false
    await watching
    const warm = began + WARM_SECONDS * 1_000
    const waits = sent.filter(({ at }) => at > warm).map(({ at, total }) => (firstWith(seen, total) ?? Number.NaN) - at)
    waits.sort((a, b) => a - b)
    const quantile = (share: number) => waits[Math.floor(share * (waits.length - 1))] ?? Number.NaN
    return { events_per_s: reached, p50_ms: quantile(0.5), p99_ms: quantile(0.99) }
  } finally {
    await Promise.all([child.stop(), producer.disconnect()])
  }
}

const firstWith = (seen: readonly { at: number; total: number }[], total: number) =>
  seen.find(one => one.total >= total)?.at
