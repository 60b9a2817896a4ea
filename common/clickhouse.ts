/** ClickHouse as every service sees it: one client per role, with explicit time-outs and settings. */
import { type ClickHouseClient, ClickHouseLogLevel, type ClickHouseSettings, createClient } from '@clickhouse/client'
import type { CommonConfig } from './config.ts'

export const DATABASE = 'motcua'

/** `default` owns the schema, `ingest` inserts, `analyst` only reads. A configured CLICKHOUSE_USER takes every role. */
export type Role = 'default' | 'ingest' | 'analyst'
export type ClickHouseConfig = Pick<CommonConfig, 'CLICKHOUSE_URL' | 'CLICKHOUSE_USER' | 'CLICKHOUSE_PASSWORD'>

/** The server gives up first, then the client, then the rebalance stops waiting: never the other way round. */
export const QUERY_S_MAX = 20
export const REQUEST_MS_MAX = 23_000

export type Rows = Record<string, unknown>[]

export function createClickHouse(
  config: ClickHouseConfig,
  role: Role,
  options: { database?: string; settings?: ClickHouseSettings; request_ms_max?: number } = {},
): ClickHouseClient {
  return createClient({
    url: config.CLICKHOUSE_URL,
    username: config.CLICKHOUSE_USER ?? role,
    password: config.CLICKHOUSE_PASSWORD ?? '',
    database: options.database ?? DATABASE,
    application: `motcua-${role}`,
    request_timeout: options.request_ms_max ?? REQUEST_MS_MAX,
    compression: { request: false, response: false },
    // Whoever asks handles the error; the client's own lines on the console would only repeat it.
    log: { level: ClickHouseLogLevel.OFF },
    clickhouse_settings: options.settings ?? {},
  })
}

/** Rows of a query as objects. 64-bit integers come as numbers: counts of dossiers stay far below 2^53. */
export async function rowsOf<Row>(
  client: ClickHouseClient,
  query: string,
  query_params: Record<string, unknown> = {},
): Promise<Row[]> {
  const answer = await client.query({
    query,
    query_params,
    format: 'JSONEachRow',
    clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
  })
  return answer.json<Row>()
}
