/** The frame of every page: head, title, language, choice of period, foot. Works without JavaScript. */
import { html } from 'ghtml'
import { ASSETS, type Asset, hashOf } from '../assets.ts'
import { LANGUAGES, type Language } from '../format.ts'
import { type Calendar, choicesOf, type Period, periodName, WHOLE } from '../period.ts'
import { hiddenFields, hrefOf, type PageState } from '../state.ts'
import { WORDS, type Words } from '../words.ts'
import { liveFragment } from './live.ts'
import { type Html, type PageView, unitName, wordsOf } from './view.ts'

export const LIVE_S = 2
const LANGUAGE_NAMES: Record<Language, string> = { vi: 'Tiếng Việt', en: 'English' }
/** A poll that fails leaves the page as it is; what a visitor has unfolded stays unfolded. */
const HTMX_CONFIG = JSON.stringify({
  noSwap: [204, 304, '4xx', '5xx'],
  morphIgnore: ['data-htmx-powered', 'open'],
  includeIndicatorCSS: false,
  history: false,
  defaultTimeout: 20_000,
})

export function page(view: PageView): Html {
  const words = wordsOf(view)
  const { state } = view
  const live = liveFragment(view)
  const title = state.unit === undefined ? words.title : `${unitName(state.unit, words)} – ${words.title}`
  const body = html`<div class="head">!${titleBlock(words)}!${periodForm(view.state, view.calendar, words)}</div>
  <p id="lost" class="lost" role="status" hidden>${words.lost}</p>
  <div id="live" hx-get="${hrefOf(state, {}, '/live')}" hx-trigger="every ${LIVE_S}s, refresh" hx-swap="innerMorph" hx-ptag="${hashOf(live)}">
  !${live}
  </div>`
  return document(state.language, title, body, {
    languages: languageList(state.language, language => hrefOf(state, { language })),
    home: hrefOf(state, { unit: undefined }),
    live: true,
    scripts: [ASSETS.htmx, ASSETS.ptag, ASSETS.script],
  })
}

/** The same page in each language. */
export function languageList(current: Language, href: (language: Language) => string): Html {
  const items = LANGUAGES.map(
    language =>
      html`<li><a href="${href(language)}" lang="${language}" hreflang="${language}" aria-current="${language === current ? 'true' : 'false'}">${LANGUAGE_NAMES[language]}</a></li>`,
  )
  return html`<nav class="languages" aria-label="${WORDS[current].language_label}"><ul>!${items}</ul></nav>`
}

/** A page that says what is wrong, and leads home. */
export function errorPage(language: Language, title: string, text: string): Html {
  const words = WORDS[language]
  return document(
    language,
    title,
    html`<div class="head">!${titleBlock(words)}</div><div class="error"><h2>${title}</h2><p>${text}</p><p><a href="/?lang=${language}">${words.error_home}</a></p></div>`,
    { languages: '', home: `/?lang=${language}`, live: false, scripts: [] },
  )
}

/** `live`: the page keeps itself up to date, and can be paused. */
export function document(
  language: Language,
  title: string,
  body: Html,
  parts: { languages: Html; home: string; live: boolean; scripts: Asset[] },
): Html {
  const words = WORDS[language]
  const scripts = parts.scripts.map(({ href }) => html`<script src="${href}" defer></script>`)
  const pause = parts.live
    ? html`<button type="button" id="pause" hidden data-pause="${words.pause}" data-resume="${words.resume}">${words.pause}</button>`
    : ''
  return html`<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="htmx-config" content="${HTMX_CONFIG}">
<title>${title} – motcua</title>
<link rel="icon" href="${ASSETS.icon.href}" type="image/svg+xml">
<link rel="stylesheet" href="${ASSETS.style.href}">
!${scripts}
</head>
<body>
<a class="skip" href="#content">${words.skip}</a>
<header class="top"><div class="frame">
  <a class="brand" href="${parts.home}" aria-label="motcua"><img src="${ASSETS.icon.href}" alt="" width="28" height="28"><span>motcua</span></a>
  !${pause}!${parts.languages}
</div></header>
<main id="content" class="frame" tabindex="-1">
!${body}
</main>
<footer class="frame"><div><p>${words.footer}</p><p><a href="/connect?lang=${language}">${words.connect.link}</a> · <a href="/api/rates?tier=province&amp;from=2023-01-01&amp;to=2023-12-31">${words.api}</a></p></div></footer>
</body>
</html>
`
}

const titleBlock = (words: Words): Html => html`<div class="title"><h1>${words.title}</h1><p>${words.tagline}</p></div>`

function periodForm(state: PageState, calendar: Calendar, words: Words): Html {
  const { period, language } = state
  const choices = choicesOf(calendar)
  const known = [...choices.years, ...choices.halves, ...choices.quarters, ...choices.months].some(
    choice => choice.key === period.key,
  )
  const option = (choice: Period) =>
    html`<option value="${choice.key}" !${choice.key === period.key ? 'selected' : ''}>${periodName(choice, words, language)}</option>`
  const group = (label: string, list: Period[]) =>
    list.length === 0 ? '' : html`<optgroup label="${label}">!${list.map(option)}</optgroup>`
  const hidden = hiddenFields(state).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)
  const free = period.kind === 'free'
  const days = free ? period : { from: calendar.first, to: calendar.last }
  return html`<div class="period">
  <form action="/" method="get">!${hidden}
    <label for="period">${words.period}</label>
    <select id="period" name="period">!${free ? html`<option value="" selected>${periodName(period, words, language)}</option>` : ''}!${[WHOLE].map(option)}!${known || free || period === WHOLE ? '' : option(period)}!${group(words.years, choices.years)}!${group(words.halves, choices.halves)}!${group(words.quarters, choices.quarters)}!${group(words.months, choices.months)}</select>
    <button type="submit">${words.show}</button>
  </form>
  <details !${free ? 'open' : ''}><summary>${words.free_days}</summary>
    <form action="/" method="get">!${hidden}
      <label for="from">${words.from_day}</label> <input id="from" type="date" name="from" value="${days.from}" required>
      <label for="to">${words.to_day}</label> <input id="to" type="date" name="to" value="${days.to}" required>
      <button type="submit">${words.show}</button>
    </form>
  </details>
</div>`
}
