/**
 * A sample as it is delivered, in chunks: memory stays bounded whatever its size. The same plan gives the same events, to the
 * byte and in the same order. All chunks together fold to the plan's figures.
 */
import type { DossierEvent } from '../../schemas/dossier-event/event.ts'
import { dayFromIso, dayOf, momentOf } from './days.ts'
import { createBelt } from './delivery.ts'
import { createFacts, type Facts, tally } from './facts.ts'
import { type Course, dossierNumber, historyOf, type Surroundings } from './history.ts'
import { type Figures, NO_FIGURES, type Plan } from './plan.ts'
import { createRandom, type Random, share } from './random.ts'

export interface Chunk {
  deliveries: DossierEvent[]
  /** How much has been told so far, this chunk included: dossiers that count in the end, those voided beside, distinct events. */
  told: { dossiers: number; voided: number; events: number }
  /** What the counted dossiers told so far add up to in the plan's period. */
  figures: Figures
}

const CHUNK_DOSSIERS = 4_000
const CORRECTED = 0.065
const TWICE = 0.25
const REINSTATED = 0.003
const VOIDED = 0.0101

export function* chunksOf(plan: Plan, chunk_dossiers = CHUNK_DOSSIERS): Generator<Chunk, void, undefined> {
  const source = createFacts(plan)
  const random = createRandom(`${plan.seed} ${plan.province.code} ${plan.to} ${source.dossiers} events`)
  const { communes, first_day, settled_to_day } = source
  const news_to_ms = momentOf(dayFromIso(plan.news_to), 24 * 60) - 1
  const around: Surroundings = { communes, first_day, settled_to_day, news_to_ms, random }
  const numberOf = numbering(plan.province.code)
  const courses = createCourses(random)
  const belt = createBelt(random)
  const last_day = dayFromIso(plan.to)
  const figures = { ...NO_FIGURES }
  const told = { dossiers: 0, voided: 0, events: 0 }

  const tell = (facts: Facts, course: Course) => {
    const { events, told_first } = historyOf(facts, course, around)
    const dossier_id = numberOf(told_first)
    for (const event of events) event.dossier_id = dossier_id
    told.events += events.length
    belt.put(events)
  }
  while (told.dossiers < source.dossiers) {
    const end = Math.min(told.dossiers + chunk_dossiers, source.dossiers)
    for (; told.dossiers < end; told.dossiers++) {
      const facts = source.facts(told.dossiers, random)
      tell(facts, courses.next())
      tally(figures, facts, first_day, last_day)
      if (!courses.void()) continue
      tell(source.extra(told.dossiers, random), 'voided')
      told.voided++
    }
    // Nothing told from here on happens before the eve of the next dossier's reception.
    const deliveries = end === source.dossiers ? belt.take() : belt.take(source.dayOf(end) - 1)
    yield { deliveries, told: { ...told }, figures: { ...figures } }
  }
}

/** Which dossiers are corrected and voided: spread evenly, so that the promised shares hold at any size. */
function createCourses(random: Random) {
  const corrected = share(CORRECTED, random)
  const twice = share(TWICE, random)
  const reinstated = share(REINSTATED, random)
  return {
    void: share(VOIDED, random),
    next(): Course {
      if (corrected()) return twice() ? 'corrected_twice' : 'corrected'
      return reinstated() ? 'reinstated' : 'straight'
    },
  }
}

/** Dossiers of a day are numbered through, over the whole province. */
function numbering(unit: string) {
  const running = new Map<number, number>()
  return (told_first: Facts) => {
    const day = dayOf(told_first.received_at)
    const next = (running.get(day) ?? 0) + 1
    running.set(day, next)
    return dossierNumber(unit, told_first, next)
  }
}
