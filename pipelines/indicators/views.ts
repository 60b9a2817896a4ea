/** What ClickHouse has of the catalogue: the table `indicators`, and the views `indicator_values` and `indicator_values_rebased` made from it. */
import { createHash } from 'node:crypto'
import type { ClickHouseClient } from '@clickhouse/client'
import { lastLoad, loadTables } from '../list-loads.ts'
import { quoted } from '../quoted.ts'
import { FROM_TO, unitDay } from '../templates.ts'
import { type Indicator, type Measure, ownIndicators } from './catalogue.ts'
import { conditionOf, nameOf, ratioOf } from './measures.ts'

/** Where each kind of dossiers is found in the ledger, and the day whose units it counts for. */
const KINDS = {
  received: { day: 'received_on', where: 'received_on BETWEEN {from:Date} AND {to:Date}' },
  settled: { day: 'settled_on', where: 'settled_on BETWEEN {from:Date} AND {to:Date} AND settled_on != toDate(0)' },
  ended: { day: 'ended_on', where: 'ended_on BETWEEN {from:Date} AND {to:Date} AND ended_on != toDate(0)' },
  pending: { day: '{to:Date}', where: 'received_on <= {to:Date} AND (ended_on = toDate(0) OR ended_on > {to:Date})' },
} as const

/** The two views differ in where dossiers are placed, as whole ones or by shares. */
const FORMS = {
  recorded: {
    view: 'indicator_values',
    parameters: 'from=, to=, tier=',
    join: 'ASOF LEFT JOIN tier_on_day(tier={tier:String}) AS u ON f.unit_code = u.unit_code AND f.unit_day >= u.from_day',
    weighed: (column: string) => `f.${column}`,
    counted: (sum: string) => `toInt64(${sum})`,
    comparable: '',
    says: 'every indicator of the catalogue (table indicators) per unit, both days included: numerator and denominator in dossiers, value from 0 to 1',
  },
  rebased: {
    view: 'indicator_values_rebased',
    parameters: 'from=, to=, tier=, units=, split=',
    join: 'INNER JOIN placed_on_unit_day(tier={tier:String}, units={units:String}, split={split:String}) AS u ON f.unit_code = u.unit_code AND f.unit_day = u.unit_day',
    weighed: (column: string) => `f.${column} * u.share`,
    counted: (sum: string) => sum,
    comparable: ', toBool(min(u.comparable)) AS comparable',
    says: 'indicator_values on the units of the day `units` (words: see rates_rebased); numerator and denominator are decimals',
  },
} as const

/** The statement of a view: one pass over the ledger per kind of dossiers, one sum per measure, one row per indicator. */
export function viewOf(catalogue: readonly Indicator[], form: keyof typeof FORMS = 'recorded'): string {
  const { view, parameters, join, weighed, counted, comparable, says } = FORMS[form]
  const measures = new Map<string, Measure>()
  for (const { numerator, denominator } of catalogue)
    for (const measure of [...numerator, ...denominator]) measures.set(nameOf(measure), measure)
  const column = new Map([...measures.keys()].map((name, at) => [name, `m${at}`]))
  const kinds = [...new Set([...measures.values()].map(measure => measure.of))]
  const passes = kinds.map(kind => {
    const { day, where } = KINDS[kind]
    const sums = [...measures].map(
      ([name, measure]) =>
        `${measure.of === kind ? `sumIf(sign, ${conditionOf(measure)})` : 'toInt64(0)'} AS ${column.get(name)}`,
    )
    // Postings that cancel each other must not mark a unit as not comparable.
    const netted = [...column.values()].map(m => `${m} != 0`).join(' OR ')
    return `SELECT unit_code, ${unitDay(day)} AS unit_day, ${sums.join(', ')} FROM dossier_postings WHERE ${where} GROUP BY unit_code, unit_day HAVING ${netted}`
  })
  const sumOf = (parts: readonly Measure[]) => parts.map(part => `s_${column.get(nameOf(part))}`).join(' + ')
  const rows = catalogue.map(one => {
    const [numerator, denominator] = [sumOf(one.numerator), sumOf(one.denominator)]
    const value = `toNullable(${ratioOf(`toFloat64(${numerator})`, `toFloat64(${denominator})`, one.zero)})`
    return `(${quoted(one.code)}, toUInt16(${one.version}), toDate32(${quoted(one.valid_from)}), toDate32(${quoted(one.valid_to ?? '2299-12-31')}), ${counted(numerator)}, ${counted(denominator)}, ${value})`
  })
  return `CREATE VIEW ${view} AS
SELECT row.1 AS indicator_code, row.2 AS indicator_version, at_code AS unit_code, at_valid_from AS unit_valid_from, name AS unit_name,
    row.5 AS numerator, row.6 AS denominator, row.7 AS value${comparable === '' ? '' : ', comparable'}
FROM
(
    SELECT u.at_code AS at_code, u.at_valid_from AS at_valid_from, any(u.at_name) AS name, ${[...column.values()].map(m => `sum(${weighed(m)}) AS s_${m}`).join(', ')}${comparable}
    FROM
    (
        ${passes.join('\n        UNION ALL\n        ')}
    ) AS f
    ${join}
    WHERE u.at_code != '' AND ${FROM_TO}
    GROUP BY at_code, at_valid_from
)
ARRAY JOIN [
    ${rows.join(',\n    ')}
] AS row
WHERE row.3 <= {to:Date} AND row.4 >= {to:Date} AND (row.5 != 0 OR row.6 != 0)
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT '${view}(${parameters}): ${says}. Made by npm run migrate from pipelines/indicators/catalogue.json'`
}

const sentence = (measures: readonly Measure[]): string =>
  measures
    .map(({ of, where }) => [of, ...Object.entries(where).map(([word, value]) => `${word} ${value}`)].join(', '))
    .join(' + ')

/** The views that are made from the catalogue, as declarations (declarations.ts). */
export const indicatorViews = (catalogue = ownIndicators()): { name: string; text: string }[] =>
  (['recorded', 'rebased'] as const).map(form => ({ name: FORMS[form].view, text: viewOf(catalogue, form) }))

/** Brings the table `indicators` to the catalogue of this version. Idempotent. Returns the names of the tables it filled. */
export async function loadIndicators(clickhouse: ClickHouseClient, catalogue = ownIndicators()): Promise<string[]> {
  const indicators = catalogue.map(({ code, numerator, denominator, ...one }) => ({
    indicator_code: code,
    ...one,
    numerator: sentence(numerator),
    denominator: sentence(denominator),
  }))
  const checksum = createHash('sha256').update(JSON.stringify(indicators)).digest('hex')
  if ((await lastLoad(clickhouse, 'indicators'))?.checksum === checksum) return []
  return loadTables(clickhouse, 'indicators', { indicators }, { checksum, source: '' })
}
