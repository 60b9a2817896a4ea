/** What the ledger holds per code and period: all that is needed to say which dossiers a new list moves. */
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../../common/clickhouse.ts'
import type { LedgerCount } from './changes.ts'

/** `periods`: first days, in order, the first being 1970-01-01. */
export const ledgerCounts = (clickhouse: ClickHouseClient, periods: readonly string[]): Promise<LedgerCount[]> =>
  rowsOf<LedgerCount>(
    clickhouse,
    `SELECT unit_code, arrayLast(first_day -> first_day <= day, {periods:Array(Date)}) AS period, sum(received) AS dossiers
     FROM flows GROUP BY unit_code, period HAVING dossiers != 0`,
    { periods },
  )
