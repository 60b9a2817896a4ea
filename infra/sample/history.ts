/**
 * How the facts of a dossier came to be told: its events, in the order of their revisions, distinct in event_id and revision
 * except for whole events that were sent anew. Whatever happens on the way, the fold of them all is the facts given.
 */
import type { DossierEvent, EventType, NullableField } from '../../schemas/dossier-event/event.ts'
import { DAY_MS, dayOf, MINUTE_MS, momentOf, monthOf, yymmdd } from './days.ts'
import type { Facts } from './facts.ts'
import type { Random } from './random.ts'

/**
 * `straight`: told right from the start. `corrected`: first wrong, then right. `corrected_twice`: wrong, wrong otherwise,
 * right; or right, wrong, right. `voided`: it ends as if it had never been. `reinstated`: voided by mistake and brought back.
 */
export type Course = 'straight' | 'corrected' | 'corrected_twice' | 'voided' | 'reinstated'

/** Where wrong facts may come from and how far news may go. */
export interface Surroundings {
  communes: readonly { code: string }[]
  first_day: number
  settled_to_day: number
  news_to_ms: number
  random: Random
}

export interface History {
  events: DossierEvent[]
  /** What was told first: the dossier's number is made of it, as in life. */
  told_first: Facts
}

const HOUR_MS = 3_600_000

export function historyOf(facts: Facts, course: Course, around: Surroundings): History {
  const told = versionsOf(facts, course, around)
  const told_first = told[0] as Facts
  const teller = createTeller(around)
  tellLife(teller, facts, told_first, around.random)
  for (let at = 1; at < told.length; at++)
    teller.tell(
      'CORRECTED',
      teller.later(2 * HOUR_MS, 12 * DAY_MS),
      difference(told[at - 1] as Facts, told[at] as Facts),
    )
  if (course === 'voided' || course === 'reinstated') teller.tell('VOIDED', teller.later(HOUR_MS, 9 * DAY_MS), {})
  if (course === 'reinstated') teller.tell('CORRECTED', teller.later(HOUR_MS, 3 * DAY_MS), {})
  return { events: teller.events, told_first }
}

/** What is told one after the other; the last is the truth. */
function versionsOf(facts: Facts, course: Course, around: Surroundings): Facts[] {
  if (course !== 'corrected' && course !== 'corrected_twice') return [facts]
  const wrong = distorted(facts, around)
  if (course === 'corrected') return [wrong, facts]
  return around.random.chance(0.4) ? [facts, wrong, facts] : [wrong, distorted(facts, around), facts]
}

// --- the ordinary course of a dossier -----------------------------------------------------------------------------------

type Fields = Partial<Pick<DossierEvent, NullableField | 'cleared'>>

/** Tells events with times that never go back. The dossier's number is filled in by the caller, once it is known. */
function createTeller(around: Surroundings) {
  const events: DossierEvent[] = []
  let last_ms = 0
  return {
    events,
    /** Some time after the last event, but before the end of all news. */
    later: (least_ms: number, most_ms: number) =>
      Math.min(last_ms + least_ms + around.random.below(most_ms - least_ms), around.news_to_ms),
    tell(type: EventType, at_ms: number, fields: Fields) {
      last_ms = Math.max(at_ms, last_ms + 1)
      events.push(eventOf(type, last_ms, around.random, fields))
    },
    /** The same event sent anew: another event_id, the same content and revision. */
    tellAgain(event: DossierEvent) {
      events.push({ ...event, event_id: around.random.uuid() })
    },
  }
}

type Teller = ReturnType<typeof createTeller>

