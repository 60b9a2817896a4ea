/**
 * "Unit on a day" once more, from contract.md and the two published lists alone. Nothing here is shared with the pipeline:
 * it follows a commune to the province of its own successors, where the pipeline follows the province to its successor.
 */
import { readFileSync } from 'node:fs'

/** A unit as a key of the rates has it. */
export interface Place {
  code: string
  valid_from: string
}

/** Where a code counts on a day; undefined: at this tier nowhere. */
export interface Places {
  commune: Place | undefined
  district: Place | undefined
  province: Place
}

interface Row {
  level: string
  code: string
  province: string
  district: string
  from: string
  to: string
}

function csv(name: string): Record<string, string>[] {
  const text = readFileSync(new URL(`../../pipelines/reference/${name}.csv`, import.meta.url), 'utf8')
  if (text.includes('"')) throw new Error(`${name}.csv has quoted cells, which this reader does not know`)
  const [head = [], ...lines] = text
    .trimEnd()
    .split('\n')
    .map(line => line.split(','))
  return lines.map(cells => Object.fromEntries(head.map((column, at) => [column, cells[at] ?? ''])))
}

const rows: Row[] = csv('administrative_units').map(cell => ({
  level: cell.level as string,
  code: cell.unit_code as string,
  province: cell.province_code as string,
  district: cell.district_code as string,
  from: cell.valid_from as string,
  to: cell.valid_to as string,
}))
const byCode = Map.groupBy(rows, row => row.code)
const successors = Map.groupBy(csv('unit_successors'), cell => `${cell.level} ${cell.predecessor_code}`)

/** All codes of a level that were or will be valid on a day. */
export const codesOf = (level: string, day: string): string[] =>
  rows.filter(row => row.level === level && row.from <= day && day <= row.to).map(row => row.code)

const rowOn = (code: string, day: string) => byCode.get(code)?.find(row => row.from <= day && day <= row.to)
const placeOf = (row: Row): Place => ({ code: row.code, valid_from: row.from })
const provinceOn = (code: string, day: string): Place => {
  const row = rowOn(code, day)
  if (row?.level !== 'province') throw new Error(`${code} is no province on ${day}`)
  return placeOf(row)
}

/** The successor province of an ended row, valid on a day: that of any of its successors, since it is unique. */
function successorProvince(ended: Row, day: string): Place {
  const next = successors.get(`${ended.level} ${ended.code}`)?.[0]
  const heir = next === undefined ? undefined : rowOn(next.successor_code as string, day)
  if (heir !== undefined) return provinceOn(heir.province, day)
  // Most districts have no successors of their own: the communes that were theirs have.
  const commune = rows.find(row => row.level === 'commune' && row.district === ended.code && row.to === ended.to)
  if (commune === undefined) throw new Error(`${ended.code}, ended on ${ended.to}, has no successor`)
  return successorProvince(commune, day)
}

/** Contract, "Unit on a day". */
export function unitOnDay(code: string, day: string): Places {
  const all = byCode.get(code)
  if (all === undefined) throw new Error(`${code} is in no list`)
  const at = (row: Row) => (row.level === 'commune' ? placeOf(row) : undefined)

  const valid = rowOn(code, day)
  if (valid !== undefined) {
    const district = valid.level === 'district' ? valid : rowOn(valid.district, day)
    return {
      commune: at(valid),
      district: valid.level === 'province' || district === undefined ? undefined : placeOf(district),
      province: provinceOn(valid.province, day),
    }
  }
  const before = all.filter(row => row.to < day).sort((a, b) => (a.to < b.to ? 1 : -1))[0]
  if (before !== undefined)
    return { commune: at(before), district: undefined, province: successorProvince(before, day) }

  const after = [...all].sort((a, b) => (a.from < b.from ? -1 : 1))[0] as Row
  return { commune: at(after), district: undefined, province: provinceOn(after.province, after.from) }
}
