/**
 * Computes the ledger anew from the log and puts it in the place of the old one, while ingest goes on. Afterwards every rate,
 * of now and of any past moment, is what the log says; whatever damage the old ledger had is gone with it.
 *
 * The way: (1) slice by slice the history of all dossiers goes into a shadow table; (2) dossiers of batches that came
 * meanwhile are computed again, until only a little is left; (3) ingest is paused, the rest is computed, the two tables are
 * exchanged; (4) ingest goes on, with the new one.
 *
 * What goes into a ledger is always the difference to what is there (fold.ts), so every step may be done twice: an interrupted
 * rebuild goes on where it was. One runs at a time: whoever holds the lease; every write of another is refused.
 *
 * The pause ends by itself when this process dies. Should it have ended before the exchange was seen to be done (this process
 * was stopped for seconds), what came in between is missing in the new ledger for a moment: a second pause puts it there.
 */
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClickHouseClient } from '@clickhouse/client'
import { rowsOf } from '../../common/clickhouse.ts'
import { createLease, leaseOf } from '../../common/leases.ts'
import { completeTo } from '../../common/progress.ts'
import { objectsThatDiffer } from '../plan.ts'
import { type Comparison, compare } from './compare.ts'
import { type Pause, whilePaused } from './pause.ts'
import { createPost } from './post.ts'
import { COMMENT, createSession, type Session } from './session.ts'
import { openSlices, planSlices, sliceDone } from './slices.ts'
import { createTables, dropNotes, LEDGER, putAway, shadowOf, takeShadow } from './tables.ts'

export class RebuildError extends Error {
  readonly code: 'UNDER_WAY' | 'INTERRUPTED' | 'SCHEMA' | 'OLD_CLOCK' | 'NO_PAUSE'
  constructor(code: RebuildError['code'], message: string) {
    super(message)
    this.code = code
  }
}

export interface Progress {
  slices_done: number
  slices: number
  events_done: number
  events: number
}

export interface RebuildOptions {
  /** Events that are computed at once: this bounds the memory, about 1 kB each. */
  events_per_slice?: number
  threads?: number
  onProgress?: (progress: Progress) => void
  onStep?: (step: string) => void
  /** Asks for an end after the slice at hand; the next rebuild goes on. */
  signal?: AbortSignal
  /** How long another rebuild has to wait after this one was killed. */
  lease_ms?: number
}

export interface Report {
  rebuild: string
  resumed: boolean
  events: number
  caught_up_batches: number
  /** How long ingest was paused. */
  paused_ms: number
  comparison: Comparison
}

const EVENTS_PER_SLICE = 500_000
const LEASE_MS = 30_000
/**
 * Where no ingest has reported from when on its batches come: one whose clock is slower than this by more would add batches to
 * the part of the log that is not watched.
 */
const CLOCK_MS_MAX = 3_600_000
/** What one round of catching up may still find before ingest is paused for it. */
const LAST_ROUND_BATCHES_MAX = 50
const ROUNDS_MAX = 20
const PAUSES_MAX = 5

interface State {
  rebuild: string
  phase: 'planned' | 'exchanging' | 'done'
  shadow: string
  schema: string
  cut: string
  events: number
}

export async function rebuild(clickhouse: ClickHouseClient, options: RebuildOptions = {}): Promise<Report> {
  const missing = await objectsThatDiffer(clickhouse)
  if (missing.length > 0)
    throw new RebuildError(
      'SCHEMA',
      `the database is not at the schema of this version (${missing.join(', ')}); npm run migrate brings it there`,
    )
  const me = `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`
  const lease_ms = options.lease_ms ?? LEASE_MS
  const lease = createLease(clickhouse, 'rebuild', me, lease_ms)
  if (!(await lease.acquire()))
    throw new RebuildError(
      'UNDER_WAY',
      `another rebuild is under way (${(await leaseOf(clickhouse, 'rebuild')).holder}), or was killed less than ${lease_ms / 1000} s ago; try again then`,
    )
  const beat = setInterval(() => void lease.renew().catch(() => undefined), lease_ms / 4)
  try {
    await endLeftovers(clickhouse)
    return await createRun(createSession(clickhouse, me, options.threads ?? 2), options)()
  } finally {
    clearInterval(beat)
    // Where this fails it ends by itself.
    await lease.release().catch(() => undefined)
  }
}

/** Queries of a rebuild that was killed may still run; they would write what we write. */
async function endLeftovers(clickhouse: ClickHouseClient): Promise<void> {
  const where = `query_kind = 'Insert' AND Settings['log_comment'] LIKE '${COMMENT}%'`
  for (;;) {
    const running = await rowsOf<object>(clickhouse, `SELECT 1 FROM system.processes WHERE ${where}`)
    if (running.length === 0) return
    await clickhouse.command({ query: `KILL QUERY WHERE ${where} ASYNC` })
    await sleep(200)
  }
}

