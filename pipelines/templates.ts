/**
 * What several declarations leave to one place:
 *   `{{rate online_submission}}`        an indicator of the catalogue over the columns of the view,
 *   `{{rate on_time year_before_}}`     the same over columns whose names begin so,
 *   `{{rate on_time | toFloat64}}`      the same over columns each put through a function,
 *   `{{from_to}}`                       a condition that is an error where the period ends before it begins,
 *   `{{unit_day received_on}}`          the last day until then on which any unit changed; its units are those of the day itself.
 */
import { overColumns } from './indicators/measures.ts'

/** In SQL; see the view `unit_boundaries`. */
export const unitDay = (day: string) => `arrayLast(b -> b <= ${day}, (SELECT days FROM unit_boundaries))`

/** In a subquery: there it is looked at also where nothing would be read. */
export const FROM_TO = `assumeNotNull((SELECT throwIf({from:Date} > {to:Date}, 'from must not be after to'))) = 0`

export const filledIn = (statement: string): string =>
  statement
    .replace(
      /\{\{rate (\w+)(?: (\w+))?(?: \| (\w+))?\}\}/g,
      (_, code: string, prefix = '', through = '') =>
        overColumns(code, column => (through === '' ? prefix + column : `${through}(${prefix}${column})`)).value,
    )
    .replaceAll('{{from_to}}', FROM_TO)
    .replace(/\{\{unit_day (\w+)\}\}/g, (_, day: string) => unitDay(day))
