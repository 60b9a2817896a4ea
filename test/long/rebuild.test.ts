/**
 * A rebuild gives the ledger that `balance` would have kept: posting by posting with its time where nothing was damaged, and
 * the same as if nothing had been where something was. Ingest goes on meanwhile and loses nothing; an interrupted rebuild
 * goes on; the pause for the exchange is a pause, and ends by itself. On the real engine, in a database of its own.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { ClickHouseClient } from '@clickhouse/client'
import { beforeEach, expect, test } from 'vitest'
import { rowsOf } from '../../common/clickhouse.ts'
import { createLease } from '../../common/leases.ts'
import { TOPIC } from '../../common/progress.ts'
import { isTransient } from '../../common/transient.ts'
import { type RebuildOptions, rebuild } from '../../pipelines/rebuild/rebuild.ts'
import type { DossierEvent } from '../../schemas/dossier-event/event.ts'
import { createPaused } from '../../services/ingest/pause.ts'
import { clickhouseConfig, eventJson, eventOf } from '../events.ts'
import { scenario } from '../oracle/generators.ts'
import { ratesBetween } from '../oracle/oracle.ts'
import { ownDatabase } from '../own-database.ts'
import { forAny } from '../property.ts'

const DATABASE = 'motcua_rebuild'
/** No history is begun after this long. */
const HISTORY_SECONDS = 5
/** Batches come a second apart. */
const FIRST_MS = Date.now() - 600_000
const text = (ms: number) => new Date(ms).toISOString().slice(0, 23).replace('T', ' ')
const database = ownDatabase(DATABASE, batch => FIRST_MS + batch * 1_000)
const { clickhouse, ingest } = database
const empty = () => database.empty('rebuilds', 'leases', 'ingest_progress')
beforeEach(empty)

const ledger = () =>
  rowsOf<{ dossier_id: string; sign: number }>(clickhouse, 'SELECT * FROM dossier_postings ORDER BY ALL')
const figuresAt = (ms: number) =>
  rowsOf<object>(
    clickhouse,
    `SELECT * FROM rates_as_known(at='${text(ms)}', from='1990-01-01', to='2099-12-31', tier='province') ORDER BY unit_code, unit_valid_from`,
  )
const figuresNow = () =>
  rowsOf<object>(
    clickhouse,
    `SELECT unit_code, toString(unit_valid_from) AS unit_valid_from, received, received_online, settled, settled_early, settled_on_time, settled_late
     FROM rates(from='1990-01-01', to='2099-12-31', tier='province') ORDER BY unit_code, unit_valid_from`,
  )
const expectedNow = (events: readonly DossierEvent[]) =>
  ratesBetween(events, { from: '1990-01-01', to: '2099-12-31', tier: 'province' })

const run = (options: RebuildOptions = {}, client: ClickHouseClient = clickhouse) =>
  rebuild(client, { events_per_slice: 60, lease_ms: 4_000, ...options })

/** Lives of some dossiers in many small batches: received, settled, some corrected, moved or voided. */
function lives(dossiers: number): DossierEvent[][] {
  const of = (at: number, revision: number, change: Parameters<typeof eventJson>[0] = {}) =>
    eventOf(eventJson({ dossier_id: `R-2508${String((at % 9) + 10)}-${at}`, revision, ...change }))
  const each = Array.from({ length: dossiers }, (_, at) => at)
  const events = [
    ...each.map(at => of(at, 1)),
    ...each.map(at => of(at, 2, { event_type: 'SETTLED', settled_at: '2025-08-06T09:00:00+07:00' })),
    ...each.filter(at => at % 3 === 0).map(at => of(at, 3, { channel: 'COUNTER' })),
    ...each.filter(at => at % 5 === 0).map(at => of(at, 4, { processing_unit: '08710' })),
    ...each.filter(at => at % 7 === 0).map(at => of(at, 5, { event_type: 'VOIDED' })),
  ]
  return Array.from({ length: Math.ceil(events.length / 10) }, (_, at) => events.slice(at * 10, at * 10 + 10))
}

test('for any history, refused and repeated batches too, the new ledger is the old one, posting by posting', async () => {
  let postings = 0
  await forAny({ seconds: HISTORY_SECONDS, numRuns: 20, endOnFailure: true }, [scenario(1, 40)], async one => {
    await empty()
    await database.deliver(one.deliveries, one.fates)
    const before = await ledger()
    const report = await run()
    expect(await ledger()).toEqual(before)
    expect(report.comparison.differing).toBe(0)
    postings += before.length
  })
  expect(postings).toBeGreaterThan(0)
})

