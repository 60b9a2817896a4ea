/**
 * Replays samples: once each, whatever happens in between. A replay that was cut off begins again from its first event; as
 * the same events have the same ids, nothing counts twice. A unit holds one sample, so that no two add up.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClickHouseClient } from '@clickhouse/client'
import type { Kafka } from 'kafkajs'
import type { SchemaRegistry } from '../../schemas/registry.ts'
import { type CompareOptions, type Comparison, compareSamples } from './compare.ts'
import { anyPosting, figuresOfViews, isInLog, recordsInLog } from './figures.ts'
import { ninhThuan } from './ninh-thuan.ts'
import { dossiersOf, NO_FIGURES, type Plan } from './plan.ts'
import { checkClock, PORTAL_TABLE, PROVINCE_DEFAULT, portalPlan, portalRow, readPortalTable } from './portal-table.ts'
import { BATCH_EVENTS_MAX, type EventProducer, openEventProducer } from './produce.ts'
import { type Chunk, chunksOf } from './sample.ts'
import { type ReplayedSample, readState, SampleError, updateState, withSample } from './state.ts'

export interface SampleDeps {
  kafka: Kafka
  registry: SchemaRegistry
  /** Any role that may read. */
  clickhouse: ClickHouseClient
  /** MOTCUA_HOME, absolute. */
  home: string
  log: (line: string) => void
  now_ms?: () => number
  onProgress?: (progress: Progress) => void
  compare?: CompareOptions
}

export interface Progress {
  title: string
  /** Dossiers sent of all; events so far. */
  dossiers: number
  of: number
  events: number
}

export interface SamplesReport extends Comparison {
  /** Samples removed before: nothing was sent, nothing is compared. */
  removed: boolean
  /** Records sent to Kafka by this call. */
  sent: number
  /** From the call to the first rates in the views; undefined where nothing was sent. */
  first_rates_ms: number | undefined
  send_ms: number
  /** From the call until the views had caught up. */
  exact_ms: number
}

export const SEED_DEFAULT = '1'

/** What `npm start` shows. `dossiers` scales both down, for tests. */
export function samplesOfStart(seed = SEED_DEFAULT, dossiers?: number): Plan[] {
  const table = readPortalTable(PORTAL_TABLE)
  return [ninhThuan(seed, dossiers), portalPlan(table, portalRow(table, PROVINCE_DEFAULT), seed, dossiers)]
}

/** For `npm start`: replays its samples where they are not there yet, and compares. Throws {@link ClockError}, {@link SampleError}. */
export async function replaySamples(
  deps: SampleDeps,
  plans: readonly Plan[] = samplesOfStart(),
): Promise<SamplesReport> {
  if (!readState(deps.home).removed) return replayPlans(deps, plans)
  deps.log('The samples were removed (npm run sample -- remove). npm start -- --fresh brings them back.')
  return { removed: true, sent: 0, first_rates_ms: undefined, send_ms: 0, exact_ms: 0, lines: [], exact: true }
}

/** Replays the plans one after the other, then compares them all. */
export async function replayPlans(deps: SampleDeps, plans: Iterable<Plan>): Promise<SamplesReport> {
  const start = performance.now()
  const since = () => Math.round(performance.now() - start)
  const done = new AbortController()
  let first_rates_ms: Promise<number | undefined> | undefined
  const samples: ReplayedSample[] = []
  let sent = 0
  try {
    for (const plan of plans) {
      checkClock(plan, deps.now_ms?.() ?? Date.now())
      const known = await standingOf(deps, plan)
      if (known !== undefined) {
        deps.log(`${plan.title}: already replayed, nothing to send.`)
        samples.push(known)
        continue
      }
      first_rates_ms ??= firstRates(deps, plan, since, done.signal)
      const sample = await replay(deps, plan)
      sent += sample.deliveries
      samples.push(sample)
    }
    const send_ms = since()
    const comparison = await compareSamples(deps.clickhouse, samples, deps.compare)
    const exact_ms = since()
    done.abort()
    return { removed: false, sent, first_rates_ms: await first_rates_ms, send_ms, exact_ms, ...comparison }
  } finally {
    done.abort()
    await first_rates_ms?.catch(() => {})
  }
}

const FIRST_RATES_POLL_MS = 200

