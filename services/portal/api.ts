/**
 * `GET /api/rates?tier=&from=&to=[&unit=]`: the contract's rows as JSON.
 *
 * Promises: every parameter is checked, all that is wrong is told at once with its value and what is allowed; keys stand in
 * the contract's order; counts are numbers, rates unrounded or null.
 */
import { z } from 'zod'
import type { RatesQuestion, RatesRow } from './figures.ts'
import { DAY_MAX, DAY_MIN, isDay } from './period.ts'
import { COUNTRY_CODE, TIERS, type Tier, type Units } from './units.ts'

export interface ParameterProblem {
  parameter: string
  value: unknown
  allowed: string
}

export type Parsed = { question: RatesQuestion } | { problems: ParameterProblem[] }

const DAYS = `a day that exists, written yyyy-mm-dd, from ${DAY_MIN} to ${DAY_MAX}`
const day = z.string().refine(isDay, { error: DAYS })
const TIER_NAMES = TIERS.join(', ')

const parameters = z.strictObject({
  tier: z.enum(TIERS, { error: TIER_NAMES }),
  from: day,
  to: day,
  unit: z.string().min(1).optional(),
})

const ALLOWED: Record<string, string> = {
  tier: TIER_NAMES,
  from: DAYS,
  to: DAYS,
  unit: `the code of one unit of that tier or of one above it, or ${COUNTRY_CODE}`,
}
const NAMES = Object.keys(ALLOWED).join(', ')

export function parseRatesQuery(query: Record<string, unknown>, units: Units): Parsed {
  const parsed = parameters.safeParse(query)
  if (!parsed.success) return { problems: parsed.error.issues.flatMap(issue => problemsOf(issue, query)) }
  const { tier, from, to, unit } = parsed.data
  if (from > to) return { problems: [{ parameter: 'from', value: from, allowed: `a day not after to (${to})` }] }
  if (unit === undefined) return { question: { tier, from, to } }
  const level = levelOf(unit, units)
  if (level === undefined) return { problems: [{ parameter: 'unit', value: unit, allowed: ALLOWED.unit as string }] }
  if (TIERS.indexOf(level) < TIERS.indexOf(tier))
    return {
      problems: [{ parameter: 'unit', value: unit, allowed: `a unit of tier ${tier} or above; ${unit} is a ${level}` }],
    }
  return { question: { tier, from, to, unit: { code: unit, level } } }
}

function problemsOf(issue: z.core.$ZodIssue, query: Record<string, unknown>): ParameterProblem[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map(key => ({
      parameter: key,
      value: query[key],
      allowed: `no such parameter; there are ${NAMES}`,
    }))
  const parameter = String(issue.path[0])
  const given = Array.isArray(query[parameter]) ? ', given once' : ''
  return [{ parameter, value: query[parameter] ?? null, allowed: `${ALLOWED[parameter]}${given}` }]
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
