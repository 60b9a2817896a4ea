/**
 * The audit: proves that the ledger says what the log says, the roll-ups what the ledger says, and that the log has all that
 * the topic gave; or names what differs. Reads only (and leaves a line in `audits`); works in slices, so that its memory does
 * not grow with the data. Ingest may go on meanwhile: what is half done when it is looked at is looked at again.
 *
 * On failure of a part (ClickHouse or Kafka away) it throws: what could not be verified never counts as passed.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../../common/clickhouse.ts'
import { readInsertComment } from '../../common/insert.ts'
import type { LeaveOut } from './leave-out.ts'
import {
  type Conflict,
  compareLedger,
  conflictsAcross,
  conflictsWithin,
  type Difference,
  type Quarantined,
  quarantinedIn,
} from './ledger.ts'
import { type Parked, parkedRecords } from './parked.ts'
import { planSlices, sliceOf } from './slices.ts'
import { compareSums, type SumDifference } from './sums.ts'
import { auditTopic, type MissingRecord, type TopicDeps, type TopicFindings } from './topic.ts'

export interface AuditDeps extends TopicDeps {
  now?: () => number
}

export interface AuditOptions {
  /** Only dossiers with news since then; undefined: all. */
  since?: Date
  /** Without the topic: only where no Kafka is at hand, and the audit says so. */
  topic?: boolean
  /** Offsets of the topic that are not read; the report names them. */
  leave_out?: LeaveOut
  /** How many of each kind are named. */
  limit?: number
  onProgress?: (progress: Progress) => void
  /** Gets every missing record. */
  onMissing?: (records: MissingRecord[]) => Promise<void>
  /** How often a differing dossier is looked at again while inserts are under way, and after which waits. */
  again_ms?: readonly number[]
}

export interface Progress {
  part: 'ledger' | 'sums' | 'events' | 'topic'
  done: number
  of: number
}

export interface AuditReport {
  started_at: string
  finished_at: string
  kind: 'whole' | 'changed'
  since: string | null
  /** Nothing differs, nothing is missing, everything could be verified that was not to be left out. */
  clean: boolean
  events: number
  dossiers: number
  differing_dossiers: number
  differences: Difference[]
  /** Units that the named differences touch. */
  units: string[]
  differing_sums: number
  sums: SumDifference[]
  conflicting_events: number
  conflicts: Conflict[]
  /** Of the dossiers looked at. They count as the contract says. */
  quarantined_dossiers: number
  quarantined_by_reason: Record<string, number>
  quarantined: Quarantined[]
  stale_hashes: number
  /** Records that ingest set aside; see parked.ts. */
  parked: Parked
  /** Offsets that the audit was told to leave out. */
  left_out: { partition: number; first: string; last: string }[]
  /** undefined: the topic was not looked at. */
  records: TopicFindings | undefined
}

const LIMIT = 100
/** Differing dossiers kept for repair; beyond that a rebuild is quicker. */
export const DIFFERENCES_MAX = 10_000
/** An insert under way shows in the log a moment before it shows in the ledger. */
const AGAIN_MS = [500, 2_000, 5_000, 10_000]
const NAMES_AT_ONCE = 500
/** `ingested_at` is when a batch began: it may become visible so much later. */
const LATE_MS_MAX = 10 * 60_000

/** Audits and leaves a line in the table `audits`. `differences` has up to {@link DIFFERENCES_MAX} of them. */
export async function audit(deps: AuditDeps, options: AuditOptions = {}): Promise<AuditReport> {
  const { clickhouse, now = Date.now } = deps
  const { since, limit = LIMIT, onProgress = () => undefined } = options
  const started_at = new Date(now())
  // First the topic: what it gave before now is in the log by then.
  const records =
    options.topic === false
      ? undefined
      : await auditTopic(deps, {
          limit,
          leave_out: options.leave_out,
          onMissing: options.onMissing,
          onProgress: done => onProgress({ part: 'topic', done, of: done }),
        })
  const ledger = await auditLedger(clickhouse, { since, limit, onProgress, again_ms: options.again_ms ?? AGAIN_MS })
  onProgress({ part: 'sums', done: 0, of: 1 })
  const sums = await compareSums(clickhouse, since)
  onProgress({ part: 'events', done: 0, of: 1 })
  const across = since === undefined ? await conflictsAcross(clickhouse, ledger.events) : []
  const conflicts = [...ledger.conflicts, ...across]

  const report: AuditReport = {
    started_at: started_at.toISOString(),
    finished_at: new Date(now()).toISOString(),
    kind: since === undefined ? 'whole' : 'changed',
    since: since?.toISOString() ?? null,
    clean:
      ledger.differing === 0 &&
      sums.length === 0 &&
      (records === undefined || (records.missing === 0 && records.gone_offsets === 0)),
    events: ledger.events,
    dossiers: ledger.dossiers,
    differing_dossiers: ledger.differing,
    differences: ledger.differences,
    units: [...new Set([...ledger.differences.flatMap(one => one.units), ...sums.map(sum => sum.unit_code)])].sort(),
    differing_sums: sums.length,
    sums: sums.slice(0, limit),
    conflicting_events: conflicts.length,
    conflicts: conflicts.slice(0, limit),
    quarantined_dossiers: ledger.quarantined.total,
    quarantined_by_reason: ledger.quarantined.by_reason,
    quarantined: ledger.quarantined.named,
    stale_hashes: ledger.stale_hashes,
    parked: await parkedRecords(clickhouse, limit),
    left_out: [...(options.leave_out ?? [])].flatMap(([partition, ranges]) =>
      ranges.map(({ first, last }) => ({ partition, first: String(first), last: String(last) })),
    ),
    records,
  }
  await remember(clickhouse, report)
  return report
}

