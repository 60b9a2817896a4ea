/**
 * `GET /api/rates?tier=&from=&to=[&unit=]`: the contract's rows as JSON, and
 * `GET /api/indicators?tier=&from=&to=[&unit=][&indicator=][&units=][&split=]`: every indicator of the catalogue.
 *
 * Promises: every parameter is checked, all that is wrong is told at once with its value and what is allowed; keys stand in
 * the contract's order; counts are numbers, rates unrounded or null.
 */
import { z } from 'zod'
import { ownIndicators } from '../../pipelines/indicators/catalogue.ts'
import type { IndicatorsQuestion, IndicatorsRow, RatesQuestion, RatesRow } from './figures.ts'
import { DAY_MAX, DAY_MIN, isDay } from './period.ts'
import { COUNTRY_CODE, TIERS, type Tier, type Units } from './units.ts'

export interface ParameterProblem {
  parameter: string
  value: unknown
  allowed: string
}

export type Parsed<Question = RatesQuestion> = { question: Question } | { problems: ParameterProblem[] }

const DAYS = `a day that exists, written yyyy-mm-dd, from ${DAY_MIN} to ${DAY_MAX}`
const day = z.string().refine(isDay, { error: DAYS })
const TIER_NAMES = TIERS.join(', ')
const SPLITS = ['none', 'area', 'first'] as const
const AS_RECORDED = 'as_recorded'
const codes = [...new Set(ownIndicators().map(one => one.code))] as [string, ...string[]]

const ratesParameters = z.strictObject({
  tier: z.enum(TIERS),
  from: day,
  to: day,
  unit: z.string().min(1).optional(),
})
const indicatorsParameters = ratesParameters.extend({
  indicator: z.enum(codes).optional(),
  units: z.union([z.literal(AS_RECORDED), day]).default(AS_RECORDED),
  split: z.enum(SPLITS).default('none'),
})

/** In words; also the names of all parameters. */
const ALLOWED_RATES: Record<string, string> = {
  tier: TIER_NAMES,
  from: DAYS,
  to: DAYS,
  unit: `the code of one unit of that tier or of one above it, or ${COUNTRY_CODE}`,
}
const ALLOWED_INDICATORS: Record<string, string> = {
  ...ALLOWED_RATES,
  unit: `the code of one unit of that tier, or ${COUNTRY_CODE} for the country`,
  indicator: codes.join(', '),
  units: `${AS_RECORDED}, or ${DAYS}`,
  split: SPLITS.join(', '),
}

/** Shape and order of days, the same for both. */
function checked<Parameters extends { from: string; to: string }>(
  shape: z.ZodType<Parameters>,
  query: Record<string, unknown>,
  allowed: Record<string, string>,
): Parsed<Parameters> {
  const parsed = shape.safeParse(query)
  if (!parsed.success) return { problems: parsed.error.issues.flatMap(issue => problemsOf(issue, query, allowed)) }
  const { from, to } = parsed.data
  if (from > to) return { problems: [{ parameter: 'from', value: from, allowed: `a day not after to (${to})` }] }
  return { question: parsed.data }
}

/** A code is asked of the tier whose units it names: one that stood for units of two tiers is none. */
export function parseIndicatorsQuery(query: Record<string, unknown>, units: Units): Parsed<IndicatorsQuestion> {
  const parsed = checked(indicatorsParameters, query, ALLOWED_INDICATORS)
  if ('problems' in parsed) return parsed
  const { unit, tier } = parsed.question
  if (unit === undefined || levelOf(unit, units) === tier) return parsed
  return { problems: [{ parameter: 'unit', value: unit, allowed: ALLOWED_INDICATORS.unit as string }] }
}

export function parseRatesQuery(query: Record<string, unknown>, units: Units): Parsed {
  const parsed = checked(ratesParameters, query, ALLOWED_RATES)
  if ('problems' in parsed) return parsed
  const { tier, from, to, unit } = parsed.question
  if (unit === undefined) return { question: { tier, from, to } }
  const level = levelOf(unit, units)
  if (level === undefined)
    return { problems: [{ parameter: 'unit', value: unit, allowed: ALLOWED_RATES.unit as string }] }
  if (TIERS.indexOf(level) < TIERS.indexOf(tier))
    return {
      problems: [{ parameter: 'unit', value: unit, allowed: `a unit of tier ${tier} or above; ${unit} is a ${level}` }],
    }
  return { question: { tier, from, to, unit: { code: unit, level } } }
}

function problemsOf(
  issue: z.core.$ZodIssue,
  query: Record<string, unknown>,
  allowed: Record<string, string>,
): ParameterProblem[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map(key => ({
      parameter: key,
      value: query[key],
      allowed: `no such parameter; there are ${Object.keys(allowed).join(', ')}`,
    }))
  const parameter = String(issue.path[0])
  const given = Array.isArray(query[parameter]) ? ', given once' : ''
  return [{ parameter, value: query[parameter] ?? null, allowed: `${allowed[parameter]}${given}` }]
}

const levelOf = (code: string, units: Units): Tier | undefined =>
  code === COUNTRY_CODE ? 'country' : units.of(code)[0]?.level

/** One sentence per problem. */
export const problemText = (problems: ParameterProblem[]): string =>
  problems
    .map(
      ({ parameter, value, allowed }) =>
        `${parameter} is ${value === null ? 'missing' : JSON.stringify(value)}; allowed: ${allowed}.`,
    )
    .join(' ')

/** The answer's body, keys in the contract's order, with the sources of each row beside. */
export const ratesBody = ({ tier, from, to }: RatesQuestion, rows: RatesRow[]) => ({
  from,
  to,
  tier,
  rows: rows.map(row => ({
    unit_code: row.unit_code,
    unit_valid_from: row.unit_valid_from,
    unit_name: row.unit_name,
    received: row.received,
    received_online: row.received_online,
    online_rate: row.online_rate,
    settled: row.settled,
    settled_early: row.settled_early,
    settled_on_time: row.settled_on_time,
    settled_late: row.settled_late,
    on_time_rate: row.on_time_rate,
    sources: row.sources,
  })),
})

/** The answer's body; `comparable` only where units are re-based (docs/sql.md says what it means). */
export const indicatorsBody = ({ tier, from, to, units, split }: IndicatorsQuestion, rows: IndicatorsRow[]) => ({
  from,
  to,
  tier,
  units,
  ...(units !== AS_RECORDED && { split }),
  rows,
})
