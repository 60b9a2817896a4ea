/**
 * The oracle: what every rate must be, from the set of accepted events and contract.md alone ("Meaning": Fold, Life, Counting,
 * Unit on a day, Rows). Slow, plain, and without a line of the pipeline, so that the two cannot be wrong together.
 */
import type { DossierEvent } from '../../schemas/dossier-event/event.ts'
import { type Place, unitOnDay } from './lists.ts'

/** What counts of one dossier; the names are those of the ledger's columns, days are numbers since 1970 at +07:00, null: none. */
export interface Facts {
  unit_code: string
  receiving_unit: string
  source: string
  procedure_code: string
  sector_code: string
  channel: string
  service_level: string
  received_on: number
  due_on: number | null
  settled_on: number | null
  compared_on: number | null
  returned_on: number | null
  ended_on: number | null
  ended_as: string
  overdue_on: number | null
  waiting_on: number | null
  supplement_requests: number
  fee_due: boolean
  paid_online: boolean
  digital_result: boolean
  digitised: boolean
  data_reused: boolean
}

export interface Counts {
  received: number
  received_online: number
  settled: number
  settled_early: number
  settled_on_time: number
  settled_late: number
}
export type RateRow = { month: string; unit_code: string; unit_valid_from: string } & Counts
export type PeriodRow = Omit<RateRow, 'month'>
export type Tier = 'commune' | 'district' | 'province'

const LIFE = 'SUBMITTED RECEIVED NOT_ACCEPTED SETTLED RETURNED WITHDRAWN STOPPED CORRECTED VOIDED'.split(' ')
const ENDS = ['SETTLED', 'RETURNED', 'WITHDRAWN', 'STOPPED']
const WAITS = ['SUPPLEMENT_REQUESTED', 'SUPPLEMENT_RECEIVED', 'PROCESSING']
/** The last day that a 16-bit day holds, 2149-06-06: never. */
const NEVER = 65_535
const LOCAL_MS = 7 * 3_600_000
const DAY_MS = 86_400_000
const dayOf = (ms: number) => Math.floor((ms + LOCAL_MS) / DAY_MS)
const isoOf = (day: number) => new Date(day * DAY_MS).toISOString().slice(0, 10)

/** Dossiers that count, with what counts of them. */
export function countedFacts(events: Iterable<DossierEvent>): Map<string, Facts> {
  const counted = new Map<string, Facts>()
  for (const [dossier_id, own] of Map.groupBy(events, event => event.dossier_id)) {
    const facts = fold(own)
    if (facts !== undefined) counted.set(dossier_id, facts)
  }
  return counted
}

function fold(events: readonly DossierEvent[]): Facts | undefined {
  const lowestFirst = [...events].sort((a, b) => {
    if (a.revision !== b.revision) return a.revision < b.revision ? -1 : 1
    const [ida, idb] = [a.event_id.toLowerCase(), b.event_id.toLowerCase()]
    return ida < idb ? -1 : ida > idb ? 1 : 0
  })
  /** The field of the highest event that carries it or empties it. */
  const says = <Field extends keyof DossierEvent>(field: Field): DossierEvent[Field] | null => {
    let value: DossierEvent[Field] | null = null
    for (const event of lowestFirst) {
      if (event[field] !== null) value = event[field]
      else if (event.cleared.includes(field)) value = null
    }
    return value
  }
  const life = lowestFirst.findLast(event => LIFE.includes(event.event_type))
  const unit = says('processing_unit') ?? says('receiving_unit')
  const received_at = says('received_at')
  if (life?.event_type === 'VOIDED' || life?.event_type === 'NOT_ACCEPTED') return undefined
  if (unit === null || received_at === null) return undefined

  const [due_at, settled_at, returned_at] = [says('due_at'), says('settled_at'), says('returned_at')]
  const received_on = dayOf(received_at)
  const end = endOf({ settled_at, returned_at, life })
  const step = lowestFirst.findLast(event => WAITS.includes(event.event_type) && event.source !== 'motcua-repair')
  const pause_days = Number((says('supplement_pause_ms') ?? 0n) / BigInt(DAY_MS))
  return {
    unit_code: unit,
    receiving_unit: says('receiving_unit') ?? '',
    source: life?.source ?? '',
    procedure_code: says('procedure_code') ?? '',
    sector_code: says('sector_code') ?? '',
    channel: says('channel') ?? '',
    service_level: says('service_level') ?? '',
    received_on,
    due_on: due_at === null ? null : dayOf(due_at),
    settled_on: settled_at === null ? null : dayOf(settled_at),
    compared_on: settled_at === null ? null : dayOf(settled_at - Number(says('supplement_pause_ms') ?? 0n)),
    returned_on: returned_at === null ? null : dayOf(returned_at),
    ended_on: end === undefined ? null : Math.max(dayOf(end.at), received_on),
    ended_as: end?.as ?? '',
    overdue_on: due_at === null ? null : Math.max(Math.min(dayOf(due_at) + 1 + pause_days, NEVER), received_on),
    waiting_on: step?.event_type === 'SUPPLEMENT_REQUESTED' && end === undefined ? dayOf(step.occurred_at) : null,
    supplement_requests: says('supplement_requests') ?? 0,
    fee_due: says('fee_due') ?? false,
    paid_online: says('paid_online') ?? false,
    digital_result: says('digital_result') ?? false,
    digitised: says('digitised') ?? false,
    data_reused: says('data_reused') ?? false,
  }
}

