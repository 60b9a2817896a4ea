/** Says which figures on the page are sample data, and what a sample takes from published figures and what not. */
import { html } from 'ghtml'
import { compareNames } from '../format.ts'
import { placeKey, type Unit } from '../units.ts'
import type { Words } from '../words.ts'
import { type Html, type PageView, SAMPLE, unitName, wordsOf } from './view.ts'

const NAMES_MAX = 8
/** Provinces whose samples tell a story of their own; every other one follows a table of the national portal. */
const NINH_THUAN = '58'
const LIVE_STREAM = '25'

export function sampleNotice(view: PageView): Html {
  const words = wordsOf(view)
  const sampled = view.parts.filter(part => part.sources.includes(SAMPLE))
  if (sampled.length === 0) return ''
  const { unit } = view.state
  const places = unit === undefined ? sampled.flatMap(part => view.units.at(part.code, part.valid_from) ?? []) : [unit]
  const provinces = places.flatMap(place => (place.level === 'province' ? place : view.units.above(place).slice(0, 1)))
  const stories = [...storiesOf(provinces, words), words.sample_codes]
  return html`<details class="notice" id="sample-notice"><summary><strong>${words.sample_title}</strong> <span>${words.sample_where(listed(places, words))}</span></summary><ul>!${stories.map(text => html`<li>${text}</li>`)}</ul></details>`
}

function listed(places: Unit[], words: Words): string {
  const names = [...new Map(places.map(place => [placeKey(place), unitName(place, words)])).values()].sort(compareNames)
  return names.length > NAMES_MAX ? `${names.slice(0, NAMES_MAX).join(', ')} …` : names.join(', ')
}

function storiesOf(provinces: Unit[], words: Words): string[] {
  const has = (code: string) => provinces.some(province => province.code === code)
  const replayed = provinces.filter(({ code }) => code !== NINH_THUAN && code !== LIVE_STREAM)
  return [
    ...(has(NINH_THUAN) ? [words.sample_58] : []),
    ...(replayed.length > 0 ? [words.sample_replayed(listed(replayed, words))] : []),
    ...(has(LIVE_STREAM) ? [words.sample_25] : []),
  ]
}
