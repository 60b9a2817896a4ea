/** What is wrong with a file of reference data: where, what stands there, what is allowed. */

export interface Problem {
  severity: 'error' | 'warning'
  file: string
  /** Line in the file, the header being 1; 0: the file as a whole. */
  line: number
  field: string
  value: string
  allowed: string
}

export const textOf = ({ severity, file, line, field, value, allowed }: Problem) =>
  `${severity}: ${file}${line === 0 ? '' : `, line ${line}`}: ${field} is ${JSON.stringify(value)}; allowed: ${allowed}`

const NAMED_MAX = 20

export class ReferenceDataError extends Error {
  readonly code = 'REFERENCE_INVALID'
  constructor(problems: readonly Problem[]) {
    const more = problems.length > NAMED_MAX ? [`… and ${problems.length - NAMED_MAX} more`] : []
    super([...problems.slice(0, NAMED_MAX).map(textOf), ...more].join('\n'))
  }
}

/** Throws {@link ReferenceDataError} where there is an error among them; warnings pass. */
export function refuse(problems: readonly Problem[]): void {
  const errors = problems.filter(problem => problem.severity === 'error')
  if (errors.length > 0) throw new ReferenceDataError(errors)
}