/** What ended a dossier, and when; undefined: it is pending. */
function endOf(dossier: { settled_at: number | null; returned_at: number | null; life?: DossierEvent }) {
  const { settled_at, returned_at, life } = dossier
  if (settled_at !== null) return { at: settled_at, as: 'SETTLED' }
  if (returned_at !== null) return { at: returned_at, as: 'RETURNED' }
  if (life !== undefined && ENDS.includes(life.event_type)) return { at: life.occurred_at, as: life.event_type }
  return undefined
}

/** What one dossier adds to the counts of a day. */
type Flow = { unit_code: string; day: string } & Counts

const NONE: Counts = {
  received: 0,
  received_online: 0,
  settled: 0,
  settled_early: 0,
  settled_on_time: 0,
  settled_late: 0,
}

function flowsOf(facts: Facts): Flow[] {
  const { unit_code, received_on, settled_on, compared_on, due_on } = facts
  const flows: Flow[] = [
    { ...NONE, unit_code, day: isoOf(received_on), received: 1, received_online: facts.channel === 'ONLINE' ? 1 : 0 },
  ]
  if (settled_on === null || compared_on === null) return flows
  const early = due_on !== null && compared_on < due_on
  const late = due_on !== null && compared_on > due_on
  flows.push({
    ...NONE,
    unit_code,
    day: isoOf(settled_on),
    settled: 1,
    settled_early: early ? 1 : 0,
    settled_late: late ? 1 : 0,
    settled_on_time: early || late ? 0 : 1,
  })
  return flows
}

/** Adds flows up under the keys they are given; undefined: it counts nowhere here. */
function sum<Key extends object>(flows: Flow[], keyOf: (flow: Flow) => Key | undefined): (Key & Counts)[] {
  const byKey = new Map<string, Key & Counts>()
  for (const flow of flows) {
    const key = keyOf(flow)
    if (key === undefined) continue
    const text = Object.values(key).join(' ')
    const row = byKey.get(text) ?? { ...key, ...NONE }
    for (const name of Object.keys(NONE) as (keyof Counts)[]) (row as Counts)[name] += flow[name]
    byKey.set(text, row)
  }
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row)
}

const keyOf = (place: Place | undefined) =>
  place === undefined ? undefined : { unit_code: place.code, unit_valid_from: place.valid_from }

/** The rows of rates_by_commune, _district and _province, ordered by month, code and validity. */
export function ratesOf(events: Iterable<DossierEvent>): Record<Tier, RateRow[]> {
  const flows = [...countedFacts(events).values()].flatMap(flowsOf)
  const monthly = (tier: Tier) =>
    sum(flows, ({ unit_code, day }) => {
      const unit = keyOf(unitOnDay(unit_code, day)[tier])
      return unit && { month: `${day.slice(0, 7)}-01`, ...unit }
    })
  return { commune: monthly('commune'), district: monthly('district'), province: monthly('province') }
}

/** The rows of rates(from=, to=, tier=), both days included. */
export function ratesBetween(
  events: Iterable<DossierEvent>,
  period: { from: string; to: string; tier: Tier | 'country' },
): PeriodRow[] {
  return periodRows([...countedFacts(events).values()], period)
}

/** The rows of rates_by_receiving_unit(from=, to=, tier=): where it was filed, else where it is answered for. */
export function ratesWhereFiled(
  events: Iterable<DossierEvent>,
  period: { from: string; to: string; tier: Tier | 'country' },
): PeriodRow[] {
  const filed = [...countedFacts(events).values()].map(facts => ({
    ...facts,
    unit_code: facts.receiving_unit === '' ? facts.unit_code : facts.receiving_unit,
  }))
  return periodRows(filed, period)
}

function periodRows(dossiers: Facts[], period: { from: string; to: string; tier: Tier | 'country' }): PeriodRow[] {
  const { from, to, tier } = period
  const flows = dossiers.flatMap(flowsOf).filter(({ day }) => from <= day && day <= to)
  return sum(flows, ({ unit_code, day }) =>
    tier === 'country' ? { unit_code: 'VN', unit_valid_from: '1970-01-01' } : keyOf(unitOnDay(unit_code, day)[tier]),
  )
}

// --- stocks -----------------------------------------------------------------------------------------------------------

export interface Stock {
  pending: number
  pending_in_time: number
  pending_overdue: number
  pending_overdue_766: number
  due_soon: number
  waiting: number
}
export interface Account extends Counts {
  carried_over: number
  received_counter: number
  received_postal: number
  received_full: number
  received_partial: number
  received_information: number
  ended: number
  withdrawn: number
  stopped: number
  returned: number
  pending: number
  pending_in_time: number
  pending_overdue: number
}
type UnitKey = { unit_code: string; unit_valid_from: string }

