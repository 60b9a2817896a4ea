/**
 * The stream that both sides of the bench read: full lives of dossiers, and a tenth of the records delivered twice. A dossier is
 * settled, and a record repeated, thousands of records later, so that each batch meets what earlier ones have left.
 */
import { createHash } from 'node:crypto'
import type { DossierEvent } from '../../schemas/dossier-event/event.ts'

const DAY_MS = 86_400_000
const START_MS = Date.UTC(2026, 0, 1)
const UNITS = ['08746', '08152', '03127', '03151', '03253', '00004', '00070', '27259']
const NOTHING = {
  receiving_unit: null,
  sector_code: null,
  service_level: null,
  received_at: null,
  due_at: null,
  settled_at: null,
  returned_at: null,
  supplement_pause_ms: null,
  supplement_requests: null,
  fee_due: null,
  paid_online: null,
  digital_result: null,
  digitised: null,
  data_reused: null,
  cleared: [],
} satisfies Partial<DossierEvent>

export interface Totals {
  received: number
  received_online: number
  settled: number
  settled_late: number
}

/** A settlement comes so many dossiers after its reception, a repetition so many records after its first delivery. */
const LATER = 20_000

/** Two events a dossier (reception, settlement), nearly every tenth record again; and what the rates must be. The last record counts. */
export function workload(dossiers: number): { events: DossierEvent[]; totals: Totals } {
  const receptions: DossierEvent[] = []
  const settlements: DossierEvent[] = []
  const totals: Totals = { received: dossiers, received_online: 0, settled: dossiers, settled_late: 0 }
  for (let n = 0; n < dossiers; n++) {
    const received_at = START_MS + (n % 280) * DAY_MS
    const day = new Date(received_at).toISOString().slice(2, 10).replaceAll('-', '')
    const online = n % 4 !== 0
    const late = n % 9 === 0
    if (online) totals.received_online++
    if (late) totals.settled_late++
    const common = {
      ...NOTHING,
      dossier_id: `H44.12-${day}-${n}`,
      source: n % 2 === 0 ? 'bench' : 'Sở Tư pháp',
      processing_unit: UNITS[n % UNITS.length] as string,
      procedure_code: '1.012766',
      channel: online ? ('ONLINE' as const) : ('COUNTER' as const),
      received_at,
      due_at: received_at + 5 * DAY_MS,
    }
    const settled_at = received_at + (late ? 8 : 3) * DAY_MS
    receptions.push({
      ...common,
      event_id: idOf(n, 0),
      revision: BigInt(received_at) * 1_000n,
      event_type: 'RECEIVED',
      occurred_at: received_at,
    })
    settlements.push({
      ...common,
      event_id: idOf(n, 1),
      revision: BigInt(settled_at) * 1_000n,
      event_type: 'SETTLED',
      occurred_at: settled_at,
      settled_at,
    })
  }
  const events: DossierEvent[] = []
  for (let n = 0; n < dossiers + LATER; n++)
    for (const event of [receptions[n], settlements[n - LATER]])
      if (event !== undefined) {
        const earlier = events[events.length - LATER]
        if (earlier !== undefined && events.length % 11 === 0) events.push(earlier)
        events.push(event)
      }
  return { events, totals }
}

function idOf(dossier: number, event: number): string {
  const hex = createHash('md5').update(`${dossier}/${event}`).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`
}
