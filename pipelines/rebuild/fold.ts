/**
 * The history of the ledger as one query: for each dossier the fold of its events after each of its batches, and the postings
 * that lead from one to the next. What `balance` did insert by insert, done for many dossiers and all their batches at once.
 *
 * Nothing of the fold is written here a second time: fields, order, days, hash and the rule of what counts are cut out of the
 * statement of `balance` itself, and only the grouping becomes a window over the past. A statement that no longer has the
 * expected shape is refused. `test/rebuild.test.ts` holds the result against the ledger that `balance` kept, row by row.
 */

export class FoldShapeError extends Error {
  readonly code = 'FOLD_SHAPE'
}

/** What the rebuild takes from the statement of `balance`. */
export interface BalanceParts {
  /** Fact of the fold (`f_unit`) and the ledger's column for it (`unit_code`). */
  facts: { fact: string; column: string }[]
  /** Columns of the events as the fold reads them. */
  eventColumns: string
  /** `argMaxIf(…) AS n_…`, one per field. */
  fields: string[]
  /** The layers above the fields, which make facts, hash and the rule of what counts, with `FIELDS` where the fields were. */
  layers: string
  /** What no session may change. */
  settings: string
}

function cut(statement: string, what: string, pattern: RegExp): string[] {
  const match = pattern.exec(statement)
  if (match === null) throw new FoldShapeError(`the statement of balance no longer shows ${what}`)
  return match.slice(1).map(part => part.trim())
}

const FIELDS = '(FIELDS)'

export function partsOf(statement: string): BalanceParts {
  const facts = [...statement.matchAll(/^ {4}any\((f_\w+)\) AS (\w+),$/gm)].map(([, fact, column]) => ({
    fact: fact as string,
    column: column as string,
  }))
  const [says = ''] = cut(statement, 'what the events say now', /-- What the events say now\.([\s\S]+?)UNION ALL\s+--/)
  const [before = '', fields = '', eventColumns = '', after = ''] = cut(
    says,
    'the fold of block and history',
    /^([\s\S]+)\(\s*SELECT\s+e\.dossier_id AS id,([\s\S]+)FROM\s*\(\s*SELECT ([^()]+(?:\([^()]*\)[^()]*)+?)\s+FROM dossier_events\s+UNION ALL\s+SELECT \3\s+FROM history\s+WHERE [^\n]+\s*\) AS e\s+GROUP BY e\.dossier_id\s*\)([\s\S]+)$/,
  )
  const [settings = ''] = cut(statement, 'its settings', /^SETTINGS ([\s\S]+?)(?:\nCOMMENT [^\n]*)?\s*$(?![\s\S])/m)
  const each = fields.split(/,\n/).map(field => field.trim())
  const strange = each.filter(field => !/^argMaxIf\(e\.\w+, e\.rank, bitTest\(e\.says, \d+\)\) AS n_\w+$/.test(field))
  if (strange.length > 0) throw new FoldShapeError(`fields of balance that are folded in an unknown way: ${strange}`)
  if (facts.length === 0) throw new FoldShapeError('the statement of balance no longer names its facts')
  return { facts, eventColumns, fields: each, layers: `${before}${FIELDS}${after}`, settings }
}

/** `events`: the log, or a part of it, with a column `step`: the (ingested_at, batch) from which on an event counts. */
export function stepsQuery(parts: BalanceParts, events: string): string {
  const folded = parts.fields.map(field => field.replace(/\) AS /, ') OVER past AS ')).join(',\n')
  const names = parts.fields.map(field => field.replace(/^.* AS /, '')).join(', ')
  // One row per dossier and step; id = (dossier_id, step, the dossier's next step or nothing).
  return parts.layers.replace(
    FIELDS,
    `(
      SELECT (dossier_id, step, leadInFrame(step) OVER (PARTITION BY dossier_id ORDER BY step ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) AS id, ${names}
      FROM
      (
        SELECT e.dossier_id AS dossier_id, e.step AS step, ${folded}
        FROM (SELECT ${parts.eventColumns}, step FROM (${events})) AS e
        WINDOW past AS (PARTITION BY e.dossier_id ORDER BY e.step RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
        LIMIT 1 BY dossier_id, step
      )
    )`,
  )
}

/**
 * The postings that `target` lacks (or has too many, with the opposite sign) of dossiers given by `of` to be the history that
 * the log tells. Applied once it makes them right; applied again it is empty.
 */
export function differenceQuery(
  parts: BalanceParts,
  { events, target, of }: Record<'events' | 'target' | 'of', string>,
) {
  const facts = parts.facts.map(({ fact }) => fact).join(', ')
  return `SELECT
    key.1 AS dossier_id,
    toInt32(sum(weight)) AS sign,
    ${parts.facts.map(({ fact, column }) => `any(${fact}) AS ${column}`).join(',\n    ')},
    hash AS facts,
    key.2.2 AS batch,
    key.2.1 AS posted_at
  FROM
  (
    SELECT (id.1, moment.1) AS key, ${facts}, hash, weight * moment.2 AS weight
    FROM (${stepsQuery(parts, events)})
    ARRAY JOIN [(id.2, 1), (id.3, -1)] AS moment
    WHERE moment.1.2 != ''
    UNION ALL
    SELECT (dossier_id, (posted_at, toString(batch))) AS key, ${parts.facts.map(({ fact, column }) => `${column} AS ${fact}`).join(', ')}, facts AS hash, toInt64(-sign) AS weight
    FROM ${target}
    WHERE ${of}
  )
  GROUP BY key, hash
  HAVING sign != 0
  ORDER BY dossier_id, posted_at, batch, sign`
}
