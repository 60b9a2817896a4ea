/**
 * Makes a ledger right for some dossiers: afterwards it has for each the history that the log tells, posting by posting. Only
 * the difference is written, so doing it twice changes nothing, and what was half done is completed.
 *
 * One thing the log does not say: a batch may stand in it and never have reached the ledger, because `balance` threw. Kafka
 * then delivered the rows again, and they counted from the next batch of the dossier that did reach it. Such a batch is known
 * by both: the ledger has no posting of it, and all its rows of the dossier came again. Where a damage has taken all postings
 * of a batch whose rows came again, its events get that later time, too: what counts is right, since when is a little late.
 */
import { statementOf } from '../declarations.ts'
import { differenceQuery, partsOf } from './fold.ts'
import type { Session } from './session.ts'
import { LEDGER } from './tables.ts'

/** `of`: a condition on slot and dossier_id. It must hold for whole dossiers, few enough for the memory. */
export type Post = (target: string, of: string, params: Record<string, unknown>) => Promise<void>

const OWN_STEP = '(ingested_at, toString(batch))'

export function createPost(session: Session): Post {
  const parts = partsOf(statementOf('balance'))
  const facts = parts.facts.map(({ column }) => column).join(', ')
  const columns = `dossier_id, sign, ${facts}, facts, batch, posted_at`

  /** Notes the batches that never reached the ledger, per dossier. Returns under which name; undefined: there are none. */
  async function noteRefused(of: string, params: Record<string, unknown>): Promise<string | undefined> {
    const again = await session.one(
      `SELECT 1 FROM dossier_events WHERE ${of} GROUP BY topic, partition, offset, event_id HAVING uniqExact(batch) > 1 LIMIT 1`,
      params,
    )
    if (again === undefined) return undefined
    const [came, refused] = [session.uniqueName(), session.uniqueName()]
    await session.insert(
      'rebuild_refused (name, dossier_id, batch)',
      `SELECT {came:String}, dossier_id, batch_name FROM
      (
        SELECT dossier_id, toString(batch) AS batch_name, ${OWN_STEP} < max(${OWN_STEP}) OVER (PARTITION BY dossier_id, event_id, topic, partition, offset) AS again
        FROM dossier_events WHERE ${of}
      )
      GROUP BY dossier_id, batch_name HAVING min(again)`,
      { ...params, came },
    )
    const those = 'SELECT batch FROM rebuild_refused WHERE name = {came:String}'
    await session.insert(
      'rebuild_refused (name, dossier_id, batch)',
      `SELECT {refused:String}, dossier_id, batch FROM rebuild_refused
       WHERE name = {came:String} AND batch NOT IN (SELECT batch FROM ${LEDGER} WHERE batch IN (${those}))`,
      { came, refused },
    )
    return refused
  }

  return async function post(target, of, params) {
    const refused = await noteRefused(of, params)
    const step =
      refused === undefined
        ? OWN_STEP
        : `minIf(${OWN_STEP}, (dossier_id, batch) NOT IN (SELECT dossier_id, batch FROM rebuild_refused WHERE name = {refused:String})) OVER (PARTITION BY dossier_id ORDER BY ingested_at DESC, batch DESC)`
    const events = `SELECT *, rank, ${step} AS step FROM dossier_events WHERE ${of}`
    await session.insert(
      `${target} (${columns})`,
      `SELECT ${columns} FROM (${differenceQuery(parts, { events, target, of })})`,
      { ...params, refused },
      parts.settings,
    )
  }
}
