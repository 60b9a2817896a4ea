/**
 * What a sample is to add up to: counts that are fixed before the first dossier is made, so that they come out to the dossier.
 * `facts.ts` makes the dossiers, `sample.ts` the deliveries.
 */
import type { Province } from './reference.ts'

/** The figures of the closing table, for one unit and period. */
export interface Figures {
  received: number
  received_online: number
  settled: number
  /** Early or on the day. */
  settled_on_time: number
  settled_late: number
  land_received: number
  land_online: number
}

export const NO_FIGURES: Readonly<Figures> = {
  received: 0,
  received_online: 0,
  settled: 0,
  settled_on_time: 0,
  settled_late: 0,
  land_received: 0,
  land_online: 0,
}

/** What was published, as it was published. A figure that is not here was made up, and is called synthetic. */
export interface Published {
  received?: number
  settled_on_time?: number
  settled_late?: number
  /** In per cent, as printed: '81.17'. */
  online_percent?: string
  on_time_percent?: string
  land_online_percent?: string
}

export interface Plan {
  province: Province
  /** For people: 'Ninh Thuận, first half of 2023'. */
  title: string
  /** One sentence on where the figures come from and what is made up. */
  remark: string
  published: Published
  /** First and last day of reception: the period of the figures. ISO days, +07:00. */
  from: string
  to: string
  /** Last day on which anything is settled. */
  settled_to: string
  /** Last day of any news: corrections, hand-over. */
  news_to: string
  /** Land and the rest, each with the number received online. */
  land: { dossiers: number; online: number }
  other: { dossiers: number; online: number }
  /** Disjoint; together all dossiers. `undated`: without a due date, hence on time. */
  outcomes: { early: number; on_time: number; undated: number; late: number; pending: number }
  seed: string
}

export const dossiersOf = (plan: Pick<Plan, 'land' | 'other'>): number => plan.land.dossiers + plan.other.dossiers

/** Of those settled in time: how many early, on the day, and without any due date. The split is made up. */
export function inTime(count: number): { early: number; on_time: number; undated: number } {
  const early = Math.round(count * 0.62)
  const undated = Math.round(count * 0.03)
  return { early, undated, on_time: count - early - undated }
}
