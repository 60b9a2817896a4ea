/**
 * Takes back everything that a sample brought in: stops the live stream and a replay under way, then voids each dossier with
 * an event of its own, until no sample counts any more. Nothing is deleted: the log keeps what was said.
 * May be called again, also after it was cut off. On failure: SampleError.
 */
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClickHouseClient } from '@clickhouse/client'
import type { DossierEvent } from '../../schemas/dossier-event/event.ts'
import { rowsOf } from '../../services/common/clickhouse.ts'
import { isAlive, lockHolder } from '../lock.mjs'
import { sampleCounts } from './figures.ts'
import { newEvent, SOURCE } from './history.ts'
import { openEventProducer } from './produce.ts'
import { createRandom } from './random.ts'
import type { SampleDeps } from './run.ts'
import { liveLock, readState, SampleError, updateState } from './state.ts'

export interface RemoveReport {
  voided: number
  lines: string[]
}

export interface RemoveLimits {
  live_ms_max?: number
  /** No dossier left the views for so long: give up. */
  idle_ms_max?: number
  poll_ms?: number
}

const LIVE_MS_MAX = 15_000
const IDLE_MS_MAX = 30_000
const POLL_MS = 500
/** Dossiers read and voided at a time. */
const PAGE = 50_000

type RemoveDeps = Pick<SampleDeps, 'kafka' | 'registry' | 'clickhouse' | 'home' | 'log' | 'now_ms' | 'onProgress'>

export async function removeSamples(deps: RemoveDeps, limits: RemoveLimits = {}): Promise<RemoveReport> {
  const { live_ms_max = LIVE_MS_MAX, idle_ms_max = IDLE_MS_MAX, poll_ms = POLL_MS } = limits
  await updateState(deps.home, before => ({
    ...before,
    removed: true,
    removals: before.removals + 1,
    samples: before.samples.map(sample => ({ ...sample, stage: 'removed' })),
  }))
  await liveStopped(deps.home, live_ms_max, poll_ms)

  const voided = new Set<string>()
  let left = Number.POSITIVE_INFINITY
  let moved_ms = performance.now()
  // Events still on their way through Kafka bring dossiers up later: go round until none is left and none counts.
  for (;;) {
    for (const dossier_id of await voidAll(deps, voided.size)) voided.add(dossier_id)
    await sleep(poll_ms)
    const standing = await standingDossiers(deps.clickhouse)
    if (standing === 0 && !(await sampleCounts(deps.clickhouse))) break
    if (standing !== left) moved_ms = performance.now()
    else if (performance.now() - moved_ms > idle_ms_max)
      throw new SampleError('NOT_REMOVED', `${standing} dossiers of the samples still stand although they were voided: is ingest running? Call this again then`)
    left = standing
  }
  const lines = [
    voided.size === 0 ? 'No sample counts here; nothing had to be voided.' : `Voided ${voided.size.toLocaleString('en')} dossiers of the samples; none counts any more.`,
    'The log keeps their events. A later npm start leaves the samples out; npm start -- --fresh brings them back.',
  ]
  return { voided: voided.size, lines }
}

/** The live stream looks at the state by itself; this waits for its process. */
async function liveStopped(home: string, ms_max: number, poll_ms: number): Promise<void> {
  for (const end = performance.now() + ms_max; ; await sleep(poll_ms)) {
    const holder = lockHolder(liveLock(home))
    if (holder === null || !isAlive(holder)) return
    if (performance.now() > end)
      throw new SampleError('LIVE_STILL_RUNS', `the live sample stream, process ${holder}, did not stop within ${ms_max / 1000} s; end it and call this again`)
  }
}

/** Dossiers with a sample's events that are not voided; 17 is the bit of `says` for their life. */
const STANDING = `SELECT dossier_id, toString(max(revision)) AS revision FROM dossier_events
  WHERE source = {source:String} AND dossier_id > {after:String}
  GROUP BY dossier_id HAVING argMaxIf(event_type, rank, bitTest(says, 17)) != 'VOIDED'`

async function standingDossiers(clickhouse: ClickHouseClient): Promise<number> {
  const [row] = await rowsOf<{ dossiers: number }>(clickhouse, `SELECT count() AS dossiers FROM (${STANDING})`, { source: SOURCE, after: '' })
  return row?.dossiers ?? 0
}

/** One round: an event for each dossier that stands. An event said before is the same event, to the byte. */
async function voidAll(deps: RemoveDeps, before: number): Promise<string[]> {
  const voided: string[] = []
  const producer = await openEventProducer(deps.kafka, deps.registry)
  try {
    for (let after = ''; ; ) {
      const page = await rowsOf<{ dossier_id: string; revision: string }>(deps.clickhouse, `${STANDING} ORDER BY dossier_id LIMIT ${PAGE}`, {
        source: SOURCE,
        after,
      })
      if (page.length === 0) return voided
      await producer.send(page.map(row => voidEvent(row.dossier_id, BigInt(row.revision) + 1n, deps.now_ms?.() ?? Date.now())))
      voided.push(...page.map(row => row.dossier_id))
      after = voided.at(-1) as string
      deps.onProgress?.({ title: 'removing', dossiers: before + voided.length, of: before + voided.length, events: before + voided.length })
    }
  } finally {
    await producer.close()
  }
}

/** The id follows from dossier and revision: voiding the same state again says the same event. */
export function voidEvent(dossier_id: string, revision: bigint, now_ms: number): DossierEvent {
  const random = createRandom(createHash('sha256').update(`void ${dossier_id} ${revision}`).digest('hex'))
  return { ...newEvent('VOIDED', now_ms, random, {}), dossier_id, revision }
}

/** What `npm run sample -- status` says. */
export async function sampleStatus(deps: Pick<SampleDeps, 'clickhouse' | 'home'>): Promise<string[]> {
  const state = readState(deps.home)
  const holder = lockHolder(liveLock(deps.home))
  const live = holder !== null && isAlive(holder) ? `runs (process ${holder})` : 'does not run'
  return [
    state.removed ? 'The samples were removed; npm start -- --fresh brings them back.' : 'The samples stand.',
    ...state.samples.map(sample => `  ${sample.stage.padEnd(9)} ${sample.title}: ${sample.dossiers.toLocaleString('en')} dossiers, ${sample.deliveries.toLocaleString('en')} records, seed ${sample.seed}`),
    ...(state.samples.length === 0 ? ['  none was replayed from this home'] : []),
    `The live stream ${live}.`,
    `Dossiers of samples that stand in ClickHouse: ${(await standingDossiers(deps.clickhouse)).toLocaleString('en')}.`,
  ]
}
