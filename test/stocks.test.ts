/**
 * Stocks of any day, the account of any period, and rates where a dossier was filed, for any events: what the oracle counts dossier by dossier. The account
 * balances in every row, and yesterday's stock is today's carried over.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { rowsOf } from '../common/clickhouse.ts'
import { compareDossiers } from '../pipelines/audit/audit.ts'
import { eventJson, eventOf } from './events.ts'
import { scenario } from './oracle/generators.ts'
import { backlogOf, balanceOf, ratesWhereFiled } from './oracle/oracle.ts'
import { ownDatabase } from './own-database.ts'
import { forAny, propertySeconds } from './property.ts'

const TIERS = ['commune', 'district', 'province', 'country'] as const
const DAYS = ['2024-03-01', '2025-06-30', '2025-07-01', '2025-08-04', '2026-01-01']
const SECONDS = propertySeconds(8)

const database = ownDatabase('motcua_stocks')

const KEY = 'unit_code, toString(unit_valid_from) AS unit_valid_from'
const STOCK = 'pending, pending_in_time, pending_overdue, due_soon, waiting, pending_overdue_766'
const ACCOUNT =
  'carried_over, received, received_online, received_counter, received_postal, received_full, received_partial, received_information, ended, withdrawn, stopped, settled, settled_early, settled_on_time, settled_late, returned, pending, pending_in_time, pending_overdue'
const ORDER = 'ORDER BY unit_code, unit_valid_from'

const backlog = (as_of: string, tier: string, soon: number) =>
  rowsOf<Record<string, number>>(
    database.clickhouse,
    `SELECT ${KEY}, ${STOCK} FROM backlog(as_of='${as_of}', tier='${tier}', soon=${soon}) ${ORDER}`,
  )
const filed = (from: string, to: string, tier: string) =>
  rowsOf<Record<string, number>>(
    database.clickhouse,
    `SELECT ${KEY}, received, received_online, settled, settled_early, settled_on_time, settled_late FROM rates_by_receiving_unit(from='${from}', to='${to}', tier='${tier}') ${ORDER}`,
  )
const account = (from: string, to: string, tier: string) =>
  rowsOf<Record<string, number>>(
    database.clickhouse,
    `SELECT ${KEY}, ${ACCOUNT} FROM dossier_balance(from='${from}', to='${to}', tier='${tier}')
     WHERE not_accepted = 0 OR ${ACCOUNT.split(', ').join(' + ')} != 0 ${ORDER}`,
  )

test(
  'for any events: stocks of any day and accounts of any period are the oracle’s',
  async () => {
    const runs = await forAny(
      { seconds: SECONDS, numRuns: Math.max(20, SECONDS) },
      [scenario(60, 140), fc.constantFrom(...DAYS), fc.constantFrom(...DAYS), fc.constantFrom(...TIERS), fc.nat(20)],
      async ({ deliveries }, one, other, tier, soon) => {
        const [from, to] = [one, other].sort() as [string, string]
        await database.empty()
        await database.deliver(deliveries)
        const events = deliveries.map(({ event }) => event)
        expect(await backlog(to, tier, soon)).toEqual(backlogOf(events, { as_of: to, tier, soon }))
        expect(await filed(from, to, tier)).toEqual(ratesWhereFiled(events, { from, to, tier }))
        const rows = await account(from, to, tier)
        expect(rows).toEqual(balanceOf(events, { from, to, tier }))
        for (const row of rows as Record<string, number>[])
          expect((row.carried_over ?? 0) + (row.received ?? 0) - (row.ended ?? 0)).toBe(row.pending)
        // The audit folds on a road of its own: it must agree about any events, not only about tidy ones.
        const dossiers = [...new Set(events.map(event => event.dossier_id))]
        expect(await compareDossiers(database.clickhouse, dossiers)).toEqual([])
      },
    )
    expect(runs).toBeGreaterThan(2)
  },
  (SECONDS + 120) * 1_000,
)

test('one dossier through its life: received, asked for a supplement, late, withdrawn', async () => {
  await database.empty()
  const at = (day: string) => `2026-03-${day}T10:00:00+07:00`
  const life = [
    {
      event_type: 'RECEIVED',
      occurred_at: at('02'),
      received_at: at('02'),
      due_at: at('10'),
      processing_unit: '08746',
    },
    { event_type: 'SUPPLEMENT_REQUESTED', occurred_at: at('05'), supplement_requests: 1 },
    { event_type: 'WITHDRAWN', occurred_at: at('20') },
  ] as const
  const events = life.map((change, n) =>
    eventOf(
      eventJson({
        dossier_id: 'S-260302-1',
        received_at: undefined,
        processing_unit: undefined,
        channel: undefined,
        ...change,
        revision: n + 1,
      }),
    ),
  )
  const until = async (n: number, as_of: string) => {
    await database.empty()
    await database.ingest(events.slice(0, n))
    return (await backlog(as_of, 'commune', 3))[0]
  }
  const row = {
    unit_code: '08746',
    unit_valid_from: '2025-07-01',
    pending: 1,
    pending_in_time: 1,
    pending_overdue: 0,
    due_soon: 0,
    waiting: 0,
    pending_overdue_766: 0,
  }
  expect(await until(1, '2026-03-01')).toBeUndefined()
  expect(await until(1, '2026-03-02')).toEqual(row)
  expect(await until(1, '2026-03-08')).toEqual({ ...row, due_soon: 1 })
  expect(await until(1, '2026-03-10')).toEqual({ ...row, due_soon: 1 })
  expect(await until(1, '2026-03-11')).toEqual({
    ...row,
    pending_in_time: 0,
    pending_overdue: 1,
    pending_overdue_766: 1,
  })
  // Decision 766: who waits for the applicant since before the due day is not late.
  expect(await until(2, '2026-03-11')).toEqual({ ...row, pending_in_time: 0, pending_overdue: 1, waiting: 1 })
  expect(await until(3, '2026-03-19')).toEqual({
    ...row,
    pending_in_time: 0,
    pending_overdue: 1,
    pending_overdue_766: 1,
  })
  expect(await until(3, '2026-03-20')).toBeUndefined()
  expect(await account('2026-03-10', '2026-03-31', 'commune')).toMatchObject([
    { carried_over: 1, received: 0, ended: 1, withdrawn: 1, settled: 0, pending: 0 },
  ])
})

test('a dossier that was not accepted counts in its account only, until it is accepted after all', async () => {
  await database.empty()
  const refused = eventOf(
    eventJson({ dossier_id: 'N-260302-1', event_type: 'NOT_ACCEPTED', occurred_at: '2026-03-02T09:00:00+07:00' }),
  )
  const accepted = eventOf(
    eventJson({
      dossier_id: 'N-260302-1',
      event_type: 'RECEIVED',
      revision: 2,
      received_at: '2026-03-03T09:00:00+07:00',
    }),
  )
  const rows = () =>
    rowsOf(
      database.clickhouse,
      "SELECT unit_code, received, not_accepted FROM dossier_balance(from='2026-03-01', to='2026-03-31', tier='commune')",
    )
  await database.ingest([refused])
  expect(await rows()).toEqual([{ unit_code: '08746', received: 0, not_accepted: 1 }])
  await database.ingest([accepted])
  expect(await rows()).toEqual([{ unit_code: '08746', received: 1, not_accepted: 0 }])
})
