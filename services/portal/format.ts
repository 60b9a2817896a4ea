/**
 * Figures, days and moments as people read them in Vietnamese and English. Pure.
 *
 * A rate is rounded for the eye only, from its two counts, and never into a statement that is not true: what is not all is
 * never 100 %, what is not nothing is never 0 %.
 */
export const LANGUAGES = ['vi', 'en'] as const
export type Language = (typeof LANGUAGES)[number]

const COUNTS: Record<Language, Intl.NumberFormat> = {
  vi: new Intl.NumberFormat('vi-VN'),
  en: new Intl.NumberFormat('en-GB'),
}
const HUNDREDTHS: Record<Language, Intl.NumberFormat> = {
  vi: new Intl.NumberFormat('vi-VN', { minimumFractionDigits: 2, maximumFractionDigits: 2 }),
  en: new Intl.NumberFormat('en-GB', { minimumFractionDigits: 2, maximumFractionDigits: 2 }),
}
const NO_BREAK = '\u00a0'

/** 20.000 or 20,000 */
export const count = (value: number, language: Language): string => COUNTS[language].format(value)

/** 81,17 % or 81.17 %, rounded half up from the counts; undefined where there is nothing to divide by. */
export function percent(numerator: number, denominator: number, language: Language): string | undefined {
  if (denominator === 0) return undefined
  const hundredths = Math.floor((2 * numerator * 10_000 + denominator) / (2 * denominator))
  const show = (value: number) => `${HUNDREDTHS[language].format(value / 100)}${NO_BREAK}%`
  if (numerator < denominator && hundredths >= 10_000) return `>${NO_BREAK}${show(9_999)}`
  if (numerator > 0 && hundredths <= 0) return `<${NO_BREAK}${show(1)}`
  return show(hundredths)
}

/** A threshold given as a fraction: 10 % for 0.1, 12,5 % for 0.125. */
export const threshold = (fraction: number, language: Language): string =>
  `${new Intl.NumberFormat(language === 'vi' ? 'vi-VN' : 'en-GB', { maximumFractionDigits: 2 }).format(fraction * 100)}${NO_BREAK}%`

/** dd/mm/yyyy of an ISO day. */
export function day(iso: string): string {
  const [year, month, date] = iso.split('-')
  return `${date}/${month}/${year}`
}

/** Vietnam keeps +07:00 all year. */
const OFFSET_MS = 7 * 3_600_000

/** ISO day of a moment at +07:00. */
export const dayOf = (moment_ms: number): string => new Date(moment_ms + OFFSET_MS).toISOString().slice(0, 10)

/** hh:mm:ss of a moment at +07:00. */
export const timeOf = (moment_ms: number): string => new Date(moment_ms + OFFSET_MS).toISOString().slice(11, 19)

/** dd/mm/yyyy hh:mm of a moment at +07:00. */
export const moment = (moment_ms: number): string => `${day(dayOf(moment_ms))} ${timeOf(moment_ms).slice(0, 5)}`

/** The moment for machines, in a `datetime` attribute. */
export const machineTime = (moment_ms: number): string => new Date(moment_ms).toISOString()

/** Sorts names as a Vietnamese reader expects: Đ after D, diacritics in their order. */
export const compareNames = new Intl.Collator('vi', { numeric: true }).compare
