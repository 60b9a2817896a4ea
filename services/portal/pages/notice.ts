/** Says which figures on the page are sample data, and what a sample takes from published figures and what not. */
import { html } from 'ghtml'
import { compareNames } from '../format.ts'
import type { Words } from '../words.ts'
import { type Html, type PageView, SAMPLE, unitName, wordsOf } from './view.ts'

const NAMES_MAX = 8
/** Provinces whose samples follow published figures, by code. */
const STORIES: Record<string, (words: Words) => string> = {
  '58': words => words.sample_58,
  '11': words => words.sample_11,
  '25': words => words.sample_25,
}

export function sampleNotice(view: PageView): Html {
  const words = wordsOf(view)
  const sampled = view.parts.filter(part => part.sources.includes(SAMPLE))
  if (sampled.length === 0) return ''
  const { unit } = view.state
  const names =
    unit === undefined
      ? sampled.flatMap(part => view.units.at(part.code, part.valid_from) ?? []).map(part => unitName(part, words))
      : [unitName(unit, words)]
  const listed = names.sort(compareNames)
  const where = listed.length > NAMES_MAX ? `${listed.slice(0, NAMES_MAX).join(', ')} …` : listed.join(', ')
  const provinces = unit === undefined ? sampled.map(part => part.code) : [unit.province_code]
  const stories = [...new Set(provinces)].flatMap(code => STORIES[code]?.(words) ?? [])
  return html`<details class="notice" id="sample-notice"><summary><strong>${words.sample_title}</strong> <span>${words.sample_where(where)}</span></summary><ul>!${[...stories, words.sample_codes].map(text => html`<li>${text}</li>`)}</ul></details>`
}
