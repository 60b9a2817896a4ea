/** Configuration of the ingest service. Units stand in the names. */
import { z } from 'zod'
import { commonShape, integer, port } from '../common/config.ts'

export const ingestConfig = z.object({
  ...commonShape,
  INGEST_PORT: port(8082),
  /** Rows of one INSERT at most. The ledger wants a batch in one block, and ClickHouse splits blocks at about a million rows. */
  INGEST_BATCH_ROWS_MAX: integer({ min: 1, max: 200_000, otherwise: 40_000 }),
  /** How long the broker may gather records before it answers a fetch: ten events cost as much to insert as a thousand. */
  INGEST_BATCH_WAIT_MS_MAX: integer({ min: 1, max: 5_000, otherwise: 300 }),
  /** Bytes of one fetch at most, over all partitions: this bounds the memory. */
  INGEST_FETCH_BYTES_MAX: integer({ min: 65_536, max: 268_435_456, otherwise: 8_388_608 }),
  /** Inserts at the same time. More than cores helps nobody. */
  INGEST_INSERTS_MAX: integer({ min: 1, max: 16, otherwise: 2 }),
  /** A member that died or sleeps keeps its partitions this long. Brokers take 6 s to 30 min by default. */
  INGEST_SESSION_MS: integer({ min: 6_000, max: 300_000, otherwise: 30_000 }),
})
export type IngestConfig = z.output<typeof ingestConfig>

/**
 * The server gives up first, then the client, then the consumer's session ends: all from the session, so that no
 * configuration can turn the order round.
 */
export const timeLimits = (session_ms: number) => ({
  session_ms,
  heartbeat_ms: Math.floor(session_ms / 10),
  request_ms_max: Math.floor((session_ms * 23) / 30),
  query_s_max: Math.floor((session_ms * 2) / 3_000),
})
export type TimeLimits = ReturnType<typeof timeLimits>
