/** The figures of one unit: the key figures, and the table of its parts, which add up to them. */
import { html } from 'ghtml'
import type { Counts, Part } from '../figures.ts'
import { compareNames, count, day, type Language } from '../format.ts'
import { periodName, periodOf, WHOLE } from '../period.ts'
import { hrefOf, SORTS, type Sort, type SortBy } from '../state.ts'
import type { Words } from '../words.ts'
import { FEW, type Html, type PageView, rate, sampleBadge, sumOf, unitName, vietnamese, wordsOf } from './view.ts'

export function keyFigures(view: PageView): Html {
  const words = wordsOf(view)
  const { language } = view.state
  const sum = sumOf(view.parts)
  const number = (value: number) => count(value, language)
  return html`<dl class="keys">
    <div><dt>${words.received}</dt><dd><b class="value">${number(sum.received)}</b></dd></div>
    <div class="main"><dt>${words.online_rate}</dt><dd>!${onlineRate(sum, words, language)}</dd></div>
    <div><dt>${words.settled}</dt><dd><b class="value">${number(sum.settled)}</b></dd></div>
    <div class="main"><dt>${words.on_time_rate}</dt><dd>!${onTimeRate(sum, words, language)}
      <span class="outcomes"><span>${words.early} <b>${number(sum.settled_early)}</b></span> <span>${words.on_time} <b>${number(sum.settled_on_time)}</b></span> <span>${words.late} <b>${number(sum.settled_late)}</b></span></span></dd></div>
  </dl>`
}

const onlineRate = (counts: Counts, words: Words, language: Language): Html =>
  rate(counts.received_online, counts.received, words.of_online, words, language)
const onTimeRate = (counts: Counts, words: Words, language: Language): Html =>
  rate(counts.settled_early + counts.settled_on_time, counts.settled, words.of_on_time, words, language)

/** The parts of the unit as a table; without any, a sentence and the way to where there are figures. */
export function partsTable(view: PageView): Html {
  const words = wordsOf(view)
  const { state, calendar } = view
  if (view.parts.length === 0) {
    if (calendar.months.length === 0) return html`<p class="empty">${words.no_figures_at_all}</p>`
    const whole =
      state.period === WHOLE ? '' : html` <a href="${hrefOf(state, { period: WHOLE })}">${words.see_whole}</a>`
    return html`<p class="empty">${words.no_figures}!${whole}</p>`
  }
  const byMonth = view.parts[0]?.kind === 'month'
  const parts = byMonth ? view.parts : sorted(view.parts, state.sort)
  return html`<section class="parts" aria-labelledby="parts-title">
    <h3 id="parts-title">${titleOf(view.parts, words)}</h3>
    !${byMonth || parts.length < 2 ? '' : sortLinks(view)}
    <table role="table" aria-labelledby="parts-title">
      <thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader">${byMonth ? words.month : words.unit}</th><th scope="col" role="columnheader">${words.online_rate}</th><th scope="col" role="columnheader">${words.on_time_rate}</th><th scope="col" role="columnheader" class="number">${words.late}</th></tr></thead>
      <tbody role="rowgroup">!${parts.map(part => partRow(part, view))}</tbody>
      !${parts.length < 2 ? '' : html`<tfoot role="rowgroup">!${row('total', html`<span class="name">${words.total}</span>`, sumOf(parts), words, state.language)}</tfoot>`}
    </table>
    <p class="notes">${words.rate_note} !${hasFew(parts) ? html`${words.few_note}` : ''}</p>
  </section>`
}

const hasFew = (parts: Part[]) =>
  parts.some(part => (part.received > 0 && part.received < FEW) || (part.settled > 0 && part.settled < FEW))

function titleOf(parts: Part[], words: Words): string {
  const kinds = new Set(parts.map(part => part.kind).filter(kind => kind !== 'own'))
  if (kinds.size !== 1) return words.parts_mixed
  return {
    province: words.parts_province,
    district: words.parts_district,
    commune: words.parts_commune,
    month: words.parts_month,
    own: words.parts_mixed,
  }[[...kinds][0] as Part['kind']]
}

function partRow(part: Part, view: PageView): Html {
  const words = wordsOf(view)
  const { language } = view.state
  return row(
    `u-${part.kind}-${part.code}-${part.valid_from}-${part.province}`.replaceAll(' ', '_'),
    html`!${partName(part, view)} !${sampleBadge(part.sources, words)}!${partDetail(part, view)}`,
    part,
    words,
    language,
  )
}

