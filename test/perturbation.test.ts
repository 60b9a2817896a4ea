/** One event more moves exactly the figures it should, in every view of rates, stocks, accounts and indicators, and no other. */
import { expect, test } from 'vitest'
import { rowsOf } from '../common/clickhouse.ts'
import type { DossierEventJson } from '../schemas/dossier-event/event.ts'
import { eventJson, eventOf } from './events.ts'
import { ownDatabase } from './own-database.ts'

const database = ownDatabase('motcua_perturbation')

const PERIOD = "from='2026-03-01', to='2026-03-31'"
/** Commune 08746 lies in province 25; both as of today. */
const VIEWS: Record<string, string> = {
  rates_commune: `SELECT unit_code AS key, * EXCEPT (unit_code, unit_name, sources, unit_valid_from) FROM rates(${PERIOD}, tier='commune')`,
  rates_province: `SELECT unit_code AS key, * EXCEPT (unit_code, unit_name, sources, unit_valid_from) FROM rates(${PERIOD}, tier='province')`,
  by_month: `SELECT concat(toString(month), ' ', unit_code) AS key, * EXCEPT (month, unit_code, unit_name, sources, unit_valid_from) FROM rates_by_commune`,
  rebased: `SELECT unit_code AS key, toFloat64(received) AS received, toFloat64(received_online) AS received_online, toFloat64(settled) AS settled FROM rates_rebased(${PERIOD}, tier='province', units='2026-01-01', split='none')`,
  backlog: `SELECT unit_code AS key, * EXCEPT (unit_code, unit_name, sources, unit_valid_from) FROM backlog(as_of='2026-03-31', tier='commune', soon=5)`,
  account: `SELECT unit_code AS key, * EXCEPT (unit_code, unit_name, sources, unit_valid_from) FROM dossier_balance(${PERIOD}, tier='commune')`,
  indicators: `SELECT concat(indicator_code, ' ', unit_code) AS key, numerator, denominator FROM indicator_values(${PERIOD}, tier='commune')`,
}

/** Every figure there is, by view, row and column. */
async function figures(): Promise<Map<string, unknown>> {
  const all = new Map<string, unknown>()
  for (const [view, query] of Object.entries(VIEWS))
    for (const { key, ...columns } of await rowsOf<Record<string, unknown>>(database.clickhouse, query))
      for (const [column, value] of Object.entries(columns)) all.set(`${view} ${key} ${column}`, value)
  return all
}

/** What an event moves, as `view row column: before -> after`, ordered. */
async function movedBy(change: Partial<DossierEventJson>): Promise<string[]> {
  const before = await figures()
  await tell({
    revision: 9,
    event_type: 'CORRECTED',
    received_at: undefined,
    processing_unit: undefined,
    channel: undefined,
    ...change,
  })
  const after = await figures()
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter(key => before.get(key) !== after.get(key))
    .map(key => `${key}: ${before.get(key)} -> ${after.get(key)}`)
    .sort()
}

async function tell(...changes: Partial<DossierEventJson>[]) {
  for (const change of changes) await database.ingest([eventOf(eventJson(change))])
}
const received = (n: number, change: Partial<DossierEventJson> = {}): Partial<DossierEventJson> => ({
  dossier_id: `D-260302-${n}`,
  received_at: '2026-03-02T09:00:00+07:00',
  due_at: '2026-03-10T09:00:00+07:00',
  channel: 'ONLINE',
  ...change,
})

test('a corrected channel moves online figures, a settlement moves stocks too, a void takes all of a dossier away', async () => {
  await database.empty()
  await tell(received(1), received(2, { channel: 'COUNTER' }), received(3, { processing_unit: '00004' }), received(4))

  expect(await movedBy({ dossier_id: 'D-260302-1', channel: 'COUNTER' })).toEqual([
    'account 08746 received_counter: 1 -> 2',
    'account 08746 received_online: 2 -> 1',
    'by_month 2026-03-01 08746 online_rate: 0.6666666666666666 -> 0.3333333333333333',
    'by_month 2026-03-01 08746 received_online: 2 -> 1',
    'indicators online_submission 08746 numerator: 2 -> 1',
    'rates_commune 08746 online_rate: 0.6666666666666666 -> 0.3333333333333333',
    'rates_commune 08746 received_online: 2 -> 1',
    'rates_province 25 online_rate: 0.6666666666666666 -> 0.3333333333333333',
    'rates_province 25 received_online: 2 -> 1',
    'rebased 25 received_online: 2 -> 1',
  ])

  const settled = await movedBy({
    dossier_id: 'D-260302-2',
    event_type: 'SETTLED',
    settled_at: '2026-03-09T09:00:00+07:00',
  })
  expect(settled.filter(line => /00004|received|online_/.test(line))).toEqual([])
  expect(settled).toEqual(
    expect.arrayContaining([
      'account 08746 ended: 0 -> 1',
      'account 08746 pending: 3 -> 2',
      'account 08746 settled_early: 0 -> 1',
      'backlog 08746 pending: 3 -> 2',
      'backlog 08746 pending_overdue: 3 -> 2',
      'indicators on_time_766 08746 numerator: 0 -> 1',
      'rates_commune 08746 settled: 0 -> 1',
    ]),
  )

  // The last dossier of its commune: nothing of the commune is left, and no other one moves.
  const voided = await movedBy({ dossier_id: 'D-260302-3', event_type: 'VOIDED' })
  expect(voided.length).toBeGreaterThan(20)
  expect(voided.filter(line => !/ (00004|01) /.test(line))).toEqual([])
  expect(voided.filter(line => !line.endsWith('-> undefined'))).toEqual([])

  // Told again: nothing moves.
  expect(await movedBy({ dossier_id: 'D-260302-3', event_type: 'VOIDED' })).toEqual([])
})
