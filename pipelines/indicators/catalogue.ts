/**
 * The indicators: one definition each, from which the SQL views, the API, the pages and the alerts take their rates. A rate is
 * always a sum of dossiers over a sum of dossiers; what is summed is said in a few words that `measures.ts` turns into SQL.
 */
import { readFileSync } from 'node:fs'
import { z } from 'zod'

const list = <const T extends readonly string[]>(values: T) =>
  z.array(z.enum(values, { error: `one of ${values.join(', ')}` })).min(1)
const isoDay = z.iso.date({ error: 'a day such as 2022-06-23' })

/** Which dossiers of a kind are meant; every word narrows. */
const where = z.strictObject({
  channel: list(['ONLINE', 'COUNTER', 'POSTAL']).optional(),
  service_level: list(['FULL', 'PARTIAL', 'INFORMATION']).optional(),
  /** Of settled ones: the day less the supplement pause against the due day. */
  outcome: list(['early', 'on_time', 'late']).optional(),
  /** Of ended ones. */
  ended_as: list(['SETTLED', 'RETURNED', 'WITHDRAWN', 'STOPPED']).optional(),
  /** Of ended and pending ones: after the due date, the supplement pause taken off. */
  late: z.boolean().optional(),
  /** Of pending ones: the same with the rule of Decision 766 for those that wait for a supplement. */
  late_766: z.boolean().optional(),
  fee_due: z.boolean().optional(),
  paid_online: z.boolean().optional(),
  digital_result: z.boolean().optional(),
  digitised: z.boolean().optional(),
  data_reused: z.boolean().optional(),
})
export type Where = z.output<typeof where>

/** Words that make sense for some kinds of dossiers only. */
const ONLY: Partial<Record<keyof Where, readonly string[]>> = {
  outcome: ['settled'],
  ended_as: ['ended'],
  late: ['ended', 'pending'],
  late_766: ['pending'],
}

const measure = z
  .strictObject({
    /** The date rule: received, settled or ended on a day of the period; or pending at the end of its last day. */
    of: z.enum(['received', 'settled', 'ended', 'pending'], { error: 'one of received, settled, ended, pending' }),
    where: where.default({}),
  })
  .superRefine(({ of, where }, context) => {
    for (const word of Object.keys(where) as (keyof Where)[])
      if (ONLY[word] !== undefined && !ONLY[word].includes(of))
        context.addIssue({
          code: 'custom',
          path: ['where', word],
          message: `only of ${ONLY[word].join(' or ')} dossiers`,
        })
  })
export type Measure = z.output<typeof measure>

const indicator = z.strictObject({
  code: z.string().regex(/^[a-z][a-z0-9_]{1,39}$/, { error: 'small letters, digits and _' }),
  version: z.int().min(1),
  /** The version of a code that is valid on the last day of a period decides about the whole period. */
  valid_from: isoDay,
  valid_to: isoDay.nullable(),
  name_vi: z.string().min(1),
  name_en: z.string().min(1),
  numerator: z.array(measure).min(1),
  denominator: z.array(measure).min(1),
  /** The value where the denominator is 0. */
  zero: z.enum(['null', 'zero', 'full'], { error: 'one of null, zero, full' }),
  source: z.string().min(1),
})
export type Indicator = z.output<typeof indicator>

export class CatalogueError extends Error {
  readonly code = 'CATALOGUE_INVALID'
  readonly problems: readonly string[]
  constructor(problems: readonly string[]) {
    super(`the indicator catalogue is not right:\n${problems.map(problem => `  ${problem}`).join('\n')}`)
    this.problems = problems
  }
}

let own: readonly Indicator[] | undefined
/** The catalogue of this version; read once, because every placeholder and every look of the alerts asks it. */
export const ownIndicators = (): readonly Indicator[] =>
  (own ??= readIndicators(readFileSync(new URL('catalogue.json', import.meta.url), 'utf8')))

/** Throws {@link CatalogueError} with a line per problem: the indicator, the field, its value and what is allowed. */
export function readIndicators(text: string): readonly Indicator[] {
  const rows = z.array(z.unknown()).parse(JSON.parse(text))
  const problems: string[] = []
  const indicators = rows.flatMap((row, at) => {
    const parsed = indicator.safeParse(row)
    if (parsed.success) return [parsed.data]
    const name = typeof row === 'object' && row !== null && 'code' in row ? String(row.code) : `number ${at + 1}`
    for (const { path, message } of parsed.error.issues) {
      const value = path.reduce<unknown>((part, key) => (part as Record<PropertyKey, unknown> | undefined)?.[key], row)
      problems.push(`${name}: ${path.join('.')} is ${JSON.stringify(value)}; allowed: ${message}`)
    }
    return []
  })
  problems.push(...overlaps(indicators))
  if (problems.length > 0) throw new CatalogueError(problems)
  return indicators
}

const LAST_DAY = '9999-12-31'

/** Two versions of a code must not be valid on the same day, nor have one number. */
function overlaps(indicators: readonly Indicator[]): string[] {
  const problems: string[] = []
  for (const [code, own] of Map.groupBy(indicators, one => one.code)) {
    const sorted = [...own].sort((a, b) => (a.valid_from < b.valid_from ? -1 : 1))
    for (const [at, one] of sorted.entries()) {
      const next = sorted[at + 1]
      if (one.valid_to !== null && one.valid_to < one.valid_from)
        problems.push(`${code} version ${one.version}: valid_to ${one.valid_to} is before valid_from ${one.valid_from}`)
      if (next === undefined) continue
      if (next.version === one.version) problems.push(`${code}: version ${one.version} stands twice`)
      if ((one.valid_to ?? LAST_DAY) >= next.valid_from)
        problems.push(`${code}: versions ${one.version} and ${next.version} are both valid on ${next.valid_from}`)
    }
  }
  return problems
}
