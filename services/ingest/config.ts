/** Configuration of the ingest service. Units stand in the names. */
import { z } from 'zod'
import { commonShape, integer, port } from '../../common/config.ts'

export const ingestConfig = z.object({
  ...commonShape,
  INGEST_PORT: port(8082),
  /** Rows of one INSERT at most. The ledger wants a batch in one block, and ClickHouse splits blocks at about a million rows. */
  INGEST_BATCH_ROWS_MAX: integer({ min: 1, max: 200_000, otherwise: 80_000 }),
  /** How long the broker may gather records before it answers a fetch: ten events cost as much to insert as a thousand. */
  INGEST_BATCH_WAIT_MS_MAX: integer({ min: 1, max: 5_000, otherwise: 100 }),
  /** Bytes of one fetch at most, over all partitions: this bounds the memory. Two are held at once, and the batches made of them. */
  INGEST_FETCH_BYTES_MAX: integer({ min: 65_536, max: 268_435_456, otherwise: 27_262_976 }),
  /** Inserts at the same time. More than cores helps nobody. */
  INGEST_INSERTS_MAX: integer({ min: 1, max: 16, otherwise: 2 }),
  /** A member that died keeps its partitions this long. Brokers take 6 s to 30 min by default. */
  INGEST_SESSION_MS: integer({ min: 6_000, max: 300_000, otherwise: 6_000 }),
  /** How long a rebalance waits for what runs; the time-outs of an insert lie below it. */
  INGEST_DRAIN_MS: integer({ min: 6_000, max: 300_000, otherwise: 30_000 }),
})
export type IngestConfig = z.output<typeof ingestConfig>

/**
 * The server gives up first, then the client, then the rebalance stops waiting for the member: all from one number, so that no
 * configuration can turn the order round.
 *
 * The session is apart from them: it only says how soon a dead member is missed. A member that is not dead but slow loses its
 * partitions with an insert still running, and that is safe whatever the time-outs are: the new owner claims the partition
 * (the ledger refuses the old token from then on) and ends and waits out what runs, before it writes (ownership.ts).
 */
export const timeLimits = ({
  INGEST_SESSION_MS,
  INGEST_DRAIN_MS,
}: Pick<IngestConfig, 'INGEST_SESSION_MS' | 'INGEST_DRAIN_MS'>) => ({
  session_ms: INGEST_SESSION_MS,
  heartbeat_ms: Math.floor(INGEST_SESSION_MS / 10),
  rebalance_ms: INGEST_DRAIN_MS,
  request_ms_max: Math.floor((INGEST_DRAIN_MS * 23) / 30),
  query_s_max: Math.floor((INGEST_DRAIN_MS * 2) / 3_000),
})
