/**
 * A database for one test file: prepared before its first test, dropped after its last. Events go straight into its log as
 * ingest would put them there, batch by batch, and each batch meets the fate it is given.
 */
import { afterAll, beforeAll, expect } from 'vitest'
import { INSERT_SETTINGS } from '../common/insert.ts'
import { readSchema } from '../pipelines/declarations.ts'
import { migrate } from '../pipelines/migrate.ts'
import { prepareDatabase } from '../pipelines/prepare.ts'
import type { DossierEvent } from '../schemas/dossier-event/event.ts'
import { type BatchFacts, STORED_COLUMNS } from '../services/ingest/container.ts'
import { createInsert } from '../services/ingest/insert.ts'
import { type GoodRow, rowsFrom } from '../services/ingest/rows-for-tests.ts'
import { clickhouseConfig, clickhouseOfTests } from './events.ts'
import type { Fate, Scenario } from './oracle/generators.ts'

/** Copied from the server's own database: to load and derive them takes seconds. */
const LISTS = [
  ...readSchema('motcua')
    .filter(({ kind, folder }) => kind === 'table' && (folder === 'units' || folder === 'catalogue'))
    .map(({ name }) => name),
  'list_loads',
]

/** To be called where hooks may be. `ingestedAt`: when a batch comes in; now, unless told otherwise. */
export function ownDatabase(name: string, ingestedAt: (batch: number) => number = Date.now) {
  const server = clickhouseOfTests('default', 'default')
  const clickhouse = clickhouseOfTests('default', name)
  const intoLog = createInsert(clickhouse, 'dossier_events')
  const aside = createInsert(clickhouse, 'aside')
  const drop = () => server.command({ query: `DROP DATABASE IF EXISTS ${name}` })
  beforeAll(async () => {
    await drop()
    await server.command({ query: `CREATE DATABASE ${name}` })
    await migrate(clickhouse)
    for (const table of LISTS) await clickhouse.command({ query: `INSERT INTO ${table} SELECT * FROM motcua.${table}` })
    await prepareDatabase(clickhouseConfig(), name)
  })
  afterAll(drop)

  let batches = 0
  function factsOfBatch(): BatchFacts {
    const batch = batches++
    return {
      topic: name,
      writerOf: () => 'test',
      batch: `b${String(batch).padStart(4, '0')}`,
      count_epoch: 0n,
      ingested_at_ms: ingestedAt(batch),
    }
  }

  const rowOf = (event: DossierEvent, partition: number, offset: number): GoodRow => ({
    event,
    partition,
    offset: BigInt(offset),
    topic_epoch: 0,
    timestamp_ms: 0,
  })

  /** The events of the next batch as one partition has them. */
  const rowsOfEvents = (events: readonly DossierEvent[]): GoodRow[] =>
    events.map((event, at) => rowOf(event, 0, batches * 1_000 + at))

  /** As if Kafka had the rows at the time of their batch. */
  const asOf = (rows: readonly GoodRow[], { ingested_at_ms: timestamp_ms }: BatchFacts) =>
    rowsFrom(rows.map(row => ({ ...row, timestamp_ms })))

  /** One batch, unless it is empty. */
  async function insert(rows: readonly GoodRow[], change: Partial<BatchFacts> = {}): Promise<void> {
    if (rows.length === 0) return
    const facts = { ...factsOfBatch(), ...change }
    await intoLog(asOf(rows, facts), facts)
  }

  /** The log gets the rows, then the view throws: they say that the batch had one row more than arrived. */
  async function insertWithoutLedger(rows: readonly GoodRow[]): Promise<void> {
    await clickhouse.command({ query: 'CREATE OR REPLACE TABLE aside AS dossier_events ENGINE = Memory' })
    const facts = factsOfBatch()
    await aside(asOf(rows, facts), facts)
    const columns = STORED_COLUMNS.map(column => (column === 'batch_rows' ? 'batch_rows + 1' : column))
    await expect(
      clickhouse.command({
        query: `INSERT INTO dossier_events (${STORED_COLUMNS.join(', ')}) SELECT ${columns.join(', ')} FROM aside`,
        clickhouse_settings: INSERT_SETTINGS,
      }),
    ).rejects.toThrow(/one block/)
  }

  return {
    clickhouse,
    rowsOfEvents,
    insert,
    ingest: (events: readonly DossierEvent[], change?: Partial<BatchFacts>) => insert(rowsOfEvents(events), change),

    /** No log and no ledger, nor what stands in these tables. */
    async empty(...more: string[]): Promise<void> {
      for (const table of ['dossier_events', 'dossier_postings', ...more])
        await clickhouse.command({ query: `TRUNCATE TABLE ${table}` })
      batches = 0
    },

    /** Every delivery in its batch and place. A batch without a fate is done. */
    async deliver(deliveries: Scenario['deliveries'], fates: readonly Fate[] = []): Promise<void> {
      const late: GoodRow[][] = []
      for (const [at, own] of [...Map.groupBy(deliveries, one => one.batch)].sort(([a], [b]) => a - b)) {
        const fate = fates[at] ?? 'done'
        const rows = own
          .sort((a, b) => a.place - b.place)
          .map(({ event, partition }, offset) => rowOf(event, partition, at * 1_000 + offset))
        if (fate.startsWith('view_failed')) await insertWithoutLedger(rows)
        const half = Math.ceil(rows.length / 2)
        if (fate === 'view_failed_then_late') late.push(rows)
        else if (fate === 'view_failed_then_cut') {
          await insert(rows.slice(0, half))
          await insert(rows.slice(half))
        } else await insert(rows)
        if (fate === 'answer_lost') await insert(rows)
      }
      for (const rows of late) await insert(rows)
    },
  }
}
