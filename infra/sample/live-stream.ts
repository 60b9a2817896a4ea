/**
 * What the live stream says: dossiers of Phú Thọ dated now, each received and, some minutes later, settled; now and then an
 * event comes twice or is corrected. Pure but for its random numbers; holds only what is due in the next minutes.
 */
import type { DossierEvent } from '../../schemas/dossier-event/event.ts'
import { DAY_MS, dayFromIso, dayOf, isoDay, MINUTE_MS, momentOf, yymmdd } from './days.ts'
import { newEvent } from './history.ts'
import { type Random, weighted } from './random.ts'
import { communesOn, readProcedures } from './reference.ts'

/** Phú Thọ, and never a unit of the samples, whose figures must stand still. */
export const LIVE_UNIT = '25'
/** The day after the portal's table: a replay of Phú Thọ's row must not see live dossiers. */
const NOT_BEFORE_MS = momentOf(dayFromIso('2026-10-11'))

const SECOND_MS = 1_000
const REPEATED = 0.05
const CORRECTED = 0.06
const OVERDUE = 0.08

interface Due {
  at_ms: number
  event: (now_ms: number) => DossierEvent
}

export interface LiveStream {
  /** The next event: one that is due, else a new dossier's first. */
  next(now_ms: number): DossierEvent
  /** Events that wait for their time. */
  waiting(): number
}

export function createLiveStream(random: Random, now_ms: number): LiveStream {
  const communes = communesOn(LIVE_UNIT, isoDay(dayOf(now_ms)))
  if (communes.length === 0)
    throw new Error(`unit ${LIVE_UNIT} has no communes on ${isoDay(dayOf(now_ms))}: is the clock right?`)
  const drawCommune = weighted(random.shuffle([...communes]), (_, rank) => 1 / (rank + 3))
  const { land, other } = readProcedures()
  const drawProcedure = weighted(
    [...other, ...land.map(one => ({ ...one, weight: one.weight * 8 }))],
    procedure => procedure.weight,
  )
  const waiting: Due[] = []
  let last_ms = 0

  function later(seconds: number, from_ms: number, event: Due['event']): void {
    waiting.push({ at_ms: from_ms + seconds * SECOND_MS, event })
    waiting.sort((a, b) => a.at_ms - b.at_ms)
  }

  /** Revisions of this process never repeat and never go back. */
  function tell(
    dossier_id: string,
    type: DossierEvent['event_type'],
    now: number,
    fields: Parameters<typeof newEvent>[3],
  ): DossierEvent {
    last_ms = Math.max(last_ms + 1, now)
    const event = { ...newEvent(type, last_ms, random, fields), dossier_id }
    if (random.chance(REPEATED)) later(random.between(3, 60), now, () => event)
    return event
  }

  function newDossier(now: number): DossierEvent {
    const commune = drawCommune(random).code
    const procedure = drawProcedure(random)
    const channel = random.chance(procedure.online) ? 'ONLINE' : random.of(['COUNTER', 'COUNTER', 'POSTAL'] as const)
    const overdue = random.chance(OVERDUE) && now - 8 * DAY_MS > NOT_BEFORE_MS
    const received_at = overdue ? now - random.between(3 * 24 * 60, 7 * 24 * 60) * MINUTE_MS : now
    const due_at = overdue
      ? now - random.between(24 * 60, 2 * 24 * 60) * MINUTE_MS
      : now + random.between(0, procedure.days[1]) * DAY_MS
    const dossier_id = `SAMPLE.LIVE.${commune}-${yymmdd(dayOf(received_at))}-${now}`
    const right = { receiving_unit: commune, procedure_code: procedure.code, channel, received_at, due_at } as const
    const wrong = random.chance(CORRECTED) ? wrongOf(right) : undefined

    later(random.between(15, 240), now, settled_at => {
      if (wrong !== undefined)
        later(random.between(10, 90), settled_at, at => tell(dossier_id, 'CORRECTED', at, { ...right, settled_at }))
      const digital_result = random.chance(0.8)
      return tell(dossier_id, 'SETTLED', settled_at, { ...right, ...wrong, settled_at, digital_result })
    })
    return tell(dossier_id, 'RECEIVED', now, {
      ...right,
      ...wrong,
      service_level: procedure.service_level,
      fee_due: procedure.fee,
    })
  }

  const wrongOf = (right: { receiving_unit: string; channel: DossierEvent['channel'] }) =>
    random.chance(0.5)
      ? { receiving_unit: drawCommune(random).code }
      : { channel: right.channel === 'ONLINE' ? ('COUNTER' as const) : ('ONLINE' as const) }

  return {
    next(now) {
      if ((waiting[0]?.at_ms ?? Number.POSITIVE_INFINITY) > now) return newDossier(now)
      return (waiting.shift() as Due).event(now)
    },
    waiting: () => waiting.length,
  }
}
