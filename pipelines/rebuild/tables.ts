/**
 * What a rebuild needs beside the log: the table of the new ledger, and notes that outlive an interruption. All are made when
 * a rebuild begins; the notes are dropped when it is done. Its phases stay in `rebuilds`.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../../common/clickhouse.ts'

/** The ledger that readers see. */
export const LEDGER = 'dossier_postings'
/**
 * The new ledger until the exchange, the old one for a moment afterwards. Its name has the holder of the rebuild in it: a
 * rebuild that goes on renames it, and whoever held it before and wakes up finds nothing to exchange any more.
 */
const SHADOWS = 'dossier_postings_rebuild_'
export const shadowOf = (holder: string) => SHADOWS + holder.replace(/\W/g, '_')
/** The old ledger, kept until the next rebuild begins. */
export const BEFORE = 'dossier_postings_before'

const NOTES: Record<string, string> = {
  rebuild_slices: `(
      slice UInt32 COMMENT 'Number of the slice, from 0',
      from_slot UInt32 COMMENT 'First dossier of the slice: its slot',
      from_dossier String COMMENT 'First dossier of the slice: its number; the slice ends before the next one begins',
      events UInt64 COMMENT 'Events of the slice; about, while it is not done',
      done Bool COMMENT 'Its postings are in the new ledger'
    ) ENGINE = MergeTree ORDER BY slice
    COMMENT 'Slices of a running rebuild of the ledger; a slice that is done has a second row'`,
  rebuild_batches: `(
      round UInt32 COMMENT '0: there before the first slice was computed; else the round of catching up that found it',
      batch String COMMENT 'Name of the batch'
    ) ENGINE = MergeTree ORDER BY batch
    COMMENT 'Batches that a running rebuild of the ledger knows'`,
  rebuild_rounds: `(
      round UInt32 COMMENT 'Round of catching up that is done'
    ) ENGINE = MergeTree ORDER BY round
    COMMENT 'Rounds of catching up that a running rebuild of the ledger has done'`,
  rebuild_touched: `(
      name String COMMENT 'The round of one process',
      part UInt32 COMMENT 'Dossiers that are computed together',
      slot UInt32 COMMENT 'yymmdd inside the dossier number',
      dossier_id String COMMENT 'Number of the dossier'
    ) ENGINE = MergeTree ORDER BY (name, part, slot, dossier_id)
    COMMENT 'Dossiers that a running rebuild of the ledger has to compute again'`,
  rebuild_refused: `(
      name String COMMENT 'The slice or part of one process',
      dossier_id String COMMENT 'Number of the dossier',
      batch String COMMENT 'Batch that never reached the ledger'
    ) ENGINE = MergeTree ORDER BY (name, dossier_id, batch)
    COMMENT 'Events that a running rebuild of the ledger lets count from a later batch on: theirs was refused and delivered again'`,
}

const drop = (clickhouse: ClickHouseClient, table: string) =>
  clickhouse.command({
    query: 'DROP TABLE IF EXISTS {table:Identifier} SYNC',
    query_params: { table },
    // A limit against dropping by mistake; this is none.
    clickhouse_settings: { max_table_size_to_drop: '0' },
  })

/** Name of the shadow table there is, whoever made it. */
export async function shadowThere(clickhouse: ClickHouseClient): Promise<string | undefined> {
  const [table] = await rowsOf<{ name: string }>(
    clickhouse,
    'SELECT name FROM system.tables WHERE database = currentDatabase() AND startsWith(name, {SHADOWS:String})',
    { SHADOWS },
  )
  return table?.name
}

/** Empty tables for a new rebuild. The old ledger of the last one makes room. */
export async function createTables(clickhouse: ClickHouseClient, shadow: string): Promise<void> {
  await dropNotes(clickhouse)
  for (let old = await shadowThere(clickhouse); old !== undefined; old = await shadowThere(clickhouse))
    await drop(clickhouse, old)
  await drop(clickhouse, BEFORE)
  await clickhouse.command({ query: `CREATE TABLE ${shadow} AS ${LEDGER}` })
  for (const [name, definition] of Object.entries(NOTES))
    await clickhouse.command({ query: `CREATE TABLE ${name} ${definition}` })
}

/** The shadow table of an earlier holder becomes ours. */
export async function takeShadow(clickhouse: ClickHouseClient, shadow: string): Promise<void> {
  const old = await shadowThere(clickhouse)
  if (old !== undefined && old !== shadow) await clickhouse.command({ query: `RENAME TABLE ${old} TO ${shadow}` })
}

/** After the exchange: our shadow table is the old ledger now, and gets the name under which it is kept. */
export async function putAway(clickhouse: ClickHouseClient, shadow: string): Promise<void> {
  if ((await shadowThere(clickhouse)) !== shadow) return
  await drop(clickhouse, BEFORE)
  await clickhouse.command({ query: `RENAME TABLE ${shadow} TO ${BEFORE}` })
}

export async function dropNotes(clickhouse: ClickHouseClient): Promise<void> {
  for (const name of Object.keys(NOTES)) await drop(clickhouse, name)
}
