import { expect, test } from 'vitest'
import { type Alert, changesOf } from './changes.ts'
import { halfYears, LAND_ONLINE, type Observation } from './rules.ts'

const seen = (numerator: number, denominator: number, change: Partial<Observation> = {}): Observation => ({
  unit_code: '58',
  unit_valid_from: '1970-01-01',
  unit_name: 'Tỉnh Ninh Thuận',
  window_from: '2023-01-01',
  window_to: '2023-06-30',
  numerator,
  denominator,
  sources: ['sample'],
  ...change,
})
const times = { watermark_ms: 1, now_ms: 2 }
const judge = (observations: Observation[], open: Alert[] = []) => changesOf(LAND_ONLINE, observations, open, times)

test('fires below the threshold, with the figures behind it and the sample named', () => {
  const [alert] = judge([seen(33, 1602)])
  expect(alert).toMatchObject({
    state: 'FIRING',
    reason: 'low_rate',
    unit_code: '58',
    sector_code: 'LAND',
    numerator: 33,
    denominator: 1602,
    threshold: 0.1,
  })
  expect(alert?.value).toBeCloseTo(0.0206, 4)
  expect(alert?.text_vi).toContain('2,06 %')
  expect(alert?.text_vi).toContain('Dữ liệu mẫu')
  expect(alert?.text_en).toContain('2.06 %')
  // Half-years begin and end at Vietnamese midnight.
  expect(new Date(alert?.window_from ?? 0).toISOString()).toBe('2022-12-31T17:00:00.000Z')
  expect(new Date(alert?.window_to ?? 0).toISOString()).toBe('2023-06-30T16:59:59.999Z')
})

test('exactly the threshold, and fewer than 30 dossiers, do not fire', () => {
  expect(judge([seen(3, 30)])).toEqual([])
  expect(judge([seen(0, 29)])).toEqual([])
  expect(judge([seen(2, 30)])).toHaveLength(1)
})

test('an open alert is not told again, and is resolved for a reason', () => {
  const open = judge([seen(0, 40)])
  expect(judge([seen(1, 40)], open)).toEqual([])
  expect(judge([seen(4, 40)], open)).toMatchObject([
    { state: 'RESOLVED', reason: 'recovered', alert_id: open[0]?.alert_id },
  ])
  expect(judge([seen(0, 20)], open)).toMatchObject([{ state: 'RESOLVED', reason: 'too_few' }])
  expect(judge([], open)).toMatchObject([{ state: 'RESOLVED', reason: 'no_dossiers', denominator: 0, value: null }])
})

test('an open alert whose figures moved is told anew, but not at once', () => {
  const open = judge([seen(0, 40)])
  const later = (now_ms: number) => changesOf(LAND_ONLINE, [seen(1, 41)], open, { watermark_ms: 1, now_ms })
  expect(later(15_001)).toEqual([])
  expect(later(15_002)).toMatchObject([{ state: 'FIRING', reason: 'figures_changed', numerator: 1, denominator: 41 }])
})

test('the same code of another time, another half-year: another alert', () => {
  const ids = judge([
    seen(0, 40),
    seen(0, 40, { unit_valid_from: '2025-07-01' }),
    seen(0, 40, { window_from: '2023-07-01', window_to: '2023-12-31' }),
  ]).map(alert => alert.alert_id)
  expect(new Set(ids).size).toBe(3)
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/)
})

test('calendar half-years that touch a span', () => {
  expect(halfYears('2023-03-05', '2024-01-01')).toEqual([
    { from: '2023-01-01', to: '2023-06-30' },
    { from: '2023-07-01', to: '2023-12-31' },
    { from: '2024-01-01', to: '2024-06-30' },
  ])
})