async function firstRates(
  deps: SampleDeps,
  plan: Plan,
  since: () => number,
  stop: AbortSignal,
): Promise<number | undefined> {
  while (!stop.aborted) {
    // The cheap question first: the machine has better things to do just then.
    if (await anyPosting(deps.clickhouse)) {
      const { figures } = await figuresOfViews(deps.clickhouse, whereOf(plan))
      if (figures.received > 0) return since()
    }
    await sleep(FIRST_RATES_POLL_MS, undefined, { signal: stop }).catch(() => {})
  }
  return undefined
}

const whereOf = (plan: Plan) => ({
  unit: plan.province.code,
  valid_from: plan.province.valid_from,
  from: plan.from,
  to: plan.to,
})

/** What is known of a sample that need not be sent again; undefined where it is to be sent. */
async function standingOf(deps: SampleDeps, plan: Plan): Promise<ReplayedSample | undefined> {
  const unit = plan.province.code
  const known = readState(deps.home).samples.find(sample => sample.unit === unit)
  if (known === undefined) {
    await refuseForeignSample(deps, plan)
    return undefined
  }
  if (known.stage === 'removed')
    throw new SampleError('REMOVED', `"${known.title}" was removed and stays away; npm start -- --fresh brings it back`)
  const isSame =
    known.seed === plan.seed && known.dossiers === dossiersOf(plan) && known.from === plan.from && known.to === plan.to
  if (!isSame)
    throw new SampleError(
      'OTHER_SAMPLE',
      `unit ${unit} holds the sample "${known.title}" of ${known.dossiers} dossiers with seed ${known.seed} already; two would add up. ` +
        'npm run sample -- remove, then npm start -- --fresh begin anew',
    )
  return known.stage === 'replayed' ? known : undefined
}

/** This home knows of no sample in the unit; a ClickHouse that others use too may hold one. The same one does no harm. */
async function refuseForeignSample(deps: SampleDeps, plan: Plan): Promise<void> {
  const records = (await recordsInLog(deps.clickhouse)).get(plan.province.code) ?? 0
  if (records === 0) return
  const first = chunksOf(plan).next().value?.deliveries[0]
  const isOurs = first !== undefined && (await isInLog(deps.clickhouse, first.event_id))
  const { figures } = await figuresOfViews(deps.clickhouse, whereOf(plan))
  if (isOurs && figures.received > 0) return
  if (isOurs)
    throw new SampleError(
      'REMOVED',
      `"${plan.title}" was once replayed into this ClickHouse and removed again; its voided dossiers do not come back`,
    )
  throw new SampleError(
    'OTHER_SAMPLE',
    `this ClickHouse holds ${records} events of another sample in unit ${plan.province.code}, of which this MOTCUA_HOME knows nothing; two would add up. ` +
      'npm run sample -- remove voids it, but its numbers stay taken',
  )
}

async function replay(deps: SampleDeps, plan: Plan): Promise<ReplayedSample> {
  const producer = await openEventProducer(deps.kafka, deps.registry)
  try {
    let sample = unsent(plan)
    const { removals } = await updateState(deps.home, before => withSample(before, sample))
    for (const chunk of chunksOf(plan)) {
      await sendChunk(deps, plan, producer, chunk, removals)
      sample = { ...sample, figures: chunk.figures, deliveries: sample.deliveries + chunk.deliveries.length }
      const { dossiers, deliveries: events } = sample
      deps.onProgress?.({ title: plan.title, dossiers: chunk.told.dossiers, of: dossiers, events })
    }
    sample = { ...sample, stage: 'replayed' }
    await updateState(deps.home, before => {
      requireStanding(before.removals === removals, plan.title)
      return withSample(before, sample)
    })
    return sample
  } finally {
    await producer.close()
  }
}

function unsent(plan: Plan): ReplayedSample {
  const { title, remark, from, to, seed, published } = plan
  const dossiers = dossiersOf(plan)
  const nothing = { figures: NO_FIGURES, deliveries: 0, stage: 'replaying' } as const
  return { ...whereOf(plan), title, remark, from, to, seed, dossiers, published, ...nothing }
}

async function sendChunk(
  deps: SampleDeps,
  plan: Plan,
  producer: EventProducer,
  chunk: Chunk,
  removals: number,
): Promise<void> {
  for (let from = 0; from < chunk.deliveries.length; from += BATCH_EVENTS_MAX) {
    requireStanding(readState(deps.home).removals === removals, plan.title)
    await producer.send(chunk.deliveries.slice(from, from + BATCH_EVENTS_MAX))
  }
}

function requireStanding(standing: boolean, title: string): void {
  if (!standing) throw new SampleError('INTERRUPTED', `"${title}" was removed while it was being replayed`)
}