function createRun(session: Session, options: RebuildOptions) {
  const { clickhouse, me, one } = session
  const { onProgress = () => undefined, onStep = () => undefined, events_per_slice = EVENTS_PER_SLICE } = options
  const shadow = shadowOf(me)
  const post = createPost(session)

  const uuidOf = async (table: string) =>
    (
      await one<{ uuid: string } | undefined>(
        'SELECT toString(uuid) AS uuid FROM system.tables WHERE database = currentDatabase() AND name = {table:String}',
        { table },
      )
    )?.uuid
  const schemaNow = async () =>
    (
      await one<{ hash: string }>(
        "SELECT toString(groupBitXor(cityHash64(name, create_table_query))) AS hash FROM system.tables WHERE database = currentDatabase() AND name IN ('dossier_events', 'dossier_postings', 'balance')",
      )
    ).hash
  const countWhere = async (condition: string, params: Record<string, unknown> = {}) =>
    (await one<{ n: number }>(`SELECT count() AS n FROM ${condition}`, params)).n
  const olderThan = (cut: string) =>
    countWhere("dossier_events WHERE ingested_at < {cut:DateTime64(3, 'UTC')}", { cut })
  const note = (state: Omit<State, 'phase'>, phase: State['phase']) =>
    session.insert(
      'rebuilds (rebuild, phase, shadow, schema, cut, events)',
      "SELECT {rebuild:String}, {phase:String}, {shadow:UUID}, {schema:UInt64}, {cut:DateTime64(3, 'UTC')}, {events:UInt64}",
      { ...state, phase },
    )

  /** The rebuild that was interrupted, where it can go on; its table is ours from then on. */
  async function interrupted(): Promise<State | undefined> {
    const state = await one<State | undefined>(
      `SELECT rebuild, phase, toString(shadow) AS shadow, toString(schema) AS schema, toString(cut) AS cut, events
       FROM rebuilds ORDER BY rebuild DESC, indexOf(['planned', 'exchanging', 'done'], phase) DESC LIMIT 1`,
    )
    if (state === undefined || state.phase === 'done' || state.schema !== (await schemaNow())) return undefined
    // It was stopped by batches from before its cut: only a new cut has them.
    if ((await olderThan(state.cut)) !== state.events) return undefined
    await takeShadow(clickhouse, shadow)
    return [await uuidOf(shadow), await uuidOf(LEDGER)].includes(state.shadow) ? state : undefined
  }

  async function begin(): Promise<State> {
    await createTables(clickhouse, shadow)
    // Nothing is added before the cut: that is what `complete_to` promises.
    const { rebuild, cut } = await one<{ rebuild: string; cut: string }>(
      `SELECT toString(now64(3, 'UTC')) AS rebuild,
         toString(if({complete_to_ms:Int64} > 0, fromUnixTimestamp64Milli({complete_to_ms:Int64}, 'UTC'), now64(3, 'UTC') - toIntervalMillisecond(${CLOCK_MS_MAX}))) AS cut`,
      { complete_to_ms: await completeTo(clickhouse) },
    )
    await session.insert(
      'rebuild_batches (round, batch)',
      "SELECT DISTINCT 0, batch FROM dossier_events WHERE ingested_at >= {cut:DateTime64(3, 'UTC')}",
      { cut },
    )
    await planSlices(session, await countWhere('dossier_events'), events_per_slice)
    const state: State = {
      rebuild,
      phase: 'planned',
      shadow: (await uuidOf(shadow)) as string,
      schema: await schemaNow(),
      cut,
      events: await olderThan(cut),
    }
    await note(state, 'planned')
    return state
  }

  async function computeSlices(): Promise<void> {
    const { open, all, events } = await openSlices(clickhouse)
    let events_done = events - open.reduce((sum, slice) => sum + slice.events, 0)
    for (const [at, slice] of open.entries()) {
      onProgress({ slices_done: all - open.length + at, slices: all, events_done, events })
      if (options.signal?.aborted)
        throw new RebuildError('INTERRUPTED', 'interrupted; npm run rebuild goes on from here')
      await post(shadow, slice.of, slice.params)
      await sliceDone(session, slice)
      events_done += slice.events
    }
    onProgress({ slices_done: all, slices: all, events_done: events, events })
  }

  /** One round: computes the dossiers of all batches again that came since the last. Returns how many batches. */
  async function catchUp(target: string, { cut, events }: State): Promise<number> {
    if ((await olderThan(cut)) !== events)
      throw new RebuildError(
        'OLD_CLOCK',
        `batches with times before ${cut} were added to the log, by an ingest whose clock is slow or by hand; set it right and begin again`,
      )
    const { last, done } = await one<{ last: number; done: number }>(
      'SELECT (SELECT max(round) FROM rebuild_batches) AS last, (SELECT max(round) FROM rebuild_rounds) AS done',
    )
    const round = last + 1
    await session.insert(
      'rebuild_batches (round, batch)',
      `SELECT DISTINCT {round:UInt32}, batch FROM dossier_events
       WHERE ingested_at >= {cut:DateTime64(3, 'UTC')} AND batch NOT IN (SELECT batch FROM rebuild_batches)`,
      { round, cut },
    )
    const batches = await countWhere('rebuild_batches WHERE round > {done:UInt32}', { done })
    if (batches === 0) return 0
    const name = session.uniqueName()
    await session.insert(
      'rebuild_touched (name, part, slot, dossier_id)',
      `SELECT {name:String}, intDiv(sum(n) OVER (ORDER BY slot, dossier_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW), {size:UInt32}), slot, dossier_id
       FROM
       (
         SELECT slot, dossier_id, count() AS n FROM dossier_events
         WHERE ingested_at >= {cut:DateTime64(3, 'UTC')} AND batch IN (SELECT batch FROM rebuild_batches WHERE round > {done:UInt32})
         GROUP BY slot, dossier_id
       )`,
      // Their older events come on top.
      { name, cut, done, size: Math.max(1, Math.floor(events_per_slice / 5)) },
    )
    const touched = (column: string) =>
      `${column} IN (SELECT ${column} FROM rebuild_touched WHERE name = {name:String} AND part = {part:UInt32})`
    for (const { part } of await rowsOf<{ part: number }>(
      clickhouse,
      'SELECT DISTINCT part FROM rebuild_touched WHERE name = {name:String}',
      { name },
    ))
      await post(target, `${touched('slot')} AND ${touched('dossier_id')}`, { name, part })
    await session.insert('rebuild_rounds (round)', 'SELECT {round:UInt32}', { round })
    return batches
  }

  /** Until little is left: the last round is the pause. */
  async function catchUpWhileIngestGoesOn(state: State): Promise<number> {
    let batches = 0
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const found = await catchUp(shadow, state)
      batches += found
      if (found <= LAST_ROUND_BATCHES_MAX) break
    }
    return batches
  }

  /** Under a pause: the rest, and the exchange. Whether the pause is known to have lasted until it was done. */
  async function exchange(state: State, pause: Pause): Promise<{ lasted: boolean; batches: number }> {
    const batches = await catchUp(shadow, state)
    await note(state, 'exchanging')
    if (!(await pause.renew())) return { lasted: false, batches }
    await clickhouse.command({ query: `EXCHANGE TABLES ${LEDGER} AND ${shadow}` })
    return { lasted: await pause.renew(), batches }
  }

  /** Returns for how long ingest was paused, and how many batches were caught up. */
  async function takeOver(state: State): Promise<{ paused_ms: number; batches: number }> {
    let [paused_ms, batches] = [0, 0]
    const exchanged = async () => (await uuidOf(LEDGER)) === state.shadow
    for (let turn = 0; turn < PAUSES_MAX && !(await exchanged()); turn++) {
      batches += await catchUpWhileIngestGoesOn(state)
      onStep('pausing ingest for the exchange')
      const { answer, paused_ms: ms } = await whilePaused(clickhouse, me, pause => exchange(state, pause))
      paused_ms += ms
      batches += answer.batches
      if (answer.lasted) return { paused_ms, batches }
    }
    if (!(await exchanged()))
      throw new RebuildError('NO_PAUSE', 'ingest could not be paused for long enough; npm run rebuild tries again')
    onStep('looking for what came during the exchange')
    const late = await whilePaused(clickhouse, me, () => catchUp(LEDGER, state))
    return { paused_ms: paused_ms + late.paused_ms, batches: batches + late.answer }
  }

  return async function run(): Promise<Report> {
    const before = await interrupted()
    const state = before ?? (await begin())
    if ((await uuidOf(LEDGER)) !== state.shadow) await computeSlices()
    onStep('catching up with ingest')
    const { paused_ms, batches } = await takeOver(state)
    await putAway(clickhouse, shadow)
    await note(state, 'done')
    await dropNotes(clickhouse)
    onStep('comparing')
    return {
      rebuild: state.rebuild,
      resumed: before !== undefined,
      events: await countWhere('dossier_events'),
      caught_up_batches: batches,
      paused_ms,
      comparison: await compare(clickhouse, state.rebuild),
    }
  }
}