interface LedgerAuditOptions {
  since?: Date
  limit: number
  onProgress: (progress: Progress) => void
  again_ms: readonly number[]
}

async function auditLedger(clickhouse: ClickHouseClient, options: LedgerAuditOptions) {
  const { since, limit, onProgress } = options
  const { slices, events } = await planSlices(clickhouse, since && { since: new Date(since.getTime() - LATE_MS_MAX) })
  const conflicts: Conflict[] = []
  const quarantined = { total: 0, by_reason: {} as Record<string, number>, named: [] as Quarantined[] }
  let differences: Difference[] = []
  let [dossiers, differing, stale_hashes] = [0, 0, 0]
  for (const [at, slice] of slices.entries()) {
    onProgress({ part: 'ledger', done: at, of: slices.length })
    const found = await compareLedger(clickhouse, slice, DIFFERENCES_MAX - differences.length)
    dossiers += found.dossiers
    stale_hashes += found.stale_hashes
    differing += found.differing
    differences.push(...found.differences)
    conflicts.push(...(await conflictsWithin(clickhouse, slice)))
    const contradicting = await quarantinedIn(clickhouse, slice, limit - quarantined.named.length)
    quarantined.total += contradicting.total
    quarantined.named.push(...contradicting.named)
    for (const [reason, count] of Object.entries(contradicting.by_reason))
      quarantined.by_reason[reason] = (quarantined.by_reason[reason] ?? 0) + count
  }
  if (differing > 0 && differing === differences.length) {
    differences = await stillDiffering(clickhouse, differences, options.again_ms)
    differing = differences.length
  }
  return { events, dossiers, differing, differences, stale_hashes, conflicts, quarantined }
}

/** Those that still differ when no insert is under way any more; at most after all waits. */
async function stillDiffering(
  clickhouse: ClickHouseClient,
  differences: Difference[],
  waits_ms: readonly number[],
): Promise<Difference[]> {
  for (const wait_ms of waits_ms) {
    if (differences.length === 0) break
    const last = !(await insertsUnderWay(clickhouse))
    await sleep(wait_ms)
    differences = await compareDossiers(
      clickhouse,
      differences.map(one => one.dossier_id),
    )
    if (last) break
  }
  return differences
}

async function insertsUnderWay(clickhouse: ClickHouseClient): Promise<boolean> {
  const running = await rowsOf<{ comment: string }>(
    clickhouse,
    "SELECT Settings['log_comment'] AS comment FROM system.processes WHERE Settings['log_comment'] != ''",
  )
  return running.some(({ comment }) => readInsertComment(comment) !== undefined)
}

/** The same for named dossiers only. */
export async function compareDossiers(
  clickhouse: ClickHouseClient,
  dossier_ids: readonly string[],
): Promise<Difference[]> {
  const found: Difference[] = []
  for (let at = 0; at < dossier_ids.length; at += NAMES_AT_ONCE) {
    const names = dossier_ids.slice(at, at + NAMES_AT_ONCE)
    found.push(...(await compareLedger(clickhouse, sliceOf(names), names.length)).differences)
  }
  return found
}

/** When the last audit that found nothing began; undefined: there was none. */
export async function lastClean(clickhouse: ClickHouseClient, kind?: 'whole'): Promise<Date | undefined> {
  const [row] = await rowsOf<{ at: number | null }>(
    clickhouse,
    `SELECT maxOrNull(toUnixTimestamp64Milli(started_at)) AS at FROM audits WHERE clean ${kind === undefined ? '' : 'AND kind = {kind:String}'}`,
    kind === undefined ? {} : { kind },
  )
  return row?.at == null ? undefined : new Date(row.at)
}

const columnTime = (iso: string) => iso.slice(0, 23).replace('T', ' ')

async function remember(clickhouse: ClickHouseClient, report: AuditReport): Promise<void> {
  const unverified = (report.records?.gone_offsets ?? 0) + (report.records?.left_out ?? 0)
  await clickhouse.insert({
    table: 'audits',
    format: 'JSONEachRow',
    clickhouse_settings: { async_insert: 0 },
    values: [
      {
        started_at: columnTime(report.started_at),
        finished_at: columnTime(report.finished_at),
        kind: report.kind,
        changed_since: report.since === null ? 0 : columnTime(report.since),
        clean: report.clean && report.records !== undefined && unverified === 0,
        events: report.events,
        dossiers: report.dossiers,
        differing_dossiers: report.differing_dossiers,
        differing_sums: report.differing_sums,
        missing_records: report.records?.missing ?? 0,
        unverified_records: unverified,
        conflicting_events: report.conflicting_events,
        quarantined_dossiers: report.quarantined_dossiers,
      },
    ],
  })
}
