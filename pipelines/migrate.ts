/**
 * Brings a database to the declared schema: changes of tables first, then what is missing, then views whose text is another,
 * and a rebuild of the ledger where what counts is computed in another way. Idempotent, and resumable wherever it was ended.
 * A table that is not as declared ends it before anything is touched.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { applyChanges, rebuildIsDue, rebuilt, wantRebuild } from './changes.ts'
import { SchemaError } from './declarations.ts'
import { databaseOf, driftError, planFor, type Step } from './plan.ts'
import { rebuild } from './rebuild/rebuild.ts'

/** What was done, a line each. Throws {@link SchemaError}. */
export async function migrate(clickhouse: ClickHouseClient): Promise<string[]> {
  const database = await databaseOf(clickhouse)
  const before = await planFor(clickhouse, database)
  if (before.drift.length > 0) throw driftError(before.drift)
  await applyChanges(clickhouse, before.there, before.changes)
  const plan = before.changes.length === 0 ? before : await planFor(clickhouse, database)
  if (plan.drift.length > 0) throw driftError(plan.drift)
  // Noted before the view is another: whoever is ended in between finds it due.
  if (plan.rebuild) await wantRebuild(clickhouse)
  for (const step of plan.steps) await apply(clickhouse, step)
  const due = await rebuildIsDue(clickhouse)
  if (due) {
    await rebuild(clickhouse)
    await rebuilt(clickhouse)
  }
  return [
    ...new Set(before.changes.map(({ name }) => `change ${name}`)),
    ...plan.steps.map(({ says }) => says),
    ...(due ? ['rebuild the ledger from the log'] : []),
  ]
}

async function apply(clickhouse: ClickHouseClient, { object, statement }: Step): Promise<void> {
  try {
    await clickhouse.command({ query: statement })
  } catch (cause) {
    throw new SchemaError('STATEMENT_FAILED', `${object} could not be made as declared: ${(cause as Error).message}`, {
      cause,
    })
  }
}