const dayNumber = (iso: string) => Date.parse(`${iso}T00:00:00Z`) / DAY_MS
const pendingOn = ({ received_on, ended_on }: Facts, day: number) =>
  received_on <= day && (ended_on === null || ended_on > day)
const overdueOn = ({ overdue_on }: Facts, day: number) => overdue_on !== null && overdue_on <= day
/** Who waits for the applicant is judged by the day of the request, and is late after a second one (Decision 766, 2.1). */
const overdue766 = (facts: Facts, day: number) =>
  facts.waiting_on === null || facts.waiting_on > day
    ? overdueOn(facts, day)
    : facts.supplement_requests > 1 || overdueOn(facts, facts.waiting_on)

const placeOf = (facts: Facts, tier: Tier | 'country', day: string): UnitKey | undefined =>
  tier === 'country' ? { unit_code: 'VN', unit_valid_from: '1970-01-01' } : keyOf(unitOnDay(facts.unit_code, day)[tier])

/** Sums what each dossier adds, per unit, and leaves rows out where everything is 0. */
function perUnit<Row extends object>(
  dossiers: Iterable<Facts>,
  placed: (facts: Facts) => UnitKey | undefined,
  adds: (facts: Facts) => Row,
): (UnitKey & Row)[] {
  const rows = new Map<string, UnitKey & Row>()
  for (const facts of dossiers) {
    const unit = placed(facts)
    if (unit === undefined) continue
    const added = adds(facts)
    const key = `${unit.unit_code} ${unit.unit_valid_from}`
    const row = rows.get(key) ?? { ...unit, ...added, ...Object.fromEntries(Object.keys(added).map(name => [name, 0])) }
    for (const [name, n] of Object.entries(added)) (row as Record<string, number>)[name] += n
    rows.set(key, row as UnitKey & Row)
  }
  return [...rows]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, row]) => row)
    .filter(row => Object.values(row).some(value => typeof value === 'number' && value !== 0))
}

const one = (holds: boolean) => (holds ? 1 : 0)

/** The rows of backlog(as_of=, tier=, soon=). */
export function backlogOf(
  events: Iterable<DossierEvent>,
  { as_of, tier, soon }: { as_of: string; tier: Tier | 'country'; soon: number },
): (UnitKey & Stock)[] {
  const day = dayNumber(as_of)
  return perUnit(
    countedFacts(events).values(),
    facts => placeOf(facts, tier, as_of),
    facts => {
      const pending = pendingOn(facts, day)
      return {
        pending: one(pending),
        pending_in_time: one(pending && !overdueOn(facts, day)),
        pending_overdue: one(pending && overdueOn(facts, day)),
        due_soon: one(pending && !overdueOn(facts, day) && overdueOn(facts, day + soon)),
        waiting: one(pending && facts.waiting_on !== null && facts.waiting_on <= day),
        pending_overdue_766: one(pending && overdue766(facts, day)),
      }
    },
  )
}

/** The rows of dossier_balance(from=, to=, tier=), without those not accepted. */
export function balanceOf(
  events: Iterable<DossierEvent>,
  { from, to, tier }: { from: string; to: string; tier: Tier | 'country' },
): (UnitKey & Account)[] {
  const [first, last] = [dayNumber(from), dayNumber(to)]
  const within = (day: number | null) => day !== null && first <= day && day <= last
  return perUnit(
    countedFacts(events).values(),
    facts => placeOf(facts, tier, to),
    facts => {
      const [received, settled, ended] = [facts.received_on, facts.settled_on, facts.ended_on].map(within)
      const { compared_on, due_on, channel, service_level } = facts
      const early = due_on !== null && compared_on !== null && compared_on < due_on
      const late = due_on !== null && compared_on !== null && compared_on > due_on
      return {
        carried_over: one(pendingOn(facts, first - 1)),
        received: one(received === true),
        received_online: one(received === true && channel === 'ONLINE'),
        received_counter: one(received === true && channel === 'COUNTER'),
        received_postal: one(received === true && channel === 'POSTAL'),
        received_full: one(received === true && service_level === 'FULL'),
        received_partial: one(received === true && service_level === 'PARTIAL'),
        received_information: one(received === true && service_level === 'INFORMATION'),
        ended: one(ended === true),
        withdrawn: one(ended === true && facts.ended_as === 'WITHDRAWN'),
        stopped: one(ended === true && facts.ended_as === 'STOPPED'),
        settled: one(settled === true),
        settled_early: one(settled === true && early),
        settled_on_time: one(settled === true && !early && !late),
        settled_late: one(settled === true && late),
        returned: one(within(facts.returned_on)),
        pending: one(pendingOn(facts, last)),
        pending_in_time: one(pendingOn(facts, last) && !overdueOn(facts, last)),
        pending_overdue: one(pendingOn(facts, last) && overdueOn(facts, last)),
      }
    },
  )
}
