/**
 * The final facts of a sample's dossiers: how each stands when all has been told. They add up to the plan to the dossier,
 * whatever the seed; which dossier has which is drawn. How they came to be told is `history.ts`.
 */
import type { DossierEvent } from '../../schemas/dossier-event/event.ts'
import { type Calendar, DAY_MS, dayFromIso, dayOf, MINUTE_MS, momentOf, readCalendar } from './days.ts'
import { dossiersOf, type Figures, type Plan } from './plan.ts'
import { createRandom, type Random, weighted } from './random.ts'
import { type Commune, communesOn, readProcedures, type WeightedProcedure } from './reference.ts'

export interface Facts {
  receiving_unit: string
  /** Null: the receiving unit deals with it itself. */
  processing_unit: string | null
  procedure: WeightedProcedure
  channel: NonNullable<DossierEvent['channel']>
  received_at: number
  due_at: number | null
  settled_at: number | null
  /** Waiting for supplements; the due date was not moved for it. */
  pause_ms: number
  supplement_requests: number
  returned_at: number | null
  fee_due: boolean
  paid_online: boolean
  digital_result: boolean
  digitised: boolean
  data_reused: boolean
}

const OUTCOMES = ['early', 'on_time', 'undated', 'late', 'pending'] as const
type Outcome = (typeof OUTCOMES)[number]
const STRATA = ['land_online', 'land_offline', 'other_online', 'other_offline'] as const
type Stratum = (typeof STRATA)[number]

export interface FactsSource {
  dossiers: number
  /** The facts of dossier `at`, 0 … dossiers − 1, in the order of their days of reception; draws from `random`, so ask in order. */
  facts(at: number, random: Random): Facts
  /** The day on which dossier `at` is received; the last day of the period for any beyond. */
  dayOf(at: number): number
  /** Facts of one more dossier, which no figure holds, received on the day of dossier `at`. */
  extra(at: number, random: Random): Facts
  communes: readonly Commune[]
  first_day: number
  settled_to_day: number
}

export function createFacts(plan: Plan): FactsSource {
  const dossiers = dossiersOf(plan)
  const { early, on_time, undated, late, pending } = plan.outcomes
  if (early + on_time + undated + late + pending !== dossiers)
    throw new RangeError(`the outcomes of ${plan.title} are not as many as its dossiers, ${dossiers}`)
  const random = createRandom(`${plan.seed} ${plan.province.code} ${plan.to} ${dossiers} facts`)
  const outcomes = random.shuffle(codesOf([early, on_time, undated, late, pending]))
  const strata = random.shuffle(
    codesOf([
      plan.land.online,
      plan.land.dossiers - plan.land.online,
      plan.other.online,
      plan.other.dossiers - plan.other.online,
    ]),
  )
  const calendar = readCalendar()
  const first_day = dayFromIso(plan.from)
  const last_day = dayFromIso(plan.to)
  const settled_to_day = dayFromIso(plan.settled_to)
  const drawDay = dayPickers(calendar, first_day, last_day, settled_to_day)
  const communes = communesOn(plan.province.code, plan.to)
  const drawCommune = communePickers(communes, random)
  const drawProcedure = procedurePickers()

  function make(stratum: Stratum, outcome: Outcome, day: number, draw: Random): Facts {
    const online = stratum.endsWith('_online')
    const procedure = drawProcedure[stratum](draw)
    const commune = drawCommune(stratum, outcome === 'late', draw).code
    const elsewhere = draw.chance(0.07) ? draw.of(communes).code : commune
    const digital_result = draw.chance(online ? 0.85 : 0.6)
    const fee_due = procedure.fee && draw.chance(0.8)
    return {
      receiving_unit: elsewhere,
      processing_unit: elsewhere === commune ? null : commune,
      procedure,
      channel: online ? 'ONLINE' : draw.chance(0.12) ? 'POSTAL' : 'COUNTER',
      ...timesOf(outcome, day, procedure, calendar, settled_to_day, draw),
      fee_due,
      paid_online: fee_due && draw.chance(online ? 0.8 : 0.2),
      digital_result,
      digitised: digital_result || draw.chance(0.3),
      data_reused: draw.chance(0.2),
    }
  }

  const stratumOf = (dossier: number) => STRATA[strata[dossier] as number] as Stratum
  const outcomeOf = (dossier: number) => OUTCOMES[outcomes[dossier] as number] as Outcome
  const dayFor = (stratum: Stratum, outcome: Outcome, draw: Random) =>
    drawDay(stratum.endsWith('_online'), outcome === 'late', draw)
  const days = Int32Array.from({ length: dossiers }, (_, dossier) =>
    dayFor(stratumOf(dossier), outcomeOf(dossier), random),
  )
  const order = inOrderOf(days)

  return {
    dossiers,
    communes,
    first_day,
    settled_to_day,
    dayOf: at => (at < dossiers ? (days[order[at] as number] as number) : last_day),
    facts(at, draw) {
      const dossier = order[at] as number
      return make(stratumOf(dossier), outcomeOf(dossier), days[dossier] as number, draw)
    },
    extra(at, draw) {
      const day = days[order[at] as number] as number
      const outcome = draw.of(['early', 'on_time', 'late'] as const)
      return make(draw.of(STRATA), day > settled_to_day - 2 ? 'early' : outcome, day, draw)
    },
  }
}

