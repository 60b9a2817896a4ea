/** The examples of docs/sql.md: `examples.sql`, each under a line `-- object: question`. */
import { readFileSync } from 'node:fs'

export interface Example {
  /** The view or table it is about. */
  object: string
  question: string
  /** Without the semicolon at its end. */
  query: string
}

/** In the order of the file. Throws where a query has no object and question. */
export function readExamples(
  text = readFileSync(new URL('examples.sql', import.meta.url), 'utf8'),
): [Example, ...Example[]] {
  const examples = text
    .split(/;\s*\n/)
    .filter(part => part.trim() !== '')
    .map(part => {
      const match = /^\s*-- (\w+): (.+)\n([\s\S]+)$/.exec(part)
      if (match === null) throw new Error(`an example without "-- object: question" above it: ${part.trim()}`)
      const [, object, question, query] = match as unknown as [string, string, string, string]
      return { object, question, query: query.trim().replace(/;$/, '') }
    })
  return examples as [Example, ...Example[]]
}

/** How the example calls a parameterised view, such as `rates(from = …)`; undefined where it takes no parameters. */
export const callOf = ({ object, query }: Example): string | undefined =>
  new RegExp(`\\b${object}\\([^)]*\\)`).exec(query)?.[0]
