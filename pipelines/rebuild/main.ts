/** `npm run rebuild`: computes the ledger anew from the log and exchanges the two. */
import { Command, InvalidArgumentError } from 'commander'
import { z } from 'zod'
import { createClickHouse } from '../../common/clickhouse.ts'
import { ConfigError, commonShape, readConfig } from '../../common/config.ts'
import { type Comparison, MEASURES } from './compare.ts'
import { type Progress, RebuildError, rebuild } from './rebuild.ts'

/** Longer than a slice takes on a slow machine. */
const REQUEST_MS_MAX = 30 * 60_000

const say = (line: string) => console.log(line)
const count = (n: number) => n.toLocaleString('en')

function whole(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('A whole number from 1 on.')
  return value
}

const options = new Command('npm run rebuild --')
  .description(
    'Computes the ledger anew from all events and puts it in the place of the old one, while ingest goes on. An interrupted rebuild goes on where it was.',
  )
  .option('--verify', 'end with code 1 where a figure differs from before (it then was damaged)')
  .option(
    '--slice-events <n>',
    'events that are computed at once: more is faster and takes more memory',
    whole,
    500_000,
  )
  .option('--threads <n>', 'threads of ClickHouse that are used', whole, 2)
  .parse()
  .opts<{ verify?: boolean; sliceEvents: number; threads: number }>()

/** Speed and time left are those of this run: an earlier one's slices cost nothing now. */
function progressLine(): (progress: Progress) => void {
  let first: { ms: number; events: number } | undefined
  return ({ slices_done, slices, events_done, events }) => {
    first ??= { ms: performance.now(), events: events_done }
    const seconds = (performance.now() - first.ms) / 1000
    const speed = (events_done - first.events) / Math.max(seconds, 0.001)
    const left =
      speed > 0 ? `, ${count(Math.round(speed))} events/s, ${Math.ceil((events - events_done) / speed)} s left` : ''
    say(`slice ${slices_done} of ${slices}: ${count(events_done)} of about ${count(events)} events${left}`)
  }
}

function tell({ before, after, differing, examples }: Comparison) {
  say(['', 'before', 'after', 'difference'].map(cell => cell.padStart(16)).join(''))
  for (const name of MEASURES)
    say(
      name.padEnd(16) +
        [before[name], after[name], after[name] - before[name]].map(n => count(n).padStart(16)).join(''),
    )
  if (differing === 0) return say('No figure has changed.')
  say(`Figures of ${count(differing)} days and recorded units have changed: the old ledger was damaged.`)
  say('(unit, day: received, received_online, settled, settled_early, settled_late)')
  for (const { unit_code, day, before, after } of examples) say(`  ${unit_code}, ${day}: ${before} -> ${after}`)
  if (differing > examples.length) say(`  and ${count(differing - examples.length)} more`)
}

const stop = new AbortController()
process.once('SIGINT', () => {
  say('Stopping after this slice; Ctrl-C again stops at once.')
  stop.abort()
})
process.once('SIGTERM', () => stop.abort())

const { CLICKHOUSE_URL, CLICKHOUSE_USER, CLICKHOUSE_PASSWORD } = commonShape
try {
  const config = readConfig(
    z.object({ CLICKHOUSE_URL: CLICKHOUSE_URL.default('http://127.0.0.1:8123'), CLICKHOUSE_USER, CLICKHOUSE_PASSWORD }),
    process.env,
  )
  const clickhouse = createClickHouse(config, 'default', { request_ms_max: REQUEST_MS_MAX })
  try {
    const report = await rebuild(clickhouse, {
      events_per_slice: options.sliceEvents,
      threads: options.threads,
      signal: stop.signal,
      onProgress: progressLine(),
      onStep: say,
    })
    tell(report.comparison)
    say(
      `Rebuilt from ${count(report.events)} events${report.resumed ? ', going on with an interrupted rebuild' : ''}; caught up with ${count(report.caught_up_batches)} batches; ingest was paused for ${report.paused_ms} ms. The old ledger stays in dossier_postings_before until the next rebuild.`,
    )
    if (options.verify && report.comparison.differing > 0) process.exitCode = 1
  } finally {
    await clickhouse.close()
  }
} catch (error) {
  const plain = error instanceof ConfigError || error instanceof RebuildError
  console.error(plain ? error.message : error)
  process.exitCode = 1
}
