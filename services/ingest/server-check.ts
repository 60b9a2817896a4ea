/**
 * Whether this ClickHouse keeps what the promise leans on. Asked once at start; a server that would break it is refused with
 * the reason, because a rate that is quietly wrong is worse than a service that does not start.
 */
import type { ClickHouseClient } from '@clickhouse/client'
import { INSERT_SETTINGS, insertContainer } from '../../common/insert.ts'
import { objectsThatDiffer } from '../../pipelines/plan.ts'
import { probeContainerOf } from './container.ts'

export class ServerRefused extends Error {
  readonly code = 'SERVER_REFUSED'
}

/** Throws {@link ServerRefused} with what is wrong and what to do. `batch_rows_max`: rows of the largest batch. */
export async function checkServer(clickhouse: ClickHouseClient, batch_rows_max: number): Promise<void> {
  await checkSchema(clickhouse)
  await checkSettings(clickhouse)
  await checkBlocks(clickhouse, batch_rows_max)
}

async function checkSchema(clickhouse: ClickHouseClient): Promise<void> {
  const missing = await objectsThatDiffer(clickhouse)
  if (missing.length > 0)
    throw new ServerRefused(
      `the database is not at the schema of this version (${missing.join(', ')}); npm run migrate brings it there`,
    )
}

/** A profile's constraints may forbid or overrule a setting; then it must not be used quietly with another value. */
async function checkSettings(clickhouse: ClickHouseClient): Promise<void> {
  const answer = await clickhouse.query({
    query: 'SELECT name, value FROM system.settings WHERE name IN {names:Array(String)}',
    query_params: { names: Object.keys(INSERT_SETTINGS) },
    format: 'JSONEachRow',
    clickhouse_settings: INSERT_SETTINGS,
  })
  for (const { name, value } of await answer.json<{ name: string; value: string }>()) {
    const wanted = String(INSERT_SETTINGS[name])
    if (value !== wanted)
      throw new ServerRefused(
        `the setting ${name} is ${value} here although ${wanted} was asked for; a constraint of the user's profile overrules it`,
      )
  }
}

/** One insert must reach a view as one block: tried with as many rows as the largest batch has. */
export async function checkBlocks(clickhouse: ClickHouseClient, rows: number): Promise<void> {
  try {
    await insertContainer(clickhouse, {
      table: 'block_probe',
      columns: ['n', 'probe_rows'],
      container: probeContainerOf(rows),
      log_comment: 'motcua probe',
    })
  } catch (cause) {
    const message = (cause as Error).message
    if (!message.includes('cuts an insert into blocks')) throw cause
    throw new ServerRefused(
      `an insert of ${rows} rows does not reach a view as one block here; the ledger cannot be kept on this server`,
      { cause },
    )
  }
}
