/**
 * A second fold for the tests, written from contract.md alone (Fold, Life, Counting) and from nothing of this folder or of
 * the SQL: slow, plain, and independent.
 */
import type { DossierEvent, NullableField } from '../../schemas/dossier-event/event.ts'

export interface Folded {
  unit: string
  channel: string | null
  procedure: string | null
  /** ISO days at +07:00. */
  received: string
  settled: string | null
  /** Day of settlement less the supplement pause, which is held against the due day. */
  compared: string | null
  outcome: 'early' | 'on_time' | 'late' | null
}

const LIFE = [
  'SUBMITTED',
  'RECEIVED',
  'NOT_ACCEPTED',
  'SETTLED',
  'RETURNED',
  'WITHDRAWN',
  'STOPPED',
  'CORRECTED',
  'VOIDED',
]
const dayAt = (time_ms: number) => new Date(time_ms + 7 * 3_600_000).toISOString().slice(0, 10)

/** Dossiers that count, by their numbers. */
export function foldAll(deliveries: Iterable<DossierEvent>): Map<string, Folded> {
  const byDossier = Map.groupBy(deliveries, event => event.dossier_id)
  const result = new Map<string, Folded>()
  for (const [dossier_id, events] of byDossier) {
    const folded = fold(events)
    if (folded !== undefined) result.set(dossier_id, folded)
  }
  return result
}

function fold(events: DossierEvent[]): Folded | undefined {
  const ordered = [...events].sort((a, b) => {
    if (a.revision !== b.revision) return a.revision < b.revision ? -1 : 1
    return a.event_id.toLowerCase() < b.event_id.toLowerCase() ? -1 : 1
  })
  const decided = <Field extends NullableField>(field: Field): DossierEvent[Field] | null => {
    const speaks = ordered.findLast(event => event[field] !== null || event.cleared.includes(field))
    return speaks === undefined ? null : speaks[field]
  }
  const life = ordered.findLast(event => LIFE.includes(event.event_type))?.event_type
  const unit = decided('processing_unit') ?? decided('receiving_unit')
  const received_at = decided('received_at')
  if (life === 'VOIDED' || life === 'NOT_ACCEPTED' || unit === null || received_at === null) return undefined

  const settled_at = decided('settled_at')
  const due_at = decided('due_at')
  const compared = settled_at === null ? null : dayAt(settled_at - Number(decided('supplement_pause_ms') ?? 0n))
  const due = due_at === null ? compared : dayAt(due_at)
  return {
    unit,
    channel: decided('channel'),
    procedure: decided('procedure_code'),
    received: dayAt(received_at),
    settled: settled_at === null ? null : dayAt(settled_at),
    compared,
    outcome:
      compared === null || due === null ? null : compared < due ? 'early' : compared === due ? 'on_time' : 'late',
  }
}
