/** What an audit found, in words and as JSON. Pure. */
import { type AuditReport, DIFFERENCES_MAX } from './audit.ts'
import type { Suspect } from './judge.ts'
import type { DifferenceKind } from './ledger.ts'

const n = (count: number) => count.toLocaleString('en')
const many = (count: number, one: string, more = `${one}s`) => `${n(count)} ${count === 1 ? one : more}`

const KINDS: Record<DifferenceKind, string> = {
  unknown_dossier: 'has postings and no event in the log',
  unbalanced: 'counts more than once, or less than not at all',
  other_facts: 'counts otherwise than its events say',
}

const whatOf = ({ event_id, dossier_id, refusal }: Suspect) =>
  refusal === undefined
    ? `event ${event_id} of dossier ${dossier_id}`
    : `a record that the door refuses (${refusal.reason}), without its dead letter`

const spanOf = ({ partition, first, last }: AuditReport['left_out'][0]) =>
  `${partition}:${first === last ? first : `${first}-${last}`}`

/** The named ones, and how many more there are. */
function listed<T>(items: readonly T[], total: number, limit: number, lineOf: (item: T) => string): string[] {
  const named = items.slice(0, limit)
  const rest = total - named.length
  return [...named.map(item => `    ${lineOf(item)}`), ...(rest > 0 ? [`    … and ${n(rest)} more`] : [])]
}

/** Lines for a person: what was looked at, what differs and where, what to do. */
export function linesOf(report: AuditReport, limit: number): string[] {
  const { records } = report
  const seconds = (Date.parse(report.finished_at) - Date.parse(report.started_at)) / 1_000
  const what = report.kind === 'whole' ? 'everything' : `what changed since ${report.since}`
  const lines = [
    `Audit of ${what}: ${many(report.dossiers, 'dossier')}, ${many(report.events, 'event')}, ${seconds.toFixed(1)} s`,
  ]
  const verdict = (name: string, good: boolean, text: string) =>
    lines.push(`  ${good ? 'ok  ' : 'BAD '} ${name}: ${text}`)

  const differing = report.differing_dossiers
  verdict(
    'ledger',
    differing === 0,
    differing === 0
      ? 'every dossier counts as its events say'
      : `${many(differing, 'dossier counts', 'dossiers count')} otherwise than the events say`,
  )
  lines.push(
    ...listed(report.differences, differing, limit, one =>
      [
        `${one.dossier_id} at ${one.units.join(', ') || '-'}: ${KINDS[one.kind]}`,
        ...one.facts.map(facts => `      ${facts}`),
      ].join('\n'),
    ),
  )
  if (report.units.length > 0) lines.push(`    units: ${report.units.slice(0, limit).join(', ')}`)
  verdict(
    'roll-ups',
    report.differing_sums === 0,
    report.differing_sums === 0
      ? 'every sum is what its postings sum to'
      : `${many(report.differing_sums, 'sum differs', 'sums differ')} from the postings`,
  )
  lines.push(
    ...listed(
      report.sums,
      report.differing_sums,
      limit,
      sum =>
        `${sum.rollup} at ${sum.unit_code} on ${sum.day} (${[sum.source, ...sum.more].map(part => part || '–').join(', ')}): ${sum.rollup_says.join('/')} instead of ${sum.postings_say.join('/')}`,
    ),
  )
  if (records === undefined) verdict('topic', false, 'not looked at: unverified')
  else {
    const good = records.missing === 0 && records.gone_offsets === 0
    verdict(
      'topic',
      good,
      `${many(records.offsets, 'offset')}, ${many(records.dead_letters, 'dead letter')}, ${n(records.elsewhere)} in the log under another offset${good ? '' : `; ${many(records.missing, 'record')} missing from the log`}`,
    )
    lines.push(
      ...listed(
        records.named,
        records.missing,
        limit,
        one => `${one.topic} partition ${one.partition} offset ${one.offset}: ${whatOf(one)}`,
      ),
    )
    if (records.gone_offsets > 0)
      lines.push(
        `    ${many(records.gone_offsets, 'offset')} in neither the log nor the dead letters, and the broker no longer has them:`,
        ...records.gone.map(
          ({ partition, first, last }) => `      partition ${partition}, offsets ${first} to ${last}`,
        ),
      )
    if (report.left_out.length > 0)
      lines.push(
        `  note ${report.left_out.map(spanOf).join(', ')} left out, as told; ${n(records.left_out)} of these offsets stand in neither the log nor the dead letters, and were not read`,
      )
  }
  if (report.parked.total > 0) {
    const reasons = Object.entries(report.parked.by_reason).map(([reason, count]) => `${reason} ${n(count)}`)
    lines.push(
      `  note ${many(report.parked.total, 'record was', 'records were')} set aside by ingest and count nowhere (see dead_letters): ${reasons.join(', ')}`,
    )
    lines.push(
      ...listed(
        report.parked.named,
        report.parked.total,
        limit,
        one =>
          `partition ${one.partition} offset ${one.offset}${one.topic_epoch > 0 ? ` (topic epoch ${one.topic_epoch})` : ''}: ${one.reason}`,
      ),
    )
  }
  if (report.conflicting_events > 0) {
    lines.push(
      `  note ${many(report.conflicting_events, 'event_id')} under which different events came; which of them decides is not defined`,
    )
    lines.push(
      ...listed(
        report.conflicts,
        report.conflicting_events,
        limit,
        one => `${one.event_id}: ${one.dossier_ids.join(', ')}`,
      ),
    )
  }
  if (report.quarantined_dossiers > 0) {
    const reasons = Object.entries(report.quarantined_by_reason).map(([reason, count]) => `${reason} ${n(count)}`)
    lines.push(
      `  note ${many(report.quarantined_dossiers, 'dossier')} quarantined (counted as the contract says; see quarantined_dossiers): ${reasons.join(', ')}`,
    )
    lines.push(
      ...listed(
        report.quarantined,
        report.quarantined_dossiers,
        limit,
        one => `${one.dossier_id}: ${one.reasons.join(', ')}`,
      ),
    )
  }
  if (report.stale_hashes > 0)
    lines.push(
      `  note ${many(report.stale_hashes, 'posting was', 'postings were')} altered once and balanced since; nothing is wrong now`,
    )
  return [...lines, ...adviceOf(report)]
}

