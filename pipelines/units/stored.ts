/** The lists of units as they stand in ClickHouse. */
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../../common/clickhouse.ts'
import type { UnitLists } from './tables.ts'

export async function storedLists(clickhouse: ClickHouseClient): Promise<UnitLists> {
  const [units, successors] = await Promise.all([
    rowsOf<UnitLists['units'][number]>(
      clickhouse,
      `SELECT unit_code, level, kind, name, province_code, district_code, valid_from, valid_to,
          latitude AS lat, longitude AS lon, area_km2
       FROM administrative_units ORDER BY unit_code, valid_from`,
    ),
    rowsOf<UnitLists['successors'][number]>(
      clickhouse,
      `SELECT level, predecessor_code, successor_code, effective_date, successor_count
       FROM unit_successors ORDER BY predecessor_code, effective_date, successor_code`,
    ),
  ])
  return { units, successors }
}
