/** The open alerts, the last events and the last refused records. */
import { html } from 'ghtml'
import type { AlertRow, DeadLetterRow, EventRow } from '../figures.ts'
import { count, dayOf, machineTime, moment, threshold, timeOf } from '../format.ts'
import { periodName, periodOfDays } from '../period.ts'
import { hrefOf } from '../state.ts'
import { wordOf } from '../words.ts'
import { type Html, type PageView, rate, SAMPLE, sampleBadge, unitName, vietnamese, wordsOf } from './view.ts'

const ALERTS_SHOWN = 4

export function alertsList(view: PageView): Html {
  const words = wordsOf(view)
  const { alerts } = view
  const more = alerts.slice(ALERTS_SHOWN)
  const list = (rows: AlertRow[]) => html`<ul class="alerts">!${rows.map(alert => alertItem(alert, view))}</ul>`
  return html`<section id="alerts" class="panel" aria-labelledby="alerts-title">
    <h3 id="alerts-title">${words.alerts}!${alerts.length === 0 ? '' : html` <span class="count">${count(alerts.length, view.state.language)}</span>`}</h3>
    !${alerts.length === 0 ? html`<p class="empty">${words.no_alerts}</p>` : list(alerts.slice(0, ALERTS_SHOWN))}
    !${more.length === 0 ? '' : html`<details id="more-alerts"><summary>${words.more(count(more.length, view.state.language))}</summary>!${list(more)}</details>`}
  </section>`
}

function alertItem(alert: AlertRow, view: PageView): Html {
  const words = wordsOf(view)
  const { state, units } = view
  const { language } = state
  const period = periodOfDays(dayOf(alert.window_from_ms), dayOf(alert.window_to_ms))
  const unit = units.onDay(alert.unit_code, period.to)
  const text = language === 'vi' ? alert.text_vi : alert.text_en
  // The alert's own text may say it already, in brackets at its beginning.
  const badge = hasSample(alert, period, view) && !text.startsWith('[') ? sampleBadge([SAMPLE], words) : ''
  const value =
    alert.numerator === null || alert.denominator === null
      ? ''
      : html`<span class="alert-rate">!${rate(alert.numerator, alert.denominator, (n, d) => `${n} / ${d}`, words, language)}</span>`
  return html`<li id="a-${alert.alert_id}" class="severity-${alert.severity}">
    <p><strong>${wordOf(words.severity, alert.severity)}</strong> <span class="state">${wordOf(words.states, alert.state)}</span> !${badge}</p>
    <p>${text}</p>
    !${value}
    <p class="facts">!${alert.threshold === null ? '' : html`${words.alert_threshold(threshold(alert.threshold, language))} · `}${periodName(period, words, language)} · <time datetime="${machineTime(alert.changed_at_ms)}">${words.alert_since(moment(alert.changed_at_ms))}</time></p>
    !${unit === undefined ? '' : html`<p class="see"><a href="${hrefOf(state, { unit, period })}">${words.alert_see}<span class="sr">: ${unitName(unit, words)}, ${periodName(period, words, language)}</span></a></p>`}
  </li>`
}

/** Whether sample dossiers fall into what the alert judges. */
function hasSample(alert: AlertRow, { from, to }: { from: string; to: string }, { samples, units }: PageView): boolean {
  const province = units.onDay(alert.unit_code, to)?.province_code
  return samples.some(
    span => (province === undefined || span.province_code === province) && span.first <= to && span.last >= from,
  )
}

export function eventsList(view: PageView): Html {
  const words = wordsOf(view)
  const head = (text: string) => html`<th scope="col" role="columnheader">${text}</th>`
  return html`<section class="panel" aria-labelledby="events-title">
    <h3 id="events-title">${words.events}</h3>
    <p class="hint">${words.events_hint}</p>
    !${
      view.events.length === 0
        ? html`<p class="empty">${words.no_events}</p>`
        : html`<table class="events" role="table" aria-labelledby="events-title"><thead role="rowgroup"><tr role="row">!${[words.event_time, words.event_type, words.dossier, words.unit, words.source].map(head)}</tr></thead>
      <tbody role="rowgroup">!${view.events.map(event => eventRow(event, view))}</tbody></table>`
    }
  </section>`
}

function eventRow(event: EventRow, view: PageView): Html {
  const words = wordsOf(view)
  const unit = view.units.onDay(event.unit_code, dayOf(event.occurred_at_ms))
  const source = event.source === SAMPLE ? sampleBadge([SAMPLE], words) : html`${event.source}`
  return html`<tr id="e-${event.id}" role="row"><td role="cell"><time datetime="${machineTime(event.occurred_at_ms)}">${moment(event.occurred_at_ms)}</time></td><td role="cell" class="type">${wordOf(words.types, event.event_type)}</td><td role="cell" class="code">${event.dossier_id}</td><td role="cell">!${unit === undefined ? html`${event.unit_code || '–'}` : vietnamese(unitName(unit, words), view.state.language)}</td><td role="cell">!${source}</td></tr>`
}

export function deadLettersList(view: PageView): Html {
  const words = wordsOf(view)
  const { total, rows } = view.deadLetters
  return html`<section class="panel" aria-labelledby="dead-letters-title">
    <h3 id="dead-letters-title">${words.dead_letters}</h3>
    !${
      rows.length === 0
        ? html`<p class="empty">${words.no_dead_letters}</p>`
        : html`<p class="hint">${words.dead_letters_hint(count(total, view.state.language))}</p><ul class="dead-letters">!${rows.map(row => deadLetterItem(row, view))}</ul>`
    }
  </section>`
}

function deadLetterItem(row: DeadLetterRow, view: PageView): Html {
  const words = wordsOf(view)
  return html`<li id="d-${row.id}"><p><strong>${wordOf(words.reasons, row.reason)}</strong> <code>${row.field === '' ? words.whole_record : row.field}</code></p><p class="message" lang="en">${row.message}</p><p class="facts"><time datetime="${machineTime(row.failed_at_ms)}">${moment(row.failed_at_ms)}:${timeOf(row.failed_at_ms).slice(6)}</time></p></li>`
}
