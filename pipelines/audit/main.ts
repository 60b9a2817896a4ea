/** `npm run audit`: proves the rates, or names what differs and exits 1. `--reingest` and `--repair` make it right. */
import { Command, InvalidArgumentError } from 'commander'
import { pino } from 'pino'
import { createClickHouse } from '../../common/clickhouse.ts'
import { ConfigError } from '../../common/config.ts'
import { readEnvironment } from '../../common/environment.ts'
import { createKafka } from '../../common/kafka.ts'
import type { Until } from '../../common/progress.ts'
import { openRegistry } from '../../schemas/registry.ts'
import { type AuditDeps, type AuditReport, audit, lastClean, type Progress } from './audit.ts'
import { type LeaveOut, parseLeaveOut } from './leave-out.ts'
import { AUDIT_REQUEST_MS_MAX, AUDIT_SETTINGS } from './ledger.ts'
import { TopicUnreadable } from './read-topic.ts'
import { RepairError, type RepairReport, reingest, repair, waitForIngest } from './repair.ts'
import { jsonOf, linesOf } from './report.ts'

interface Options {
  changed?: boolean
  changedSince?: Date
  repair?: boolean
  reingest?: boolean
  topic: boolean
  leaveOut?: LeaveOut
  json?: boolean
  limit: number
}

function time(text: string): Date {
  const moment = new Date(/(Z|[+-]\d\d:\d\d)$/i.test(text) ? text : Number.NaN)
  if (Number.isNaN(moment.getTime()))
    throw new InvalidArgumentError('Allowed: a time with offset, such as 2025-08-04T09:00:00+07:00.')
  return moment
}

function count(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError('Allowed: a whole number from 0 to 99999.')
  return Number(text)
}

const options = new Command('npm run audit --')
  .description('Proves that the rates are what the events say. Exits 1 on any difference, and names it.')
  .option('--changed', 'only dossiers with news since the last audit that found nothing')
  .option('--changed-since <time>', 'only dossiers with news since then', time)
  .option('--reingest', 'reads records that the log has lost again from the topic')
  .option('--repair', 'touches every differing dossier, so that the ledger balances it')
  .option('--no-topic', 'leaves Kafka out; whether the log has everything is then unverified, and the exit code 1')
  .option('--leave-out <offsets>', 'offsets of the topic that are not read, such as 3:17,4:100-200', parseLeaveOut)
  .option('--json', 'prints the result as JSON')
  .option('--limit <n>', 'how many of each kind are named', count, 100)
  .parse()
  .opts<Options>()

/** A line that moves, on a terminal only. */
function show({ part, done, of }: Progress) {
  if (!process.stderr.isTTY) return
  const WORDS = { ledger: 'dossiers, slice', sums: 'roll-ups', events: 'event ids', topic: 'topic, offset' }
  process.stderr.write(
    `\r\u001b[2K${WORDS[part]} ${done.toLocaleString('en')}${of > 1 && of !== done ? ` of ${of}` : ''} …`,
  )
}

async function auditOnce(
  deps: AuditDeps,
  again: Pick<Options, 'reingest'>,
): Promise<{ report: AuditReport; reread: number; until: Until }> {
  let reread = 0
  const until = new Map<number, bigint>()
  const since = options.changedSince ?? (options.changed ? await lastClean(deps.clickhouse) : undefined)
  const report = await audit(deps, {
    since,
    topic: options.topic,
    leave_out: options.leaveOut,
    limit: options.limit,
    onProgress: show,
    onMissing: again.reingest
      ? async records => {
          for (const [partition, offset] of await reingest(deps.kafka, records)) until.set(partition, offset)
          reread += records.length
        }
      : undefined,
  })
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[2K')
  return { report, reread, until }
}

async function run(deps: AuditDeps): Promise<number> {
  const say = (lines: string[]) => {
    if (!options.json) process.stdout.write(`${lines.join('\n')}\n`)
  }
  let { report, reread, until } = await auditOnce(deps, options)
  if (reread > 0) {
    say([
      ...linesOf(report, options.limit),
      `${reread} records were produced again, or got their dead letters; waiting for ingest …`,
      '',
    ])
    await waitForIngest(deps, until)
    report = (await auditOnce(deps, {})).report
  }
  say(linesOf(report, options.limit))
  let repaired: RepairReport | undefined
  if (options.repair && report.differing_dossiers > 0) {
    repaired = await repair(deps, report)
    say([
      repaired.left.length === 0
        ? `Repaired: ${repaired.touched} dossiers were touched and count as their events say now.`
        : `${repaired.left.length} of ${repaired.touched} dossiers still differ: ${repaired.left.map(one => one.dossier_id).join(', ')}`,
    ])
  }
  if (options.json)
    process.stdout.write(
      `${JSON.stringify({ ...jsonOf(report, options.limit), reread, repaired: repaired ?? null })}\n`,
    )
  const mended = repaired !== undefined && repaired.left.length === 0 && report.differing_sums === 0
  return report.records !== undefined && (report.clean || mended) ? 0 : 1
}

async function main(): Promise<number> {
  try {
    const { config } = readEnvironment()
    const clickhouse = createClickHouse(config, 'ingest', {
      settings: AUDIT_SETTINGS,
      request_ms_max: AUDIT_REQUEST_MS_MAX,
    })
    const log = pino({ level: 'error' }, pino.destination(2))
    try {
      return await run({
        clickhouse,
        kafka: createKafka(config, 'motcua-audit', log),
        registry: openRegistry(config.SCHEMA_REGISTRY_URL),
      })
    } finally {
      await clickhouse.close()
    }
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`)
    return 1
  }
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if ([ConfigError, RepairError].some(kind => error instanceof kind)) return error.message
  if (error instanceof TopicUnreadable || error.name.startsWith('KafkaJS') || 'code' in error)
    return `unverified: ${error.message}\nAre Kafka and ClickHouse running? npm start starts them; KAFKA_BROKERS and CLICKHOUSE_URL name others.`
  return error.stack ?? error.message
}

process.exitCode = await main()