/** Indices in the order of their values, equal ones in their own order. */
function inOrderOf(values: Int32Array): Uint32Array {
  const keys = Float64Array.from(values, (value, at) => value * 2 ** 32 + at).sort()
  return Uint32Array.from(keys, key => key % 2 ** 32)
}

/** Code k as often as the k-th count says. */
function codesOf(counts: readonly number[]): Uint8Array {
  const codes = new Uint8Array(counts.reduce((sum, count) => sum + count, 0))
  let at = 0
  counts.forEach((count, code) => {
    codes.fill(code, at, at + count)
    at += count
  })
  return codes
}

/** Counters are closed on Sundays and holidays; whoever is to be late must be received two days before the end. */
function dayPickers(calendar: Calendar, first: number, last: number, settled_to: number) {
  const all = Array.from({ length: last - first + 1 }, (_, at) => first + at)
  const early = all.filter(day => day <= settled_to - 2)
  const atCounter = (day: number) => (calendar.works(day) ? 1 : calendar.saturday(day) ? 0.15 : 0.001)
  const online = (day: number) => (calendar.works(day) ? 1 : calendar.saturday(day) ? 0.4 : 0.2)
  const pickers = [weighted(all, atCounter), weighted(early, atCounter), weighted(all, online), weighted(early, online)]
  return (isOnline: boolean, late: boolean, random: Random) =>
    (pickers[(isOnline ? 2 : 0) + (late ? 1 : 0)] as (random: Random) => number)(random)
}

/** Few communes have much, many have little (Zipf); each has its own habit of filing online and of being late. */
function communePickers(communes: readonly Commune[], random: Random) {
  const size = (commune: Commune) => (commune.kind === 'Xã' ? 1 : 2)
  const ranked = random.shuffle([...communes]).map((commune, rank) => ({
    commune,
    weight: size(commune) / (rank + 3),
    online: 0.55 + 0.42 * random.unit(),
    late: 0.3 + 1.7 * random.unit(),
  }))
  const picker = (habit: (row: (typeof ranked)[number]) => number, late: boolean) =>
    weighted(ranked, row => row.weight * habit(row) * (late ? row.late : 1))
  const both = (habit: (row: (typeof ranked)[number]) => number) => [picker(habit, false), picker(habit, true)] as const
  const land = both(() => 1)
  const online = both(row => row.online)
  const offline = both(row => 1 - row.online)
  return (stratum: Stratum, late: boolean, draw: Random) => {
    const pair = stratum === 'other_online' ? online : stratum === 'other_offline' ? offline : land
    return pair[late ? 1 : 0](draw).commune
  }
}

