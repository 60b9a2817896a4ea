/**
 * What a new list of units changes, for people: a line per kind of change with examples, and the dossiers that move.
 */

import type { Report } from './bring.ts'
import { CHANGES, type Change, type ChangeKind, type Moves } from './changes.ts'

const EXAMPLES_MAX = 10
const WORDS: Record<ChangeKind, string> = {
  begins: 'begin',
  ends: 'end',
  removed: 'are no longer in the list',
  renamed: 'have another name',
  parent: 'have another parent (district, province)',
  validity: 'have another last day',
  other: 'differ otherwise (level, kind, latitude, longitude, area)',
}

const counted = (n: number) => n.toLocaleString('en')

export function linesOf({ compared_with, changes, pairs, moves }: Report): string[] {
  const kinds = Map.groupBy(changes, change => change.kind)
  return [
    `Changes against the list in ${compared_with}:`,
    ...(changes.length === 0 ? ['  no unit changes'] : []),
    ...CHANGES.flatMap(kind => linesOfKind(kind, kinds.get(kind) ?? [])),
    `  successors: ${counted(pairs.added)} pairs more, ${counted(pairs.removed)} fewer`,
    ...(moves === undefined ? ['The ledger was not asked which dossiers move.'] : linesOfMoves(moves)),
  ]
}

function linesOfKind(kind: ChangeKind, changes: readonly Change[]): string[] {
  if (changes.length === 0) return []
  const told = changes.slice(0, EXAMPLES_MAX).map(({ unit_code, valid_from, name, before, after }) => {
    const change = before === after ? '' : `: ${before} → ${after}`
    return `    ${unit_code} from ${valid_from} ${name}${change}`
  })
  const more = changes.length > EXAMPLES_MAX ? [`    … and ${counted(changes.length - EXAMPLES_MAX)} more`] : []
  return [`  units that ${WORDS[kind]}: ${counted(changes.length)}`, ...told, ...more]
}

function linesOfMoves({ dossiers, moved, provinces, rebased }: Moves): string[] {
  const tiers = (counts: Moves['moved']) =>
    Object.entries(counts)
      .map(([tier, count]) => `${counted(count)} to another ${tier}`)
      .join(', ')
  return [
    `Of ${counted(dossiers)} dossiers of the ledger, by the day of reception:`,
    `  as recorded: ${tiers(moved)}`,
    ...provinces
      .slice(0, EXAMPLES_MAX)
      .map(({ from, to, dossiers: n }) => `    ${counted(n)} from ${place(from)} to ${place(to)}`),
    ...(provinces.length > EXAMPLES_MAX ? [`    … and ${counted(provinces.length - EXAMPLES_MAX)} more pairs`] : []),
    `  re-based on the newest units: ${tiers(rebased)}`,
  ]
}

const place = ({ code, valid_from, name }: { code: string; valid_from: string; name: string }) =>
  code === '' ? 'nowhere' : `${code} ${name} (from ${valid_from})`
