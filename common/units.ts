/** The codes of all administrative units there ever were, for the door; read from ClickHouse and kept fresh. */
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from './clickhouse.ts'
import type { Log } from './log.ts'

const REFRESH_MS = 30_000

export interface UnitDirectory {
  known: (code: string) => boolean
  stop: () => void
}

/** Throws where the list is empty: a service without it would refuse everything as unknown_unit. */
export async function openUnitDirectory(clickhouse: ClickHouseClient, log: Log): Promise<UnitDirectory> {
  const read = async () =>
    new Set(
      (await rowsOf<{ unit_code: string }>(clickhouse, 'SELECT DISTINCT unit_code FROM administrative_units')).map(
        row => row.unit_code,
      ),
    )
  let codes = await read()
  if (codes.size === 0)
    throw new Error('the table administrative_units is empty; npm run migrate loads the reference data')
  const refresh = setInterval(() => {
    read().then(
      fresh => {
        if (fresh.size > 0) codes = fresh
      },
      error => log.warn({ err: error }, 'the list of units could not be read again; the last one stays in use'),
    )
  }, REFRESH_MS)
  refresh.unref()
  return { known: code => codes.has(code), stop: () => clearInterval(refresh) }
}
