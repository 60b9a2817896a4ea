/** What an indicator sums, as SQL: over the postings of the ledger, or over the columns that the rate views have already. */
import type { Indicator, Measure, Where } from './catalogue.ts'
import { ownIndicators } from './catalogue.ts'

const NONE = 'toDate(0)'
const quoted = (values: readonly string[]) => values.map(value => `'${value}'`).join(', ')

/** Settled in time by the compared day; ended otherwise, by the first day on which it was overdue. */
const ENDED_LATE = `if(settled_on != ${NONE}, compared_on > due_on AND due_on != ${NONE}, overdue_on != ${NONE} AND ended_on >= overdue_on)`
const PENDING_LATE = `overdue_on != ${NONE} AND overdue_on <= {to:Date}`
const PENDING_LATE_766 = `if(waiting_on != ${NONE} AND waiting_on <= {to:Date}, supplement_requests > 1 OR (overdue_on != ${NONE} AND overdue_on <= waiting_on), ${PENDING_LATE})`
const OUTCOMES = {
  early: 'compared_on < due_on',
  late: `compared_on > due_on AND due_on != ${NONE}`,
  on_time: `(compared_on = due_on OR due_on = ${NONE})`,
}

/** A condition on one posting; `to` is the last day of the period. */
export function conditionOf({ of, where }: Measure): string {
  const words: { [Word in keyof Where]-?: (value: NonNullable<Where[Word]>) => string } = {
    channel: values => `channel IN (${quoted(values)})`,
    service_level: values => `service_level IN (${quoted(values)})`,
    ended_as: values => `ended_as IN (${quoted(values)})`,
    outcome: values => `(${values.map(value => OUTCOMES[value]).join(' OR ')})`,
    late: late => `(${of === 'ended' ? ENDED_LATE : PENDING_LATE}) = ${late}`,
    late_766: late => `(${PENDING_LATE_766}) = ${late}`,
    fee_due: value => `fee_due = ${value}`,
    paid_online: value => `paid_online = ${value}`,
    digital_result: value => `digital_result = ${value}`,
    digitised: value => `digitised = ${value}`,
    data_reused: value => `data_reused = ${value}`,
  }
  const narrowed = Object.entries(where).map(([word, value]) => words[word as keyof Where](value as never))
  return narrowed.length === 0 ? '1' : narrowed.join(' AND ')
}

export const nameOf = (measure: Measure): string => `${measure.of} ${JSON.stringify(measure.where)}`

/** Measures that the rate views carry as columns. */
const COLUMNS = new Map<string, string>([
  [nameOf({ of: 'received', where: {} }), 'received'],
  [nameOf({ of: 'received', where: { channel: ['ONLINE'] } }), 'received_online'],
  [nameOf({ of: 'settled', where: {} }), 'settled'],
  [nameOf({ of: 'settled', where: { outcome: ['early'] } }), 'settled_early'],
  [nameOf({ of: 'settled', where: { outcome: ['on_time'] } }), 'settled_on_time'],
  [nameOf({ of: 'settled', where: { outcome: ['late'] } }), 'settled_late'],
])

const sumOf = (measures: readonly Measure[], code: string, write: (column: string) => string): string => {
  const columns = measures.map(measure => {
    const column = COLUMNS.get(nameOf(measure))
    if (column === undefined) throw new Error(`${code} sums ${nameOf(measure)}, which no rate view has as a column`)
    return write(column)
  })
  return columns.length === 1 ? (columns[0] as string) : `(${columns.join(' + ')})`
}

const ZERO = { null: 'NULL', zero: '0', full: '1' } as const

/** The value of an indicator from its two sums. */
export const ratioOf = (numerator: string, denominator: string, zero: Indicator['zero']): string =>
  `if(${denominator} = 0, ${ZERO[zero]}, ${numerator} / ${denominator})`

export interface OverColumns {
  /** The last day that a row covers, as an SQL expression: the version in force on it decides about the row. */
  day: string
  /** How a column is written. */
  write?: (column: string) => string
  catalogue?: readonly Indicator[]
}

/** An indicator over the columns of a rate view: numerator, denominator and value as SQL expressions. */
export function overColumns(
  code: string,
  { day, write = column => column, catalogue = ownIndicators() }: OverColumns,
): Record<'numerator' | 'denominator' | 'value', string> {
  const versions = catalogue.filter(one => one.code === code).sort((a, b) => a.version - b.version)
  if (versions.length === 0)
    throw new Error(`there is no indicator ${code}; there are ${catalogue.map(one => one.code).join(', ')}`)
  const each = versions.map(indicator => {
    const numerator = sumOf(indicator.numerator, code, write)
    const denominator = sumOf(indicator.denominator, code, write)
    const { valid_from, valid_to } = indicator
    const inForce = `${day} >= toDate('${valid_from}')${valid_to === null ? '' : ` AND ${day} <= toDate('${valid_to}')`}`
    return { inForce, numerator, denominator, value: ratioOf(numerator, denominator, indicator.zero) }
  })
  const decided = (what: 'numerator' | 'denominator' | 'value', otherwise: string): string =>
    each.length === 1
      ? (each[0]?.[what] ?? otherwise)
      : `multiIf(${each.map(one => `${one.inForce}, ${one[what]}`).join(', ')}, ${otherwise})`
  return {
    numerator: decided('numerator', '0'),
    denominator: decided('denominator', '0'),
    value: decided('value', 'NULL'),
  }
}
