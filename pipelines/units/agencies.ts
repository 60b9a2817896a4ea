/**
 * Agencies and the units they answer for, so that a question about an agency (H21.227) can be asked of the rates, whose
 * keys are units. An agency names its unit by the code; the row meant is the newest of that code. A department answers
 * for no unit, but lies in the province of the agency above it.
 */

import type { Problem } from '../problems.ts'
import type { RowOf } from '../reference.ts'
import { FIRST_DAY, LAST_DAY, type Lists, type Unit } from './lists.ts'

type Agency = RowOf<'agencies'>
type WithLine = Agency & { line?: number }

/** A row of the table `agencies`. */
export interface AgencyRow extends Agency {
  unit_valid_from: string
  unit_name: string
  province_code: string
  province_valid_from: string
  province_name: string
}

const LEVEL_OF = { PROVINCE: 'province', COMMUNE: 'commune', DEPARTMENT: undefined } as const

/** What is wrong with the list of agencies, given the list of units. */
export function checkAgencies(agencies: readonly WithLine[], lists: Lists): Problem[] {
  const problems: Problem[] = []
  const byCode = Map.groupBy(agencies, agency => agency.agency_code)
  for (const agency of agencies) {
    const wrong = (field: keyof Agency, allowed: string) =>
      problems.push({
        severity: 'error',
        file: 'agencies.csv',
        line: agency.line ?? 0,
        field,
        value: agency[field],
        allowed,
      })
    const { agency_code, parent_code, unit_code, kind } = agency
    if (byCode.get(agency_code)?.[0] !== agency) wrong('agency_code', 'each code once')
    if (kind === 'PROVINCE' ? parent_code !== '' : byCode.get(parent_code)?.[0]?.kind !== 'PROVINCE')
      wrong(
        'parent_code',
        kind === 'PROVINCE' ? 'nothing: a province has no agency above it' : 'an agency of kind PROVINCE',
      )
    if (unit_code === '') continue
    const level = newest(lists, unit_code)?.level
    if (level === undefined || level !== LEVEL_OF[kind])
      wrong(
        'unit_code',
        kind === 'DEPARTMENT' ? 'nothing: a department has no unit' : `a ${LEVEL_OF[kind]}, or nothing`,
      )
  }
  return problems
}

/** The agencies with their units and provinces. The list must have passed {@link checkAgencies}. */
export function agencyRows(agencies: readonly Agency[], lists: Lists): AgencyRow[] {
  const unitOf = new Map(agencies.map(({ agency_code, unit_code }) => [agency_code, newest(lists, unit_code)]))
  return agencies.map(agency => {
    const unit = unitOf.get(agency.agency_code)
    const inside = unit ?? unitOf.get(agency.parent_code)
    const province = inside && lists.provinceOf(inside, inside.valid_from)
    return {
      ...agency,
      unit_valid_from: unit?.valid_from ?? FIRST_DAY,
      unit_name: unit?.name ?? '',
      province_code: province?.unit_code ?? '',
      province_valid_from: province?.valid_from ?? FIRST_DAY,
      province_name: province?.name ?? '',
    }
  })
}

const newest = (lists: Lists, code: string): Unit | undefined =>
  lists.has(code) ? lists.recorded(code, LAST_DAY) : undefined
