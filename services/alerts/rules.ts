/**
 * The rules. For now one: few land dossiers filed online (the 2.06 % of Ninh Thuận's report of the first half of 2023).
 * A rule judges every province and calendar half-year that holds dossiers; a share of few dossiers is no evidence.
 */

export interface Rule {
  name: string
  severity: 'info' | 'warning' | 'critical'
  /** Of the catalogue (pipelines/indicators); one that the rate views show. */
  indicator_code: string
  sector_code: string
  /** The rule fires below this rate, 0 to 1. */
  threshold: number
  /** Dossiers needed before it judges. */
  denominator_min: number
}

export const LAND_ONLINE: Rule = {
  name: 'land_online_low',
  severity: 'warning',
  indicator_code: 'online_submission',
  sector_code: 'LAND',
  threshold: 0.1,
  denominator_min: 30,
}

/** What a rule sees: one unit and one window. */
export interface Observation {
  unit_code: string
  unit_valid_from: string
  unit_name: string
  /** First and last day, ISO, both included, at +07:00. */
  window_from: string
  window_to: string
  numerator: number
  denominator: number
  sources: string[]
}

export const fires = (rule: Rule, { numerator, denominator }: Observation): boolean =>
  denominator >= rule.denominator_min && numerator < rule.threshold * denominator

/** The calendar half-years, first and last day, from the one that holds `from` to the one that holds `to`. */
export function halfYears(from: string, to: string): { from: string; to: string }[] {
  const windows: { from: string; to: string }[] = []
  for (let year = Number(from.slice(0, 4)); year <= Number(to.slice(0, 4)); year++) {
    windows.push({ from: `${year}-01-01`, to: `${year}-06-30` }, { from: `${year}-07-01`, to: `${year}-12-31` })
  }
  return windows.filter(window => window.to >= from && window.from <= to)
}