/** When things happened is true; what is told of them may be wrong. */
function tellLife(teller: Teller, truth: Facts, told: Facts, random: Random): void {
  const moved = told.due_at !== null && told.settled_at !== null && random.chance(0.02)
  const first_due = moved
    ? Math.max(told.received_at, (told.due_at as number) + random.between(-3, 3) * DAY_MS)
    : told.due_at
  const sector_code = random.chance(0.3) ? told.procedure.sector : null
  if (told.channel === 'ONLINE' && random.chance(0.08))
    teller.tell('SUBMITTED', truth.received_at - random.between(2, 90) * MINUTE_MS, {
      receiving_unit: told.receiving_unit,
      procedure_code: told.procedure.code,
      channel: told.channel,
    })
  teller.tell('RECEIVED', truth.received_at, {
    receiving_unit: told.receiving_unit,
    procedure_code: told.procedure.code,
    sector_code,
    channel: told.channel,
    service_level: told.procedure.service_level,
    received_at: told.received_at,
    due_at: first_due,
    fee_due: told.fee_due,
    data_reused: told.data_reused,
  })
  const received = teller.events.at(-1) as DossierEvent
  if (random.chance(0.025)) teller.tellAgain(received)
  if (told.processing_unit !== null || random.chance(0.05))
    teller.tell('PROCESSING', teller.later(5 * MINUTE_MS, HOUR_MS), { processing_unit: told.processing_unit })
  if (truth.settled_at === null) return

  if (told.supplement_requests > 0) {
    teller.tell('SUPPLEMENT_REQUESTED', teller.later(MINUTE_MS, HOUR_MS), {
      supplement_requests: told.supplement_requests,
    })
    teller.tell('SUPPLEMENT_RECEIVED', truth.received_at + told.pause_ms, {
      supplement_pause_ms: BigInt(told.pause_ms),
    })
  }
  if (moved) teller.tell('DEADLINE_CHANGED', teller.later(MINUTE_MS, HOUR_MS), { due_at: told.due_at })
  // A settlement sends the whole snapshot again, as real systems do.
  teller.tell('SETTLED', truth.settled_at, {
    receiving_unit: told.receiving_unit,
    processing_unit: told.processing_unit,
    procedure_code: told.procedure.code,
    sector_code,
    channel: told.channel,
    service_level: told.procedure.service_level,
    received_at: told.received_at,
    due_at: told.due_at,
    settled_at: told.settled_at,
    supplement_pause_ms: BigInt(told.pause_ms),
    supplement_requests: told.supplement_requests,
    fee_due: told.fee_due,
    paid_online: told.paid_online,
    digital_result: told.digital_result,
    digitised: told.digitised,
  })
  if (random.chance(0.025)) teller.tellAgain(teller.events.at(-1) as DossierEvent)
  if (told.returned_at !== null) teller.tell('RETURNED', told.returned_at, { returned_at: told.returned_at })
}

const NOTHING: string[] = []

/** A revision is the microsecond of the change: below 2^53 for some centuries yet. */
function eventOf(event_type: EventType, occurred_at: number, random: Random, fields: Fields): DossierEvent {
  return {
    event_id: random.uuid(),
    dossier_id: '',
    revision: BigInt(occurred_at * 1000 + random.below(1000)),
    event_type,
    occurred_at,
    source: SOURCE,
    receiving_unit: fields.receiving_unit ?? null,
    processing_unit: fields.processing_unit ?? null,
    procedure_code: fields.procedure_code ?? null,
    sector_code: fields.sector_code ?? null,
    channel: fields.channel ?? null,
    service_level: fields.service_level ?? null,
    received_at: fields.received_at ?? null,
    due_at: fields.due_at ?? null,
    settled_at: fields.settled_at ?? null,
    returned_at: fields.returned_at ?? null,
    supplement_pause_ms: fields.supplement_pause_ms ?? null,
    supplement_requests: fields.supplement_requests ?? null,
    fee_due: fields.fee_due ?? null,
    paid_online: fields.paid_online ?? null,
    digital_result: fields.digital_result ?? null,
    digitised: fields.digitised ?? null,
    data_reused: fields.data_reused ?? null,
    cleared: fields.cleared ?? NOTHING,
  }
}

export const SOURCE = 'sample'
export const newEvent = eventOf

/** SAMPLE.58.22738-230105-0001: unit, commune and day as first told, running number of that day. */
export const dossierNumber = (unit: string, told_first: Facts, running: number): string =>
  `SAMPLE.${unit}.${told_first.receiving_unit}-${yymmdd(dayOf(told_first.received_at))}-${String(running).padStart(4, '0')}`

// --- errors and their correction ----------------------------------------------------------------------------------------

const CORRECTABLE = ['receiving_unit', 'processing_unit', 'channel', 'received_at', 'due_at', 'settled_at'] as const

