/** Everything a page is made from, and what every part of it needs to say it. */
import { html } from 'ghtml'
import type { AlertRow, Counts, DeadLetterRow, EventRow, Moment, Part, SampleSpan } from '../figures.ts'
import { count, day, type Language, percent } from '../format.ts'
import { type Calendar, DAY_MIN } from '../period.ts'
import type { PageState } from '../state.ts'
import { hasEnded, type Unit, type Units } from '../units.ts'
import { WORDS, type Words } from '../words.ts'

export interface PageView {
  state: PageState
  parts: Part[]
  calendar: Calendar
  samples: SampleSpan[]
  units: Units
  moment: Moment
  events: EventRow[]
  deadLetters: { total: number; rows: DeadLetterRow[] }
  alerts: AlertRow[]
}

/** A page, or a part of one: HTML that is already escaped. Goes into a template with `!` before `${`. */
export type Html = string

export const SAMPLE = 'sample'
/** Below this denominator a rate is too unsure to compare. */
export const FEW = 30

export const wordsOf = (view: { state: PageState }): Words => WORDS[view.state.language]

export const sumOf = (parts: Counts[]): Counts =>
  parts.reduce<Counts>(
    (sum, part) => ({
      received: sum.received + part.received,
      received_online: sum.received_online + part.received_online,
      settled: sum.settled + part.settled,
      settled_early: sum.settled_early + part.settled_early,
      settled_on_time: sum.settled_on_time + part.settled_on_time,
      settled_late: sum.settled_late + part.settled_late,
    }),
    { received: 0, received_online: 0, settled: 0, settled_early: 0, settled_on_time: 0, settled_late: 0 },
  )

/** "Tỉnh Bắc Giang (đến 30/06/2025)": the code alone names no place once a unit has ended. */
export const unitName = (unit: Unit, words: Words): string =>
  hasEnded(unit) ? `${unit.name} (${words.ended(day(unit.valid_to))})` : unit.name

/** As {@link unitName}, and of a unit that took over a code, since when. */
export const placeName = (unit: Unit, words: Words): string =>
  hasEnded(unit) || unit.valid_from === DAY_MIN
    ? unitName(unit, words)
    : `${unit.name} (${words.since(day(unit.valid_from))})`

/** Names of places stay Vietnamese in every language, and say so to a screen reader. */
export const vietnamese = (text: string, language: Language): Html =>
  language === 'vi' ? html`${text}` : html`<span lang="vi">${text}</span>`

export const sampleBadge = (sources: string[], words: Words): Html =>
  sources.includes(SAMPLE)
    ? html`<span class="badge">${sources.length === 1 ? words.sample : words.sample_partly}</span>`
    : ''

/** A rate: percentage, bar, numerator and denominator; muted and marked where the denominator is small. */
export function rate(
  numerator: number,
  denominator: number,
  sentence: (n: string, d: string) => string,
  words: Words,
  language: Language,
): Html {
  const shown = percent(numerator, denominator, language)
  if (shown === undefined)
    return html`<span class="rate"><span class="value" aria-hidden="true">–</span><span class="sr">${words.none}</span></span>`
  const [n, d] = [count(numerator, language), count(denominator, language)]
  const few = denominator < FEW ? html` <span class="few-mark">${words.few}</span>` : ''
  return html`<span class="${denominator < FEW ? 'rate few' : 'rate'}"><b class="value">${shown}</b>!${bar(numerator / denominator)}<span class="frac"><span aria-hidden="true">${n} / ${d}</span><span class="sr">${sentence(n, d)}</span>!${few}</span></span>`
}

/** A bar in SVG attributes, since the page allows no inline style. Decoration only: the number stands beside it. */
const bar = (fraction: number): Html =>
  html`<svg class="bar" width="100%" height="6" aria-hidden="true" focusable="false"><rect class="track" width="100%" height="6" rx="3"/><rect class="fill" width="${(fraction * 100).toFixed(2)}%" height="6" rx="3"/></svg>`