function adviceOf({ clean, records, differing_dossiers, differing_sums }: AuditReport): string[] {
  if (clean && records !== undefined)
    return [
      records.left_out === 0
        ? 'The rates are what the events say.'
        : `The rates are what the events say, but for ${many(records.left_out, 'offset')} left out.`,
    ]
  const advice: string[] = []
  if (records === undefined) advice.push('The topic was not looked at: whether the log has everything is unverified.')
  else if (records.missing > 0)
    advice.push('npm run audit -- --reingest reads the missing records again from the topic.')
  if (differing_dossiers > DIFFERENCES_MAX)
    advice.push('npm run rebuild recomputes everything that is derived from the log.')
  else if (differing_dossiers > 0)
    advice.push('npm run audit -- --repair touches these dossiers, and the ledger balances them.')
  if (differing_sums > 0) advice.push('npm run rebuild makes the roll-ups again.')
  return advice
}

/** The report as it goes into JSON: 64-bit numbers as text. */
export function jsonOf(report: AuditReport, limit: number) {
  const { records } = report
  return {
    ...report,
    differences: report.differences.slice(0, limit),
    records: records && {
      ...records,
      named: records.named.map(({ topic, topic_epoch, partition, offset, event_id, dossier_id, refusal }) => ({
        topic,
        topic_epoch,
        partition,
        offset: String(offset),
        event_id: event_id ?? null,
        dossier_id: dossier_id ?? null,
        reason: refusal?.reason ?? null,
      })),
    },
  }
}
