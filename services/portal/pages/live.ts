/** The part of the page that keeps itself up to date: everything but the frame and the choice of period. */
import { html } from 'ghtml'
import { count, day, dayOf, machineTime, timeOf } from '../format.ts'
import { daysName, periodName } from '../period.ts'
import { hrefOf } from '../state.ts'
import { hasEnded } from '../units.ts'
import { alertsList, deadLettersList, eventsList } from './lists.ts'
import { sampleNotice } from './notice.ts'
import { keyFigures, partsTable } from './rates.ts'
import { type Html, type PageView, placeName, unitName, vietnamese, wordsOf } from './view.ts'

export function liveFragment(view: PageView): Html {
  return html`!${statusLine(view)}
  !${breadcrumb(view)}
  !${heading(view)}
  !${keyFigures(view)}
  !${sampleNotice(view)}
  <div class="columns">
    <div class="column-main">!${partsTable(view)}</div>
    <div class="column-side">!${alertsList(view)}</div>
  </div>
  <div class="columns">
    <div class="column-main">!${eventsList(view)}</div>
    <div class="column-side">!${deadLettersList(view)}</div>
  </div>`
}

function statusLine(view: PageView): Html {
  const words = wordsOf(view)
  const { moment, alerts, state } = view
  const { as_of_ms } = moment
  const asOf =
    as_of_ms === undefined
      ? html`${words.no_event_yet}`
      : html`<time datetime="${machineTime(as_of_ms)}">${words.as_of(`${timeOf(as_of_ms)} ${day(dayOf(as_of_ms))}`)}</time> <span title="${words.events_stored_hint}">${words.events_stored(count(moment.events, state.language))}</span>`
  const open =
    alerts.length === 0
      ? ''
      : html` <a class="to-alerts" href="#alerts">${words.to_alerts(count(alerts.length, state.language))}</a>`
  return html`<p class="status">!${asOf}!${open}</p>`
}

function breadcrumb(view: PageView): Html {
  const words = wordsOf(view)
  const { state, units } = view
  if (state.unit === undefined) return ''
  const above = units
    .above(state.unit)
    .map(
      unit =>
        html`<li><a href="${hrefOf(state, { unit })}">!${vietnamese(unitName(unit, words), state.language)}</a></li>`,
    )
  return html`<nav class="crumbs" aria-label="${words.breadcrumb}"><ol><li><a href="${hrefOf(state, { unit: undefined })}">${words.country}</a></li>!${above}<li><span aria-current="page">!${vietnamese(unitName(state.unit, words), state.language)}</span></li></ol></nav>`
}

function heading(view: PageView): Html {
  const words = wordsOf(view)
  const { state, calendar, units } = view
  const { unit, period } = state
  const days =
    period.kind === 'whole'
      ? calendar.first === ''
        ? ''
        : daysName(calendar.first, calendar.last)
      : daysName(period.from, period.to)
  const name = periodName(period, words, state.language)
  const when = days === '' || days === name ? name : `${name} (${days})`
  const facts = [unit === undefined ? '' : words.unit_code(unit.code), when].filter(fact => fact !== '').join(' · ')
  const ended =
    unit !== undefined && hasEnded(unit) ? html`<p class="ended-note">${words.ended_note(day(unit.valid_to))}</p>` : ''
  const others = unit === undefined ? [] : units.of(unit.code).filter(other => other !== unit)
  const same =
    others.length === 0
      ? ''
      : html`<p>${words.same_code} !${others.map(other => html`<a href="${hrefOf(state, { unit: other })}">!${vietnamese(placeName(other, words), state.language)}</a>`).join(', ')}</p>`
  return html`<div class="heading"><h2>!${unit === undefined ? html`${words.country}` : vietnamese(unit.name, state.language)}</h2><p>${facts}</p>!${ended}!${same}</div>`
}
