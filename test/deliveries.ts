/** Puts scenarios of the generators into the log of a database of its own, batch by batch, as ingest would. */
import { inject } from 'vitest'
import { prepareDatabase } from '../pipelines/prepare.ts'
import type { ClickHouseConfig } from '../services/common/clickhouse.ts'
import { createInsert } from '../services/ingest/insert.ts'
import { clickhouseOfTests } from './events.ts'
import type { Scenario } from './oracle/generators.ts'

/** How long a property is tried: shortly in npm test, a fifth of EXACTNESS_SECONDS in npm run test:long. */
export const propertySeconds = (short: number): number =>
  process.env.EXACTNESS_SECONDS === undefined ? short : Number(process.env.EXACTNESS_SECONDS) / 5

export async function scenarioDatabase(database: string) {
  const server = clickhouseOfTests('default', 'default')
  const clickhouse = clickhouseOfTests('default', database)
  const drop = () => server.command({ query: `DROP DATABASE IF EXISTS ${database}` })
  await drop()
  const config: ClickHouseConfig = {
    CLICKHOUSE_URL: inject('clickhouseUrl'),
    CLICKHOUSE_USER: process.env.CLICKHOUSE_USER,
    CLICKHOUSE_PASSWORD: process.env.CLICKHOUSE_PASSWORD,
  }
  await prepareDatabase(config, database)
  const insert = createInsert(clickhouse, 'dossier_events')
  let batches = 0

  return {
    clickhouse,
    drop,
    async empty() {
      for (const table of ['dossier_events', 'dossier_postings'])
        await clickhouse.command({ query: `TRUNCATE TABLE ${table}` })
    },
    /** Every delivery in its batch and place; fates are left to exactness.test.ts. */
    async deliver(deliveries: Scenario['deliveries']) {
      for (const [at, own] of [...Map.groupBy(deliveries, one => one.batch)].sort(([a], [b]) => a - b))
        await insert(
          own
            .sort((a, b) => a.place - b.place)
            .map(({ event, partition }, offset) => ({ event, partition, offset: BigInt(at * 1_000 + offset) })),
          {
            topic: database,
            writerOf: () => 'test',
            batch: `b${batches++}`,
            ingested_at_ms: Date.now(),
          },
        )
    },
  }
}
export type ScenarioDatabase = Awaited<ReturnType<typeof scenarioDatabase>>