test('the figures of five past moments stay', async () => {
  for (const events of lives(45)) await ingest(events)
  const moments = [1, 4, 6, 8, 10].map(batch => FIRST_MS + batch * 1_000)
  const before = await Promise.all(moments.map(figuresAt))
  expect(new Set(before.map(rows => JSON.stringify(rows))).size).toBe(5)
  const { rebuild: at, events } = await run()
  expect(await Promise.all(moments.map(figuresAt))).toEqual(before)
  expect(events).toBe(lives(45).flat().length)
  // The old one stays until the next rebuild, the notes do not.
  const tables = await rowsOf<{ name: string }>(
    clickhouse,
    "SELECT name FROM system.tables WHERE database = currentDatabase() AND (name LIKE 'rebuild\\_%' OR name LIKE 'dossier\\_postings\\_%') ORDER BY name",
  )
  expect(tables).toEqual([{ name: 'dossier_postings_before' }])
  expect(await rowsOf<object>(clickhouse, 'SELECT rebuild, phase FROM rebuilds ORDER BY written_at')).toEqual(
    ['planned', 'exchanging', 'done'].map(phase => ({ rebuild: at, phase })),
  )
})

const DAMAGES = [
  ['a posting deleted', 'DELETE WHERE dossier_id = {id:String} AND sign = 1'],
  ['a posting’s unit altered', "UPDATE unit_code = '08152' WHERE dossier_id = {id:String} AND sign = 1"],
  ['a posting doubled', 'UPDATE sign = sign * 2 WHERE dossier_id = {id:String} AND sign = 1'],
  ['everything lost', 'DELETE WHERE 1'],
] as const
test.each(DAMAGES)(
  '%s: the rebuild repairs it, with its time, and says which figures were wrong',
  async (_, damage) => {
    const batches = lives(15)
    for (const events of batches) await ingest(events)
    const before = await ledger()
    await clickhouse.command({
      query: `ALTER TABLE dossier_postings ${damage} SETTINGS mutations_sync = 1`,
      query_params: { id: 'R-250811-1' },
    })
    expect(await ledger()).not.toEqual(before)
    const { comparison } = await run()
    expect(await ledger()).toEqual(before)
    expect(await figuresNow()).toEqual(expectedNow(batches.flat()))
    expect(comparison.differing).toBeGreaterThan(0)
  },
)

/** Inserts events one by one as ingest does: after a transient error it tries again. */
async function ingestAsService(events: readonly DossierEvent[]): Promise<void> {
  for (const event of events) {
    const rows = database.rowsOfEvents([event])
    const tried = (): Promise<void> =>
      database.insert(rows, { ingested_at_ms: Date.now() }).catch(error => {
        if (!isTransient(error)) throw error
        return sleep(100).then(tried)
      })
    await tried()
  }
}

test('what is ingested during the rebuild is in the new ledger', async () => {
  const old = lives(30)
  const fresh = lives(60).flat().slice(-20)
  for (const events of old) await ingest(events)
  const going = ingestAsService(fresh)
  const report = await run()
  const again = await run()
  await going
  expect(report.caught_up_batches + again.caught_up_batches).toBeGreaterThan(0)
  expect(await figuresNow()).toEqual(expectedNow([...old.flat(), ...fresh]))
  const unbalanced = await rowsOf<object>(
    clickhouse,
    'SELECT dossier_id, facts FROM dossier_postings GROUP BY dossier_id, facts HAVING sum(sign) NOT IN (0, 1)',
  )
  expect(unbalanced).toEqual([])
})

test('interrupted after some slices it goes on with the others', async () => {
  const batches = lives(40)
  for (const events of batches) await ingest(events)
  const before = await ledger()
  const stop = new AbortController()
  const first = run({
    events_per_slice: 20,
    signal: stop.signal,
    onProgress: ({ slices_done }) => {
      if (slices_done === 2) stop.abort()
    },
  })
  await expect(first).rejects.toMatchObject({ code: 'INTERRUPTED' })
  // What comes in between is caught up with.
  const more = [eventOf(eventJson({ dossier_id: 'R-250811-1', revision: 9, channel: 'POSTAL' }))]
  await ingest(more)
  const slices: number[] = []
  const report = await run({ onProgress: ({ slices_done }) => slices.push(slices_done) })
  expect(report).toMatchObject({ resumed: true, caught_up_batches: 1 })
  expect(slices[0]).toBe(2)
  const after = await ledger()
  expect(after.length).toBeGreaterThan(before.length)
  expect(await figuresNow()).toEqual(expectedNow([...batches.flat(), ...more]))
})

test('the log is watched from where ingest has reported; a batch from before that stops the rebuild, and the next begins again', async () => {
  const batches = lives(40)
  for (const events of batches) await ingest(events)
  const complete_to = text(FIRST_MS + 4_500)
  const report = { topic: TOPIC, partition: 0, next_offset: 1, complete_to, log_append_time: complete_to }
  await clickhouse.insert({ table: 'ingest_progress', format: 'JSONEachRow', values: [report] })
  const stop = new AbortController()
  await expect(
    run({ events_per_slice: 20, signal: stop.signal, onProgress: () => stop.abort() }),
  ).rejects.toMatchObject({ code: 'INTERRUPTED' })
  const [planned] = await rowsOf<object>(clickhouse, 'SELECT toString(cut) AS cut, events FROM rebuilds')
  expect(planned).toEqual({ cut: complete_to, events: 50 })

  const late = [eventOf(eventJson({ dossier_id: 'R-250811-1', revision: 9, channel: 'POSTAL' }))]
  await ingest(late, { ingested_at_ms: FIRST_MS + 4_499 })
  expect(await run()).toMatchObject({ resumed: false })
  expect(await figuresNow()).toEqual(expectedNow([...batches.flat(), ...late]))

  // While it runs: between the slices and the catching up.
  let disturbed_once = false
  const later = [eventOf(eventJson({ dossier_id: 'R-250811-1', revision: 10, channel: 'COUNTER' }))]
  await expect(
    run(
      {},
      disturbed(async query => {
        if (disturbed_once || !query.startsWith('INSERT INTO dossier_postings_rebuild_')) return
        disturbed_once = true
        await ingest(later, { ingested_at_ms: FIRST_MS })
      }),
    ),
  ).rejects.toMatchObject({ code: 'OLD_CLOCK', message: expect.stringContaining(complete_to) })
})