const row = (id: string, head: Html, counts: Counts, words: Words, language: Language): Html => html`
  <tr id="${id}" role="row"><th scope="row" role="rowheader">!${head}</th><td role="cell" data-label="${words.online_short}">!${onlineRate(counts, words, language)}</td><td role="cell" data-label="${words.on_time_short}">!${onTimeRate(counts, words, language)}</td><td role="cell" class="${counts.settled_late === 0 ? 'number' : 'number late'}" data-label="${words.late}">${count(counts.settled_late, language)}</td></tr>`

function partName(part: Part, view: PageView): Html {
  const words = wordsOf(view)
  const { state, units } = view
  if (part.kind === 'own')
    return html`<span class="name">${state.unit?.level === 'district' ? words.own_district : words.own_province}</span>`
  if (part.kind === 'month') {
    const period = periodOf(part.code.slice(0, 7))
    return html`<span class="name">${period === undefined ? part.code : periodName(period, words, state.language)}</span>`
  }
  const unit = units.at(part.code, part.valid_from)
  if (unit === undefined) return html`<span class="name">!${vietnamese(part.name, state.language)}</span>`
  return html`<a class="name" href="${hrefOf(state, { unit })}">!${vietnamese(unit.name, state.language)}</a>`
}

/** Second line of a name: what tells two units of one name or code apart. */
function partDetail(part: Part, view: PageView): Html {
  const words = wordsOf(view)
  if (part.kind === 'own') return html`<small>${words.own_hint}</small>`
  if (part.kind === 'month') {
    const several = new Set(view.parts.map(other => other.province)).size > 1
    return several ? html`<small>${words.counts_for} !${vietnamese(part.province, view.state.language)}</small>` : ''
  }
  const unit = view.units.at(part.code, part.valid_from)
  const ended =
    unit === undefined || unitName(unit, words) === unit.name
      ? ''
      : html` · <span class="ended">${words.ended(day(unit.valid_to))}</span>`
  return html`<small>${words.unit_code(part.code)}!${ended}</small>`
}

function sortLinks(view: PageView): Html {
  const words = wordsOf(view)
  const { sort } = view.state
  const names: Record<SortBy, string> = {
    name: words.sort_name,
    received: words.sort_received,
    online: words.sort_online,
    settled: words.sort_settled,
    on_time: words.sort_on_time,
  }
  const link = (by: SortBy) => {
    const current = by === sort.by
    const next: Sort = { by, descending: current ? !sort.descending : by !== 'name' }
    const mark = current
      ? html` <span aria-hidden="true">${sort.descending ? '↓' : '↑'}</span><span class="sr">, ${sort.descending ? words.descending : words.ascending}</span>`
      : ''
    return html`<li><a href="${hrefOf(view.state, { sort: next })}" aria-current="${current ? 'true' : 'false'}">${names[by]}!${mark}</a></li>`
  }
  return html`<nav class="sort" aria-label="${words.sort_by}"><span aria-hidden="true">${words.sort_by}</span><ul>!${SORTS.map(link)}</ul></nav>`
}

/** What a row is sorted by; undefined goes last, whichever way. */
const sortValue: Record<Exclude<SortBy, 'name'>, (part: Part) => number | undefined> = {
  received: part => part.received,
  online: part => (part.received === 0 ? undefined : part.received_online / part.received),
  settled: part => part.settled,
  on_time: part => (part.settled === 0 ? undefined : (part.settled_early + part.settled_on_time) / part.settled),
}

/** What was recorded at the unit itself stands last; equal rows keep the order of their names. */
export function sorted(parts: Part[], { by, descending }: Sort): Part[] {
  const direction = descending ? -1 : 1
  const byName = (a: Part, b: Part) =>
    compareNames(a.name, b.name) || a.valid_from.localeCompare(b.valid_from) || a.code.localeCompare(b.code)
  return [...parts].sort((a, b) => {
    if ((a.kind === 'own') !== (b.kind === 'own')) return a.kind === 'own' ? 1 : -1
    if (by === 'name') return direction * byName(a, b)
    const [x, y] = [sortValue[by](a), sortValue[by](b)]
    if (x === undefined || y === undefined) return Number(x === undefined) - Number(y === undefined) || byName(a, b)
    return direction * (x - y) || byName(a, b)
  })
}
