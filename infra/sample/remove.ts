/**
 * Takes back everything that a sample brought in: stops the live stream and a replay under way, then voids each dossier with
 * an event of its own, until no sample counts any more. Nothing is deleted: the log keeps what was said.
 * May be called again, also after it was cut off. On failure: SampleError.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../../common/clickhouse.ts'
import { progressOf, reached, untilNow } from '../../common/progress.ts'
import type { DossierEvent } from '../../schemas/dossier-event/event.ts'
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
  /** Ingest may stand still for so long before it is taken as not running. */
  idle_ms_max?: number
  poll_ms?: number
}

const LIVE_MS_MAX = 15_000
const IDLE_MS_MAX = 60_000
const POLL_MS = 300
/** Dossiers read and voided at a time. */
const PAGE = 50_000
/** One finds all, the next finds none; more only where something goes on sending samples. */
const ROUNDS_MAX = 5

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

  const now_ms = deps.now_ms?.() ?? Date.now()
  let voided = 0
  for (let round = 0; round < ROUNDS_MAX; round++) {
    // What is still on its way through Kafka would bring dossiers up again.
    await ingested(deps, idle_ms_max, poll_ms)
    const now_voided = await voidStanding(deps, now_ms, voided)
    voided += now_voided
    if (now_voided === 0 && !(await sampleCounts(deps.clickhouse))) return { voided, lines: linesOf(voided) }
  }
  throw new SampleError(
    'NOT_REMOVED',
    `${voided} dossiers were voided and more come up: something else sends samples; stop it and call this again`,
  )
}

const linesOf = (voided: number) => [
  voided === 0
    ? 'No sample counts here; nothing had to be voided.'
    : `Voided ${voided.toLocaleString('en')} dossiers of the samples; none counts any more.`,
  'The log keeps their events. A later npm start leaves the samples out; npm start -- --fresh brings them back.',
]

/** The live stream looks at the state by itself; this waits for its process. */
async function liveStopped(home: string, ms_max: number, poll_ms: number): Promise<void> {
  for (const end = performance.now() + ms_max; ; await sleep(poll_ms)) {
    const holder = lockHolder(liveLock(home))
    if (holder === null || !isAlive(holder)) return
    if (performance.now() > end)
      throw new SampleError(
        'LIVE_STILL_RUNS',
        `the live sample stream, process ${holder}, did not stop within ${ms_max / 1000} s; end it and call this again`,
      )
  }
}

/** Dossiers with a sample's events that are not voided; 17 is the bit of `says` for their life. */
const STANDING = `SELECT dossier_id, toString(max(revision)) AS revision FROM dossier_events
  WHERE source = {source:String} AND dossier_id > {after:String}
  GROUP BY dossier_id HAVING argMaxIf(event_type, rank, bitTest(says, 17)) != 'VOIDED'`

async function standingDossiers(clickhouse: ClickHouseClient): Promise<number> {
  const [row] = await rowsOf<{ dossiers: number }>(clickhouse, `SELECT count() AS dossiers FROM (${STANDING})`, {
    source: SOURCE,
    after: '',
  })
  return row?.dossiers ?? 0
}

/** Waits until ingest has settled all that the topic holds now, for as long as it moves on. */
async function ingested(
  { kafka, clickhouse }: Pick<RemoveDeps, 'kafka' | 'clickhouse'>,
  idle_ms_max: number,
  poll_ms: number,
): Promise<void> {
  const until = await untilNow({ kafka })
  let before = ''
  for (let moved_ms = performance.now(); ; await sleep(poll_ms)) {
    const progress = await progressOf(clickhouse)
    if (reached(progress, until)) return
    const now = [...progress].map(([partition, { next_offset }]) => `${partition}:${next_offset}`).join()
    if (now !== before) moved_ms = performance.now()
    else if (performance.now() - moved_ms > idle_ms_max)
      throw new SampleError(
        'NOT_REMOVED',
        'ingest does not take in what is in Kafka: is it running? Start it (npm start) and call this again',
      )
    before = now
  }
}

/** One round: an event for each dossier that stands. Returns how many. */
async function voidStanding(deps: RemoveDeps, now_ms: number, before: number): Promise<number> {
  const standing = await standingDossiers(deps.clickhouse)
  const producer = await openEventProducer(deps.kafka, deps.registry)
  let voided = 0
  try {
    for (let after = ''; ; ) {
      const page = await rowsOf<{ dossier_id: string; revision: string }>(
        deps.clickhouse,
        `${STANDING} ORDER BY dossier_id LIMIT ${PAGE}`,
        { source: SOURCE, after },
      )
      const last = page.at(-1)
      if (last === undefined) return voided
      await producer.send(page.map(row => voidEvent(row.dossier_id, BigInt(row.revision) + 1n, now_ms)))
      after = last.dossier_id
      voided += page.length
      const so_far = before + voided
      deps.onProgress?.({ title: 'voided', dossiers: so_far, of: Math.max(so_far, before + standing), events: so_far })
    }
  } finally {
    await producer.close()
  }
}

/** The same state voided by the same call is the same event. */
export function voidEvent(dossier_id: string, revision: bigint, now_ms: number): DossierEvent {
  const random = createRandom(`void ${dossier_id} ${revision} ${now_ms}`)
  return { ...newEvent('VOIDED', now_ms, random, {}), dossier_id, revision }
}

/** What `npm run sample -- status` says. */
export async function sampleStatus(deps: Pick<SampleDeps, 'clickhouse' | 'home'>): Promise<string[]> {
  const state = readState(deps.home)
  const holder = lockHolder(liveLock(deps.home))
  const live = holder !== null && isAlive(holder) ? `runs (process ${holder})` : 'does not run'
  return [
    state.removed ? 'The samples were removed; npm start -- --fresh brings them back.' : 'The samples stand.',
    ...state.samples.map(
      sample =>
        `  ${sample.stage.padEnd(9)} ${sample.title}: ${sample.dossiers.toLocaleString('en')} dossiers, ${sample.deliveries.toLocaleString('en')} records, seed ${sample.seed}`,
    ),
    ...(state.samples.length === 0 ? ['  none was replayed from this home'] : []),
    `The live stream ${live}.`,
    `Dossiers of samples that stand in ClickHouse: ${(await standingDossiers(deps.clickhouse)).toLocaleString('en')}.`,
  ]
}