test('one at a time', async () => {
  const other = createLease(clickhouse, 'rebuild', 'other', 60_000)
  expect(await other.acquire()).toBe(true)
  await expect(run()).rejects.toMatchObject({ code: 'UNDER_WAY' })
  await other.release()
  await expect(run()).resolves.toMatchObject({ events: 0 })
})

test('killed in the middle of a slice, the next one goes on once the lease is over', async () => {
  const batches = lives(25)
  for (const events of batches) await ingest(events)
  const before = await ledger()
  const child = spawn(process.execPath, [
    '--input-type=module-typescript',
    '--eval',
    `import { createClickHouse } from ${JSON.stringify(fileURLToPath(new URL('../../common/clickhouse.ts', import.meta.url)))}
     import { rebuild } from ${JSON.stringify(fileURLToPath(new URL('../../pipelines/rebuild/rebuild.ts', import.meta.url)))}
     await rebuild(createClickHouse(${JSON.stringify(clickhouseConfig())}, 'default', { database: '${DATABASE}' }), {
       events_per_slice: 12, lease_ms: 4000, onProgress: ({ slices_done }) => console.log(slices_done),
     })`,
  ])
  let seen = ''
  child.stdout.on('data', data => {
    seen += data
    if (/^2$/m.test(seen)) child.kill('SIGKILL')
  })
  await once(child, 'exit')
  expect(seen).toMatch(/^2$/m)
  expect(await ledger()).toEqual(before)
  await expect(run()).rejects.toMatchObject({ code: 'UNDER_WAY' })
  await sleep(4_100)
  expect(await run()).toMatchObject({ resumed: true })
  expect(await ledger()).toEqual(before)
})

test('while paused nothing is inserted, and ingest is told to wait; a pause whose holder died ends by itself', async () => {
  let now_ms = 0
  const paused = createPaused(clickhouse, () => now_ms)
  const event = eventOf(eventJson())
  const pause = createLease(clickhouse, 'pause', 'somebody', 1_500)
  expect(await paused()).toBe(false)
  await pause.acquire({ by_force: true })
  expect(await paused()).toBe(false)
  now_ms += 1_000
  expect(await paused()).toBe(true)
  const error = await ingest([event]).then(
    () => undefined,
    error => error,
  )
  expect(isTransient(error), String(error)).toBe(true)
  expect(await ledger()).toEqual([])
  await sleep(1_600)
  expect(await paused()).toBe(false)
  expect(await pause.renew()).toBe(false)
  await ingest([event])
  expect(await ledger()).toHaveLength(1)
})

/** A client that does something else before a command goes out. */
const disturbed = (before: (query: string) => Promise<void>): ClickHouseClient =>
  new Proxy(clickhouse, {
    get(target, name, receiver) {
      if (name !== 'command') return Reflect.get(target, name, receiver)
      return async (params: { query: string }) => {
        await before(params.query)
        return target.command(params)
      }
    },
  })
async function endPause() {
  const thief = createLease(clickhouse, 'pause', 'thief', 1_000)
  await thief.acquire({ by_force: true })
  await thief.release()
}

test('a pause that ended before the exchange was done: what came in between is put in afterwards', async () => {
  const batches = lives(15)
  for (const events of batches) await ingest(events)
  const late = [eventOf(eventJson({ dossier_id: 'R-250811-1', revision: 9, channel: 'POSTAL' }))]
  const report = await run(
    {},
    disturbed(async query => {
      if (!query.startsWith('EXCHANGE')) return
      await endPause()
      await ingest(late)
    }),
  )
  expect(report.caught_up_batches).toBe(1)
  expect(await figuresNow()).toEqual(expectedNow([...batches.flat(), ...late]))
})

test('killed right after the exchange, the next rebuild finishes it', async () => {
  const batches = lives(15)
  for (const events of batches) await ingest(events)
  const before = await ledger()
  let exchanged = false
  await expect(
    run(
      {},
      disturbed(async query => {
        if (exchanged && query.startsWith('RENAME')) throw new Error('killed')
        exchanged ||= query.startsWith('EXCHANGE')
      }),
    ),
  ).rejects.toThrow('killed')
  expect(exchanged).toBe(true)
  expect(await run()).toMatchObject({ resumed: true })
  expect(await ledger()).toEqual(before)
})
