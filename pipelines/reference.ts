/**
 * Loads the reference data on units (lists, successors, agencies) into ClickHouse: all or nothing, and only when a file has
 * changed. Everything is checked before the first table is touched. Procedures and sectors are loaded by `catalogue/load.ts`.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ClickHouseClient } from '@clickhouse/client'
import { parse } from 'csv-parse/sync'
import { z } from 'zod'
import { rowsOf } from '../services/common/clickhouse.ts'
import { createLists } from './units/lists.ts'
import { unitsOnDays } from './units/on-days.ts'

export class ReferenceDataError extends Error {
  readonly code = 'REFERENCE_INVALID'
}

const day = z.iso.date()
const code = z.string().regex(/^\S{1,32}$/)
const optionalNumber = z.string().transform((text, context) => {
  if (text === '') return null
  if (!Number.isFinite(Number(text))) context.addIssue('a number, or nothing')
  return Number(text)
})

/** The columns this project reads of each file. */
const FILES = {
  administrative_units: z.object({
    unit_code: code,
    level: z.enum(['province', 'district', 'commune']),
    kind: z.string(),
    name: z.string().min(1),
    province_code: code,
    district_code: z.string(),
    valid_from: day,
    valid_to: day,
    lat: optionalNumber,
    lon: optionalNumber,
    area_km2: optionalNumber,
  }),
  unit_successors: z.object({
    level: z.enum(['province', 'district', 'commune']),
    predecessor_code: code,
    successor_code: code,
    effective_date: day,
    successor_count: z.string().regex(/^\d+$/).transform(Number),
  }),
  sectors: z.object({ sector_code: code, name_vi: z.string().min(1), name_en: z.string(), group_code: z.string() }),
  procedures: z.object({
    procedure_code: code,
    name_vi: z.string().min(1),
    sector_code: z.string(),
    ministry_vi: z.string(),
    tier: z.string(),
    service_level: z.enum(['FULL', 'PARTIAL', 'INFORMATION', '']),
    has_fee: z.enum(['yes', 'no', 'unclear', '']),
  }),
  agencies: z.object({
    agency_code: code,
    name: z.string().min(1),
    kind: z.enum(['PROVINCE', 'DEPARTMENT', 'COMMUNE']),
    parent_code: z.string(),
    unit_code: z.string(),
  }),
}
type FileName = keyof typeof FILES
type RowOf<Name extends FileName> = z.output<(typeof FILES)[Name]>

const pathOf = (name: FileName) => new URL(`reference/${name}.csv`, import.meta.url)

/** Rows of a reference file. Throws {@link ReferenceDataError} naming file, line, column and what is allowed. */
export function readReference<Name extends FileName>(name: Name): RowOf<Name>[] {
  const records: Record<string, string>[] = parse(readFileSync(pathOf(name)), { columns: true, bom: true })
  return records.map((record, at) => {
    const parsed = FILES[name].safeParse(record)
    if (parsed.success) return parsed.data as RowOf<Name>
    const issue = parsed.error.issues[0]
    throw new ReferenceDataError(
      `${name}.csv, line ${at + 2}, ${issue?.path.join('.')} is ${JSON.stringify(record[String(issue?.path[0])])}: ${issue?.message}`,
    )
  })
}

/** Loads what has changed. Returns the names of the tables it exchanged. */
export async function loadReference(clickhouse: ClickHouseClient): Promise<string[]> {
  const fingerprint = createHash('sha256')
  for (const name of Object.keys(FILES) as FileName[]) fingerprint.update(readFileSync(pathOf(name)))
  fingerprint.update(readFileSync(new URL('units/on-days.ts', import.meta.url)))
  const checksum = fingerprint.digest('hex')
  const loaded = await rowsOf<{ checksum: string }>(
    clickhouse,
    'SELECT checksum FROM reference_loads ORDER BY loaded_at DESC LIMIT 1',
  )
  if (loaded[0]?.checksum === checksum) return []

  const units = readReference('administrative_units')
  const successors = readReference('unit_successors')
  const onDays = unitsOnDays(createLists(units, successors))

  const tables = {
    administrative_units: units.map(({ lat, lon, ...unit }) => ({ ...unit, latitude: lat, longitude: lon })),
    unit_successors: successors,
    unit_on_day: onDays.map(({ unit_code, from_day, commune, district, province }) => ({
      unit_code,
      from_day,
      commune_code: commune.code,
      commune_valid_from: commune.valid_from,
      commune_name: commune.name,
      district_code: district.code,
      district_valid_from: district.valid_from,
      district_name: district.name,
      province_code: province.code,
      province_valid_from: province.valid_from,
      province_name: province.name,
    })),
    agencies: readReference('agencies'),
  }
  for (const [table, rows] of Object.entries(tables)) {
    await clickhouse.command({ query: `CREATE OR REPLACE TABLE ${table}_new AS ${table}` })
    await clickhouse.insert({ table: `${table}_new`, values: rows as Record<string, unknown>[], format: 'JSONEachRow' })
  }
  for (const table of Object.keys(tables)) {
    await clickhouse.command({ query: `EXCHANGE TABLES ${table} AND ${table}_new` })
    await clickhouse.command({ query: `DROP TABLE ${table}_new` })
  }
  await clickhouse.insert({
    table: 'reference_loads',
    values: [{ checksum }],
    columns: ['checksum'],
    format: 'JSONEachRow',
  })
  return Object.keys(tables)
}
