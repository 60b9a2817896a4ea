/**
 * What an event speaks of, as bits of a number that the ledger reads (`says` in the log): bit k for the k-th nullable field,
 * set or cleared; then whether it decides the dossier's life, then whether it says that the dossier waits, or no longer does.
 */
import { type DossierEvent, type EventType, FIELDS, NULLABLE_FIELDS } from './fields.ts'

/** Types that decide the life of a dossier; the others are steps (contract, Life). */
export const LIFE: ReadonlySet<EventType> = new Set<EventType>([
  'SUBMITTED',
  'RECEIVED',
  'NOT_ACCEPTED',
  'SETTLED',
  'RETURNED',
  'WITHDRAWN',
  'STOPPED',
  'CORRECTED',
  'VOIDED',
])
/** Types after which a dossier waits for a supplement, or no longer. */
export const WAITING: ReadonlySet<EventType> = new Set<EventType>([
  'SUPPLEMENT_REQUESTED',
  'SUPPLEMENT_RECEIVED',
  'PROCESSING',
])

export const LIFE_BIT = 1 << 17
export const WAITING_BIT = 1 << 18
/** Its events touch a dossier and say nothing of it (pipelines/audit/repair.ts). */
export const SILENT_SOURCE = 'motcua-repair'

/** The bits of an event's type, whatever its source. */
export const bitsOfType = (type: EventType): number =>
  (LIFE.has(type) ? LIFE_BIT : 0) | (WAITING.has(type) ? WAITING_BIT : 0)

export const bitOf = (name: (typeof NULLABLE_FIELDS)[number]): number => 1 << FIELDS[name].bit

export function saysOf(event: DossierEvent): number {
  let says = bitsOfType(event.event_type)
  if (event.source === SILENT_SOURCE) says &= ~WAITING_BIT
  for (const name of NULLABLE_FIELDS) if (event[name] !== null) says |= bitOf(name)
  for (const name of event.cleared) says |= bitOf(name as (typeof NULLABLE_FIELDS)[number])
  return says
}
