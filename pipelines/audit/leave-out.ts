/** Offsets that an audit leaves out because it is told to: as text on the command line, and taken out of what is read. Pure. */
import { InvalidArgumentError } from 'commander'
import type { Range } from './read-topic.ts'

/** Per partition; ascending and apart. */
export type LeaveOut = ReadonlyMap<number, readonly Range[]>

const PART = /^(\d{1,9}):(\d{1,18})(?:-(\d{1,18}))?$/
const ALLOWED =
  'Allowed: partition:offset or partition:first-last, several with commas between, such as 3:17,4:100-200.'

/** Reads `3:17,4:100-200`. Throws commander's InvalidArgumentError. */
export function parseLeaveOut(text: string): LeaveOut {
  const told = new Map<number, Range[]>()
  for (const part of text.split(',').map(one => one.trim())) {
    const match = PART.exec(part)
    if (match === null) throw new InvalidArgumentError(`'${part}' names no offsets. ${ALLOWED}`)
    const first = BigInt(match[2] as string)
    const last = BigInt(match[3] ?? first)
    if (last < first) throw new InvalidArgumentError(`'${part}' ends before it begins. ${ALLOWED}`)
    const partition = Number(match[1])
    const list = told.get(partition)
    if (list === undefined) told.set(partition, [{ first, last }])
    else list.push({ first, last })
  }
  return new Map([...told].map(([partition, list]) => [partition, merged(list)]))
}

function merged(ranges: readonly Range[]): Range[] {
  const apart: Range[] = []
  for (const range of ranges.toSorted((a, b) => (a.first < b.first ? -1 : 1))) {
    const open = apart.at(-1)
    if (open === undefined || range.first > open.last + 1n) apart.push({ ...range })
    else if (range.last > open.last) open.last = range.last
  }
  return apart
}

/** What of a range is left when others are taken out of it; ascending. */
export function without(range: Range, out: readonly Range[]): Range[] {
  const kept: Range[] = []
  let { first } = range
  for (const taken of out) {
    if (taken.last < first) continue
    if (taken.first > range.last) break
    if (taken.first > first) kept.push({ first, last: taken.first - 1n })
    first = taken.last + 1n
  }
  if (first <= range.last) kept.push({ first, last: range.last })
  return kept
}

/** Offsets in ranges. */
export const offsetsIn = (ranges: readonly Range[]): number =>
  Number(ranges.reduce((sum, { first, last }) => sum + last - first + 1n, 0n))
