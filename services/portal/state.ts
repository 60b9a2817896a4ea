/**
 * What a visitor looks at, read from the address, and the addresses of everything one click away. Pure.
 *
 * Whatever the page shows is in its address: language, unit, period, order. Unknown parameters are left alone, wrong values
 * are told, never guessed.
 */
import { LANGUAGES, type Language } from './format.ts'
import { isDay, type Period, periodOf, WHOLE } from './period.ts'
import { COUNTRY_CODE, placeKey, type Unit, type Units } from './units.ts'
import { WORDS } from './words.ts'

export const SORTS = ['name', 'received', 'online', 'settled', 'on_time'] as const
export type SortBy = (typeof SORTS)[number]
export interface Sort {
  by: SortBy
  descending: boolean
}

export interface PageState {
  language: Language
  /** Undefined: the country. */
  unit: Unit | undefined
  period: Period
  sort: Sort
}

export type Query = Record<string, unknown>

/** The address cannot be shown; `message` is in the visitor's language. */
export class AddressError extends Error {
  readonly code = 'ADDRESS_INVALID'
  readonly statusCode: 400 | 404
  constructor(statusCode: 400 | 404, message: string) {
    super(message)
    this.statusCode = statusCode
  }
}

const DEFAULT_SORT: Sort = { by: 'received', descending: true }

/** `?lang=` goes before the browser's wish; Vietnamese where neither says anything we speak. */
export function languageOf(query: Query, acceptLanguage: string | undefined): Language {
  const wanted = LANGUAGES.find(language => language === query.lang)
  if (wanted !== undefined) return wanted
  const wishes = (acceptLanguage ?? '')
    .split(',')
    .map(wish => {
      const [tag = '', ...parameters] = wish.trim().split(';')
      const quality = parameters.find(parameter => parameter.trim().startsWith('q='))
      return {
        tag: tag.slice(0, 2).toLowerCase(),
        quality: quality === undefined ? 1 : Number(quality.trim().slice(2)),
      }
    })
    .filter(wish => wish.quality > 0)
    .sort((a, b) => b.quality - a.quality)
  return (
    LANGUAGES.find(language => language === wishes.find(wish => LANGUAGES.some(known => known === wish.tag))?.tag) ??
    'vi'
  )
}

/** Throws {@link AddressError} for a unit, period or day that is none. */
export function stateOf(query: Query, acceptLanguage: string | undefined, units: Units): PageState {
  const language = languageOf(query, acceptLanguage)
  const period = readPeriod(query, language)
  return { language, period, unit: readUnit(query, period, units, language), sort: readSort(query) }
}

const textOf = (query: Query, name: string): string => (typeof query[name] === 'string' ? query[name] : '')

function readPeriod(query: Query, language: Language): Period {
  const [from, to] = [textOf(query, 'from'), textOf(query, 'to')]
  if (from !== '' || to !== '') {
    const span = { from: from === '' ? WHOLE.from : from, to: to === '' ? WHOLE.to : to }
    if (!isDay(span.from) || !isDay(span.to) || span.from > span.to)
      throw new AddressError(400, WORDS[language].error_days(from, to))
    return { kind: 'free', key: '', ...span }
  }
  const key = textOf(query, 'period')
  if (key === '') return WHOLE
  const period = periodOf(key)
  if (period === undefined) throw new AddressError(400, WORDS[language].error_period(key))
  return period
}

/** `58@1970-01-01` names a place; `58` alone the one that stood at the end of the period. */
function readUnit(query: Query, period: Period, units: Units, language: Language): Unit | undefined {
  const text = textOf(query, 'unit')
  if (text === '' || text === COUNTRY_CODE) return undefined
  const [code = '', since] = text.split('@')
  const unit = since === undefined ? units.onDay(code, period.to) : units.at(code, since)
  if (unit === undefined) throw new AddressError(404, WORDS[language].error_unit(text))
  return unit
}

function readSort(query: Query): Sort {
  const text = textOf(query, 'sort')
  const by = SORTS.find(name => name === text.replace(/^-/, ''))
  return by === undefined ? DEFAULT_SORT : { by, descending: text.startsWith('-') }
}

/** The query of a state, without what is default; the language always, so that it is remembered. */
function queryOf({ language, unit, period, sort }: PageState): URLSearchParams {
  const query = new URLSearchParams({ lang: language })
  if (unit !== undefined) query.set('unit', placeKey(unit))
  if (period.kind === 'free') {
    query.set('from', period.from)
    query.set('to', period.to)
  } else if (period !== WHOLE) query.set('period', period.key)
  if (sort.by !== DEFAULT_SORT.by || sort.descending !== DEFAULT_SORT.descending)
    query.set('sort', `${sort.descending ? '-' : ''}${sort.by}`)
  return query
}

/** The address of the page with some of its state changed. */
export const hrefOf = (state: PageState, changes: Partial<PageState> = {}, path = '/'): string =>
  // '@' and ':' may stand in a query as they are; addresses stay readable.
  `${path}?${queryOf({ ...state, ...changes })
    .toString()
    .replaceAll('%40', '@')}`

/** Fields a form must send along so that the rest of the state stays. */
export function hiddenFields(state: PageState): [string, string][] {
  const query = queryOf({ ...state, period: WHOLE })
  return [...query.entries()]
}
