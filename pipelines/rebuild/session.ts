/**
 * How a rebuild talks to ClickHouse: every row it writes is written under its lease, or not at all. A rebuild that was stopped
 * for longer than its lease lasts and wakes up while another goes on can disturb nothing.
 */
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client'
import { rowsOf } from '../../common/clickhouse.ts'
import { INSERT_SETTINGS } from '../../common/insert.ts'

export interface Session {
  readonly clickhouse: ClickHouseClient
  /** The holder of the lease. */
  readonly me: string
  /** Writes the rows of a SELECT into `table (columns)`. `settings` are those of the SELECT. */
  insert(into: string, select: string, params?: Record<string, unknown>, settings?: string): Promise<void>
  /** The first row; undefined where there is none. */
  one<Row>(query: string, params?: Record<string, unknown>): Promise<Row>
  /** A name that nobody has used: rows under it are read by nobody else. */
  uniqueName(): string
}

/** By this the queries of a rebuild are found in system.processes. */
export const COMMENT = 'motcua-rebuild'
const MEMORY_BYTES_MAX = 1_500_000_000
const FENCE =
  "(SELECT throwIf(argMax(holder, (epoch, holder)) != {me:String}, 'another rebuild has taken over') FROM leases WHERE name = 'rebuild') = 0"

export function createSession(clickhouse: ClickHouseClient, me: string, threads: number): Session {
  const clickhouse_settings: ClickHouseSettings = {
    ...INSERT_SETTINGS,
    min_insert_block_size_bytes: '256000000',
    max_execution_time: 0,
    max_threads: threads,
    max_memory_usage: String(MEMORY_BYTES_MAX),
    log_comment: `${COMMENT} ${me}`,
  }
  let names = 0
  return {
    clickhouse,
    me,
    async insert(into, select, params = {}, settings) {
      await clickhouse.command({
        query: `INSERT INTO ${into} SELECT * FROM (${select}) WHERE ${FENCE} ${settings === undefined ? '' : `SETTINGS ${settings}`}`,
        query_params: { ...params, me },
        clickhouse_settings,
      })
    },
    async one<Row>(query: string, params: Record<string, unknown> = {}) {
      return (await rowsOf<Row>(clickhouse, query, params))[0] as Row
    },
    uniqueName: () => `${me}-${++names}`,
  }
}
