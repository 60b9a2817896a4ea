/**
 * The audit inside a service: what changed every hour, everything every night, and everything soon after the start where the
 * last whole audit is older than a day. Results and their age are metrics. One at a time; a failure is logged, and shows as an
 * age that grows.
 */
import cron from 'node-cron'
import type { Log } from '../../common/log.ts'
import type { Metrics } from '../../common/metrics.ts'
import { type AuditDeps, type AuditReport, audit, lastClean } from './audit.ts'
import type { LeaveOut } from './leave-out.ts'
import { linesOf } from './report.ts'

export interface AuditScheduleDeps extends AuditDeps {
  metrics: Pick<Metrics, 'audit_differences' | 'audit_last_success' | 'audit_seconds' | 'quarantined_dossiers'>
  log: Log
  /** When what changed is audited; a cron expression. */
  changed_cron: string
  /** When everything is. */
  whole_cron: string
  /** Offsets that are not read. */
  leave_out?: LeaveOut | undefined
}

const NAMED = 20
const FIRST_MS = 60_000
const DAY_MS = 86_400_000

export interface AuditSchedule {
  /** One audit, as the schedule would do it; never rejects. undefined: one is under way, or it failed. */
  run(kind: 'whole' | 'changed'): Promise<AuditReport | undefined>
  stop(): Promise<void>
}

/** Both expressions must be valid (`cron.validate`). Starts at once. */
export function createAuditSchedule(deps: AuditScheduleDeps): AuditSchedule {
  const { clickhouse, metrics, log, now = Date.now } = deps
  let running: Promise<AuditReport | undefined> | undefined

  function tell(report: AuditReport) {
    const { missing = 0, gone_offsets = 0 } = report.records ?? {}
    metrics.audit_differences.set({ kind: 'dossier' }, report.differing_dossiers)
    metrics.audit_differences.set({ kind: 'sum' }, report.differing_sums)
    metrics.audit_differences.set({ kind: 'record' }, missing + gone_offsets)
    metrics.audit_differences.set({ kind: 'conflict' }, report.conflicting_events)
    metrics.audit_last_success.set({ kind: report.kind }, now() / 1_000)
    metrics.audit_seconds.set(
      { kind: report.kind },
      (Date.parse(report.finished_at) - Date.parse(report.started_at)) / 1_000,
    )
    if (report.kind === 'whole') {
      metrics.quarantined_dossiers.reset()
      for (const [reason, count] of Object.entries(report.quarantined_by_reason))
        metrics.quarantined_dossiers.set({ reason }, count)
    }
    if (!report.clean) log.error({ audit: report.kind }, linesOf(report, NAMED).join('\n'))
  }

  async function once(kind: 'whole' | 'changed'): Promise<AuditReport | undefined> {
    try {
      const since = kind === 'changed' ? await lastClean(clickhouse) : undefined
      const report = await audit(deps, { since, limit: NAMED, leave_out: deps.leave_out })
      tell(report)
      return report
    } catch (error) {
      log.warn({ err: error, audit: kind }, 'the audit could not be done; the next turn tries again')
      return undefined
    }
  }

  const schedule: AuditSchedule = {
    async run(kind) {
      if (running !== undefined) return undefined
      running = once(kind)
      try {
        return await running
      } finally {
        running = undefined
      }
    },
    async stop() {
      clearTimeout(first)
      await Promise.all(tasks.map(task => task.stop()))
      await running
    },
  }
  const tasks = [
    cron.schedule(deps.changed_cron, () => schedule.run('changed'), { suppressMissedWarning: true }),
    cron.schedule(deps.whole_cron, () => schedule.run('whole'), { suppressMissedWarning: true }),
  ]
  const first = setTimeout(async () => {
    const last = await lastClean(clickhouse, 'whole').catch(() => undefined)
    if (last === undefined || now() - last.getTime() > DAY_MS) await schedule.run('whole')
  }, FIRST_MS)
  first.unref()
  return schedule
}
