/**
 * Scenarios of the generators with more to say for the views on procedures: receptions name a procedure and a level, most of
 * them a settlement, and days of settlement are spread over some weeks. The same event stays the same in all its deliveries.
 */
import type { DossierEvent } from '../schemas/dossier-event/event.ts'
import type { Scenario } from './oracle/generators.ts'

const CODES = ['1.000001', '1.000002', '1.000003', '1.000004', '9.999999']
const LEVELS = ['FULL', 'PARTIAL', 'INFORMATION'] as const
const SPREAD_DAYS = 23
const DAY_MS = 86_400_000
/** Where a reception says no day of its own: for old receptions this is long after them, for late ones before them. */
const SETTLED_MS = Date.UTC(2025, 6, 14)
const LAST_MS = Date.UTC(2099, 0, 1)

const hashOf = (text: string) => [...text].reduce((hash, letter) => (hash * 31 + letter.charCodeAt(0)) >>> 0, 7)

function furnish(event: DossierEvent): DossierEvent {
  const hash = hashOf(`${event.event_id} ${event.dossier_id}`)
  const free = (field: string) => !event.cleared.includes(field)
  const received = event.event_type === 'RECEIVED'
  const settled_at =
    event.settled_at ??
    (received && hash % 5 !== 0 && free('settled_at') ? [event.received_at, SETTLED_MS][hash % 2] : null)
  return {
    ...event,
    settled_at: settled_at == null || settled_at > LAST_MS ? null : settled_at + (hash % SPREAD_DAYS) * DAY_MS,
    ...(received && {
      procedure_code: event.procedure_code ?? (free('procedure_code') ? (CODES[hash % 7] ?? null) : null),
      service_level: event.service_level ?? (free('service_level') ? (LEVELS[hash % 11] ?? null) : null),
    }),
  }
}

export function furnished(deliveries: Scenario['deliveries']): Scenario['deliveries'] {
  const known = new Map<DossierEvent, DossierEvent>()
  return deliveries.map(delivery => {
    const event = known.get(delivery.event) ?? furnish(delivery.event)
    known.set(delivery.event, event)
    return { ...delivery, event }
  })
}