/** What a correction from one version to the next says: the fields that differ; those without a value are emptied. */
function difference(before: Facts, after: Facts): Fields {
  const fields: Record<string, unknown> = {}
  const cleared: string[] = []
  for (const field of CORRECTABLE) {
    if (before[field] === after[field]) continue
    if (after[field] === null) cleared.push(field)
    else fields[field] = after[field]
  }
  return { ...fields, cleared }
}

/** Facts with a mistake in them, or undefined where these facts do not allow it. */
type Mistake = (facts: Facts, around: Surroundings) => Facts | undefined

const wrongCommune: Mistake = (facts, { communes, random }) => {
  const other = random.of(communes).code
  if (other === (facts.processing_unit ?? facts.receiving_unit)) return undefined
  // A unit that has nothing to do with it: the correction must empty the field again.
  if (facts.processing_unit === null && random.chance(0.3)) return { ...facts, processing_unit: other }
  return facts.processing_unit === null ? { ...facts, receiving_unit: other } : { ...facts, processing_unit: other }
}

const wrongChannel: Mistake = (facts, { random }) => ({
  ...facts,
  channel: facts.channel === 'ONLINE' ? random.of(['COUNTER', 'COUNTER', 'POSTAL'] as const) : 'ONLINE',
})

/** All dates some weeks off, in another month. */
const wrongMonth: Mistake = (facts, { first_day, settled_to_day, random }) => {
  const far = random.between(20, 50)
  const days = random.chance(0.5) ? far : -far
  const received = dayOf(facts.received_at)
  const last = facts.settled_at === null ? received : dayOf(facts.settled_at)
  if (received + days < first_day || last + days > settled_to_day || monthOf(received + days) === monthOf(received))
    return undefined
  const shifted = (time_ms: number | null) => (time_ms === null ? null : time_ms + days * DAY_MS)
  return {
    ...facts,
    received_at: facts.received_at + days * DAY_MS,
    due_at: shifted(facts.due_at),
    settled_at: shifted(facts.settled_at),
  }
}

/** What was late is told as in time, and the other way round, by a wrong due date or a wrong day of settlement. */
const wrongOutcome: Mistake = (facts, { settled_to_day, random }) => {
  if (facts.settled_at === null || facts.due_at === null) return undefined
  const received = dayOf(facts.received_at)
  const settled = dayOf(facts.settled_at)
  const compared = dayOf(facts.settled_at - facts.pause_ms)
  const due = dayOf(facts.due_at)
  if (compared > due) {
    if (random.chance(0.5) && settled - (compared - due) > received)
      return { ...facts, settled_at: facts.settled_at - (compared - due) * DAY_MS }
    return { ...facts, due_at: momentOf(compared + random.below(4), 24 * 60 - 1) }
  }
  if (random.chance(0.5)) {
    const later = due - compared + random.between(1, 25)
    return settled + later > settled_to_day ? undefined : { ...facts, settled_at: facts.settled_at + later * DAY_MS }
  }
  const earlier = compared - 1
  return earlier < received ? undefined : { ...facts, due_at: momentOf(earlier, 24 * 60) - 1 }
}

const MISTAKES: readonly Mistake[] = [wrongCommune, wrongMonth, wrongChannel, wrongOutcome]
const ATTEMPTS = 4

/** The facts with one or two errors in them; each kind and direction comes up. */
function distorted(facts: Facts, around: Surroundings): Facts {
  const { random } = around
  const first = random.of(MISTAKES)
  const wrong = attempt(first, facts, around) ?? wrongChannel(facts, around) ?? facts
  const second = random.of(MISTAKES)
  if (second === first || !random.chance(0.3)) return wrong
  const twofold = attempt(second, wrong, around)
  return twofold !== undefined && consistent(twofold) ? twofold : wrong
}

function attempt(mistake: Mistake, facts: Facts, around: Surroundings): Facts | undefined {
  for (let left = ATTEMPTS; left > 0; left--) {
    const wrong = mistake(facts, around)
    if (wrong !== undefined) return wrong
  }
  return undefined
}

/** The door looks at each event by itself: nothing is due or settled before it is received. */
const consistent = (facts: Facts) =>
  (facts.due_at === null || facts.due_at >= facts.received_at) &&
  (facts.settled_at === null || facts.settled_at >= facts.received_at)
