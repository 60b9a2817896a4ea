/**
 * What several declarations leave to one place:
 *   `{{rate online_submission}}`        an indicator of the catalogue over the columns of the view,
 *   `{{rate on_time year_before_}}`     the same over columns whose names begin so,
 *   `{{rate on_time | toFloat64}}`      the same over columns each put through a function,
 *   `{{rate on_time of days.2}}`        the last day that a row covers, whose version of the indicator decides; else `{to:Date}`,
 *   `{{from_to}}`                       a condition that is an error where the period ends before it begins,
 *   `{{unit_day received_on}}`          the last day until then on which any unit changed; its units are those of the day itself,
 *   `{from:Date}`                       a parameter that is a day: a text that is an error where there is no such day.
 */
import { ownIndicators } from './indicators/catalogue.ts'
import { overColumns } from './indicators/measures.ts'

/** In SQL; see the view `unit_boundaries`. */
export const unitDay = (day: string) => `arrayLast(b -> b <= ${day}, (SELECT days FROM unit_boundaries))`

/**
 * A parameter that is a day. As a Date, ClickHouse takes 2023-02-31 for 3 March and lets 2999-12-31 wrap; as a text it can be
 * held against what was made of it. A subquery becomes a constant before anything is read, so indexes and roll-ups go on.
 */
const dayOf = (name: string) =>
  `assumeNotNull((SELECT toDateOrZero({${name}:String}) + throwIf(toString(toDateOrZero({${name}:String})) != {${name}:String}, concat('${name} must be a day such as 2025-08-04, from 1970-01-01 to 2149-06-06; it is ', {${name}:String}))))`

/** In a subquery: there it is looked at also where nothing would be read. */
export const FROM_TO = `assumeNotNull((SELECT throwIf({from:Date} > {to:Date}, 'from must not be after to'))) = 0`

/** Of the view's own parameters. */
const TO = '{to:Date}'

export const filledIn = (statement: string, catalogue = ownIndicators()): string =>
  statement
    .replace(
      /\{\{rate (\w+)(?: (?!of )(\w+))?(?: of ([^|}]+?))?(?: \| (\w+))?\}\}/g,
      (all, code: string, prefix = '', day = TO, through = '') => {
        if (day === TO && !statement.includes(TO))
          throw new Error(`${all} must say of which day, because there is no ${TO}`)
        const write = (column: string) => (through === '' ? prefix + column : `${through}(${prefix}${column})`)
        return overColumns(code, { day, write, catalogue }).value
      },
    )
    .replaceAll('{{from_to}}', FROM_TO)
    .replace(/\{\{unit_day (\w+)\}\}/g, (_, day: string) => unitDay(day))
    // What is handed on to another view is looked at there.
    .replace(/(\w+)=\{(\w+):Date\}/g, '$1={$2:String}')
    .replace(/\{(\w+):Date\}/g, (_, name: string) => dayOf(name))