function procedurePickers(): Record<Stratum, (random: Random) => WeightedProcedure> {
  const { land, other } = readProcedures()
  const ofLand = weighted(land, procedure => procedure.weight)
  return {
    land_online: ofLand,
    land_offline: ofLand,
    other_online: weighted(other, procedure => procedure.weight * procedure.online),
    other_offline: weighted(other, procedure => procedure.weight * (1 - procedure.online)),
  }
}

/** Due dates end with the working day, or with the day itself for what came in on it. */
const dueOn = (day: number, received: number) =>
  day === received ? momentOf(day, 24 * 60) - 1 : momentOf(day, 17 * 60)

/** Moments of a dossier received on a day, such that its outcome is the one asked for and nothing is settled after the end. */
function timesOf(
  outcome: Outcome,
  received: number,
  procedure: WeightedProcedure,
  calendar: Calendar,
  settled_to: number,
  random: Random,
): Pick<Facts, 'received_at' | 'due_at' | 'settled_at' | 'pause_ms' | 'supplement_requests' | 'returned_at'> {
  const promised = random.between(procedure.days[0], procedure.days[1]) + (outcome === 'early' ? 1 : 0)
  let due = calendar.after(received, promised)
  const open = { pause_ms: 0, supplement_requests: 0, returned_at: null }
  if (outcome === 'pending')
    return {
      received_at: receptionOn(received, false, random),
      due_at: dueOn(due, received),
      settled_at: null,
      ...open,
    }

  let settled = due
  if (outcome === 'early') settled = calendar.after(received, random.between(0, promised - 1))
  if (outcome === 'late') settled = calendar.after(due, 1 + random.below(8))
  if (settled > settled_to) settled = settled_to
  // The end cut the time short: the due date follows, so that the outcome stays.
  if (outcome === 'early' && due <= settled) due = settled + 1
  if (outcome === 'on_time') due = settled
  if (outcome === 'late' && due >= settled) due = settled - 1

  const received_at = receptionOn(received, settled === received, random)
  const settled_at =
    settled === received
      ? momentOf(settled, random.between(13 * 60, 17 * 60))
      : momentOf(settled, random.between(450, 1020))
  const pause = pauseOf(Math.min(due, settled) - received, random)
  return {
    received_at,
    due_at: outcome === 'undated' ? null : dueOn(due - pause, received),
    settled_at: settled_at + random.below(MINUTE_MS),
    pause_ms: pause * DAY_MS,
    supplement_requests: pause > 0 ? 1 : 0,
    returned_at: returnedAfter(settled_at, settled_to, random),
  }
}

/** Whole days of waiting for a supplement, always less than lie between reception and due date or settlement. */
const pauseOf = (days: number, random: Random) => (days >= 3 && random.chance(0.06) ? random.between(1, days - 1) : 0)

/** Online at any hour, so that days at +07:00 and at UTC differ; before noon where it is settled the same day. */
function receptionOn(day: number, sameDay: boolean, random: Random): number {
  const any = !sameDay && random.chance(0.25)
  return momentOf(day, any ? random.below(24 * 60) : random.between(450, sameDay ? 690 : 990)) + random.below(MINUTE_MS)
}

function returnedAfter(settled_at: number, last: number, random: Random): number | null {
  if (!random.chance(0.1)) return null
  const returned_at = settled_at + random.between(30, 3 * 24 * 60) * MINUTE_MS
  return dayOf(returned_at) > last ? null : returned_at
}

/** Adds a counted dossier to the figures of the plan's period. */
export function tally(figures: Figures, facts: Facts, first: number, last: number): void {
  const inPeriod = (day: number) => day >= first && day <= last
  if (inPeriod(dayOf(facts.received_at))) {
    figures.received++
    if (facts.channel === 'ONLINE') figures.received_online++
    if (facts.procedure.sector === 'LAND') figures.land_received++
    if (facts.procedure.sector === 'LAND' && facts.channel === 'ONLINE') figures.land_online++
  }
  if (facts.settled_at === null || !inPeriod(dayOf(facts.settled_at))) return
  figures.settled++
  const late = facts.due_at !== null && dayOf(facts.settled_at - facts.pause_ms) > dayOf(facts.due_at)
  if (late) figures.settled_late++
  else figures.settled_on_time++
}
