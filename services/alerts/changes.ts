/**
 * From what a rule saw to the alerts that change their state. Pure. An alert is one rule, unit, sector and window; its id is
 * made of these, so that an alert told twice is the same alert.
 */
import { createHash } from 'node:crypto'
import { fires, type Observation, type Rule } from './rules.ts'

export type State = 'PENDING' | 'FIRING' | 'ACKNOWLEDGED' | 'RESOLVED' | 'NO_DATA' | 'ERROR'

/** A DossierAlert, version 1; times in milliseconds since 1970 UTC. */
export interface Alert {
  alert_id: string
  rule: string
  state: State
  reason: string
  severity: string
  unit_code: string
  sector_code: string | null
  indicator_code: string
  value: number | null
  numerator: number | null
  denominator: number | null
  threshold: number | null
  window_from: number
  window_to: number
  watermark: number
  changed_at: number
  text_vi: string
  text_en: string
}

export interface Times {
  watermark_ms: number
  now_ms: number
}

/**
 * The alerts to tell: those that begin to fire, those that fire no longer, and those whose dossiers are gone (voided).
 * `open` are the alerts that are not resolved, as they were told last.
 */
export function changesOf(
  rule: Rule,
  observations: readonly Observation[],
  open: readonly Alert[],
  times: Times,
): Alert[] {
  const ofRule = open.filter(alert => alert.rule === rule.name)
  const openById = new Map(ofRule.map(alert => [alert.alert_id, alert]))
  const changes: Alert[] = []
  const seen = new Set<string>()
  for (const observation of observations) {
    const id = alertId(rule, observation)
    seen.add(id)
    const firing = fires(rule, observation)
    const told = openById.get(id)
    if (firing && told === undefined) changes.push(alertOf(rule, observation, 'FIRING', 'low_rate', times))
    // Too few dossiers left to judge is not "recovered", but there is nothing left to complain about either.
    if (firing && told !== undefined && isOutdated(told, observation, times.now_ms))
      changes.push(alertOf(rule, observation, 'FIRING', 'figures_changed', times))
    if (!firing && told !== undefined)
      changes.push(
        alertOf(
          rule,
          observation,
          'RESOLVED',
          observation.denominator < rule.denominator_min ? 'too_few' : 'recovered',
          times,
        ),
      )
  }
  const gone = ofRule.filter(alert => !seen.has(alert.alert_id))
  return [
    ...changes,
    ...gone.map(alert => ({
      ...alert,
      state: 'RESOLVED' as const,
      reason: 'no_dossiers',
      value: null,
      numerator: 0,
      denominator: 0,
      watermark: times.watermark_ms,
      changed_at: times.now_ms,
    })),
  ]
}

/** An open alert whose figures have moved is told anew, but not at every dossier. */
const RETELL_MS_MIN = 15_000
const isOutdated = (told: Alert, seen: Observation, now_ms: number) =>
  now_ms - told.changed_at >= RETELL_MS_MIN &&
  (told.numerator !== seen.numerator || told.denominator !== seen.denominator)

/** A UUID (version 8 layout) made of what the alert is about. */
export function alertId(rule: Rule, { unit_code, unit_valid_from, window_from, window_to }: Observation): string {
  const hex = createHash('sha256')
    .update(JSON.stringify([rule.name, unit_code, unit_valid_from, rule.sector_code, window_from, window_to]))
    .digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

const startOf = (day: string) => Date.parse(`${day}T00:00:00+07:00`)
const endOf = (day: string) => startOf(day) + 86_400_000 - 1

function alertOf(rule: Rule, observation: Observation, state: State, reason: string, times: Times): Alert {
  const { numerator, denominator, unit_name, window_from, window_to } = observation
  const sample = observation.sources.includes('sample')
  const percent = (rate: number, locale: string) =>
    `${new Intl.NumberFormat(locale, { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(rate * 100)} %`
  const half = window_from.endsWith('-01-01') ? 1 : 2
  const year = window_from.slice(0, 4)
  const value = numerator / denominator
  return {
    alert_id: alertId(rule, observation),
    rule: rule.name,
    state,
    reason,
    severity: rule.severity,
    unit_code: observation.unit_code,
    sector_code: rule.sector_code,
    indicator_code: rule.indicator_code,
    value,
    numerator,
    denominator,
    threshold: rule.threshold,
    window_from: startOf(window_from),
    window_to: endOf(window_to),
    watermark: times.watermark_ms,
    changed_at: times.now_ms,
    text_vi: `${sample ? '[Dữ liệu mẫu] ' : ''}${unit_name}, 6 tháng ${half === 1 ? 'đầu' : 'cuối'} năm ${year}: lĩnh vực đất đai nộp trực tuyến ${percent(value, 'vi')} (${numerator}/${denominator} hồ sơ), ngưỡng ${percent(rule.threshold, 'vi')}`,
    text_en: `${sample ? '[Sample data] ' : ''}${unit_name}, ${half === 1 ? 'first' : 'second'} half of ${year}: land dossiers filed online ${percent(value, 'en')} (${numerator} of ${denominator}), threshold ${percent(rule.threshold, 'en')}`,
  }
}
