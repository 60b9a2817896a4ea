/** The page that tells how to reach the figures with other tools. Nothing on it comes from the database. */
import { html } from 'ghtml'
import { ASSETS } from '../assets.ts'
import { type ClickHouseAddress, type Field, fieldsOf, TOOL_NAMES, type Tool, toolsOf } from '../connect.ts'
import type { Language } from '../format.ts'
import { WORDS, type Words } from '../words.ts'
import { document, languageList } from './shell.ts'
import type { Html } from './view.ts'

export const connectHref = (language: Language): string => `/connect?lang=${language}`

export function connectPage(language: Language, address: ClickHouseAddress): Html {
  const words = WORDS[language]
  const { connect } = words
  const tools = toolsOf(address, connect)
  const home = `/?lang=${language}`
  const names = tools.map(({ id }) => html`<li><a href="#${id}">${TOOL_NAMES[id]}</a></li>`)
  const body = html`<nav class="crumbs" aria-label="${words.breadcrumb}"><ol><li><a href="${home}">${connect.home}</a></li><li><span aria-current="page">${connect.link}</span></li></ol></nav>
  <div class="head"><div class="title"><h1>${connect.title}</h1><p>${connect.tagline}</p></div></div>
  <p id="copied" class="sr" role="status"></p>
  !${addressSection(address, words)}
  <nav class="tools" aria-labelledby="tools-title"><h2 id="tools-title">${connect.tools_title}</h2><p>${connect.question_note}</p><ul>!${names}</ul></nav>
  !${tools.map(tool => toolSection(tool, words))}`
  return document(language, `${connect.title} – ${words.title}`, body, {
    languages: languageList(language, connectHref),
    home,
    live: false,
    scripts: [ASSETS.copy],
  })
}

function addressSection(address: ClickHouseAddress, words: Words): Html {
  const { connect } = words
  const notes = [
    ...(address.local ? [connect.local_note] : []),
    ...(address.password ? [connect.password_note] : []),
  ].map(note => html`<p class="notes">${note}</p>`)
  const url = { label: 'URL', value: address.url }
  return html`<section class="tool" aria-labelledby="address-title"><div><h2 id="address-title">${connect.address}</h2>
    <p>!${prose(connect.address_text)}</p><p><a href="/sql.md">${connect.reference}</a></p>!${notes}</div>
    <div>!${fieldList([url, ...fieldsOf(address, connect, connect.labels)], connect.address)}</div></section>`
}

function toolSection({ id, fields, texts }: Tool, words: Words): Html {
  const blocks = texts.map(({ kind, text }, at) => textBlock(`${id}-${at}`, TOOL_NAMES[id], kind, text, words))
  return html`<section class="tool" id="${id}" aria-labelledby="${id}-title"><div><h3 id="${id}-title">${TOOL_NAMES[id]}</h3><p>!${prose(words.connect.tools[id])}</p></div>
    <div>!${fields.length === 0 ? '' : fieldList(fields, TOOL_NAMES[id])}!${blocks}</div></section>`
}

/** What stands between backticks is code. */
const prose = (text: string): Html =>
  text
    .split('`')
    .map((part, at) => (at % 2 === 0 ? html`${part}` : html`<code translate="no">${part}</code>`))
    .join('')

const fieldList = (fields: Field[], of: string): Html =>
  html`<dl class="fields" aria-label="${of}">!${fields.map(
    field =>
      html`<div><dt translate="no">${field.label}</dt><dd>!${'value' in field ? html`<code translate="no">${field.value}</code>` : html`<em>${field.said}</em>`}</dd></div>`,
  )}</dl>`

const textBlock = (id: string, tool: string, kind: string, text: string, { connect }: Words): Html =>
  html`<figure class="text"><figcaption><span translate="no">${kind}</span><button type="button" hidden data-copies="${id}" data-copy="${connect.copy}" data-copied="${connect.copied}"><span class="face">${connect.copy}</span><span class="sr"> ${tool}, ${kind}</span></button></figcaption><pre translate="no"><code id="${id}">${text.trimEnd()}</code></pre></figure>`
