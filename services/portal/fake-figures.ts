/** For tests: figures from memory, in the shape of the real ones. `test/portal.test.ts` holds the real ones to it. */
import type { Counts, Figures, IndicatorsRow, Part, RatesRow } from './figures.ts'
import { createUnits, type Unit } from './units.ts'

const OPEN = '2149-06-06'
const unit = (
  code: string,
  level: Unit['level'],
  name: string,
  province_code: string,
  district_code = '',
  valid_from = '1970-01-01',
  valid_to = '2025-06-30',
): Unit => ({
  code,
  level,
  name,
  province_code,
  district_code,
  valid_from,
  valid_to,
})

export const UNITS: Unit[] = [
  unit('58', 'province', 'Tỉnh Ninh Thuận', '58'),
  unit('584', 'district', 'Huyện Bác Ái', '58', '584'),
  unit('22840', 'commune', 'Xã Phước Đại', '58', '584'),
  unit('24', 'province', 'Tỉnh Bắc Giang', '24'),
  unit('24', 'province', 'Tỉnh Bắc Ninh', '24', '', '2025-07-01', OPEN),
  unit('11', 'province', 'Tỉnh Điện Biên', '11', '', '2025-07-01', OPEN),
]

export const counts = (
  received: number,
  received_online: number,
  settled: number,
  settled_early: number,
  settled_late: number,
): Counts => ({
  received,
  received_online,
  settled,
  settled_early,
  settled_on_time: settled - settled_early - settled_late,
  settled_late,
})

export const part = (
  code: string,
  valid_from: string,
  name: string,
  figures: Counts,
  more: Partial<Part> = {},
): Part => ({
  kind: 'province',
  code,
  valid_from,
  name,
  province: '',
  sources: ['centre'],
  ...figures,
  ...more,
})

export const PARTS: Part[] = [
  part('58', '1970-01-01', 'Tỉnh Ninh Thuận', counts(20_000, 16_234, 19_000, 12_000, 600), { sources: ['sample'] }),
  part('24', '1970-01-01', 'Tỉnh Bắc Giang', counts(25, 16, 22, 19, 0)),
  part('24', '2025-07-01', 'Tỉnh Bắc Ninh', counts(40, 25, 0, 0, 0)),
]

export const ROW: RatesRow = {
  unit_code: '58',
  unit_valid_from: '1970-01-01',
  unit_name: 'Tỉnh Ninh Thuận',
  ...counts(3, 1, 0, 0, 0),
  online_rate: 1 / 3,
  on_time_rate: null,
  sources: ['sample'],
}

export const INDICATOR: IndicatorsRow = {
  indicator_code: 'online_submission',
  indicator_version: 1,
  name_vi: 'Tỷ lệ hồ sơ nộp trực tuyến',
  name_en: 'Online submission',
  unit_code: '58',
  unit_valid_from: '1970-01-01',
  unit_name: 'Tỉnh Ninh Thuận',
  numerator: 1,
  denominator: 3,
  value: 1 / 3,
}

export const fakeFigures = (some: Partial<Figures> = {}): Figures => ({
  rates: async () => [ROW],
  indicators: async () => [INDICATOR],
  parts: async () => PARTS,
  calendar: async () => ({
    months: ['2023-01-01', '2023-06-01', '2025-08-01'],
    first: '2023-01-01',
    last: '2025-08-20',
  }),
  samples: async () => [{ province_code: '58', first: '2023-01-01', last: '2023-07-14' }],
  units: async () => createUnits(UNITS),
  moment: async () => ({ events: 50_644, as_of_ms: Date.UTC(2026, 10, 22, 3, 32, 48) }),
  lastEvents: async () => [
    {
      id: 'dossier-events-0-7',
      event_type: 'RECEIVED',
      dossier_id: 'H43-230102-00001',
      source: 'sample',
      occurred_at_ms: Date.UTC(2023, 0, 2, 2, 0),
      ingested_at_ms: Date.UTC(2026, 10, 22, 3, 32, 48),
      unit_code: '22840',
    },
  ],
  deadLetters: async () => ({
    total: 1,
    rows: [
      {
        id: 'dossier-events-0-0',
        reason: 'unknown_unit',
        field: 'receiving_unit',
        message: 'receiving_unit "99999" is in no list',
        failed_at_ms: Date.UTC(2026, 10, 22),
      },
    ],
  }),
  openAlerts: async () => [
    {
      alert_id: '0046daff-25fc-45d1-bdd9-1e997d8f39de',
      state: 'FIRING',
      severity: 'warning',
      unit_code: '58',
      value: 82 / 3_981,
      numerator: 82,
      denominator: 3_981,
      threshold: 0.1,
      window_from_ms: Date.parse('2023-01-01T00:00:00+07:00'),
      window_to_ms: Date.parse('2023-06-30T23:59:59.999+07:00'),
      changed_at_ms: Date.UTC(2026, 10, 22),
      text_vi: 'Lĩnh vực đất đai dưới ngưỡng',
      text_en: 'The land sector is below its threshold',
    },
  ],
  missing: async () => [],
  ...some,
})
