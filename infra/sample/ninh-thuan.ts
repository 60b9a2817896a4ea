/**
 * Sample (a): Ninh Thuận, first half of 2023. The report gives rates and no volumes: 81.17 % of dossiers received online,
 * 2.06 % in the land sector. The volumes are made up so that both come out: 16,234 of 20,000 and 40 of 1,942.
 */
import { inTime, type Plan } from './plan.ts'
import { provinceOn } from './reference.ts'

const WHOLE = { dossiers: 20_000, online: 16_234, land: 1_942, land_online: 40 }
const LATE_SHARE = 0.069

/** `dossiers` below 20,000 is for tests: shares stay, the printed rates only nearly. */
export function ninhThuan(seed: string, dossiers = WHOLE.dossiers): Plan {
  const scaled = (count: number) => Math.round((count * dossiers) / WHOLE.dossiers)
  const land = scaled(WHOLE.land)
  const land_online = scaled(WHOLE.land_online)
  const late = Math.round(dossiers * LATE_SHARE)
  return {
    province: provinceOn('58', '2023-01-01'),
    title: 'Ninh Thuận, first half of 2023',
    remark:
      'published: the rates of the report for the half-year; volumes and on-time figures are synthetic; procedures and sectors by the codes of today',
    published: dossiers === WHOLE.dossiers ? { online_percent: '81.17', land_online_percent: '2.06' } : {},
    from: '2023-01-01',
    to: '2023-06-30',
    // What took its time is settled in July, as it was in life: the half-year's figures do not hold it.
    settled_to: '2023-07-31',
    news_to: '2023-09-30',
    land: { dossiers: land, online: land_online },
    other: { dossiers: dossiers - land, online: scaled(WHOLE.online) - land_online },
    outcomes: { ...inTime(dossiers - late), late, pending: 0 },
    seed,
  }
}
