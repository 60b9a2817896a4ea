/**
 * Re-basing: where a dossier recorded under a code from a day on counts on the units of another day, tier by tier.
 *
 * Pure. The result goes to the table `unit_rebased`, from which `rates_rebased` reads; `rebase.test.ts` holds it
 * against any lists, `test/units.test.ts` against the real ones.
 *
 * Forward in time a unit is followed through its successors until they are valid on the day. Backward it is followed to
 * what it was made of: all of a unit that came out of one other lay in that one, so its dossiers did, too; of a unit
 * made of several nobody can tell which of them a dossier would have belonged to. Every answer keeps the dossier
 * somewhere.
 */
import { type Lists, NOWHERE, type Place, placeOf, type Unit, validOn } from './lists.ts'
import { unitsOnDays } from './on-days.ts'

export const TIERS = ['commune', 'district', 'province'] as const
export type Tier = (typeof TIERS)[number]

/** How a dossier stands to the units of the day. */
export type Fit =
  /** It lies in the one target, whole. */
  | 'exact'
  /** Its unit was divided among the targets; a policy decides. */
  | 'split'
  /** It lies in one of the targets, or there is none on that day: it stays where it is recorded. */
  | 'none'

/** A share of the dossiers in billionths, so that shares add up without rounding. */
export const WHOLE = 1_000_000_000

export interface Target extends Place {
  /**
   * Billionths by the successors' areas, adding up to WHOLE; all 0 where an area is not known, and where `fit` is none.
   */
  share: number
}

export interface UnitRebased {
  /** First day of the period whose units are the target. */
  units_from: string
  tier: Tier
  unit_code: string
  /** First recorded day for which this holds, until the next row of the same period, tier and code. */
  from_day: string
  fit: Fit
  /**
   * The one that the policy `first` takes stands first: at every step the successor that keeps the code, else the
   * lowest.
   */
  targets: Target[]
  /** Where it stays as long as it is not placed; empty: it is placed for certain, or counts nowhere at this tier. */
  recorded: Place
}

/** A unit valid on the day (or the last that is known of it), and how much of the recorded one lies in it. */
interface Part {
  unit: Unit
  /** 0 … 1; NaN where an area is not known. */
  share: number
}

/**
 * One row for each period (all of the lists unless told otherwise), tier, code and day from which on the answer is
 * another.
 */
export function rebase(lists: Lists, periods = lists.periods): UnitRebased[] {
  const segments = unitsOnDays(lists).map(segment => ({
    ...segment,
    unit: lists.recorded(segment.unit_code, segment.from_day),
  }))
  const result: UnitRebased[] = []
  for (const units_from of periods) {
    const last = new Map<string, string>()
    for (const { unit_code, from_day, unit, ...places } of segments) {
      const parts = partsOn(lists, unit, units_from)
      for (const tier of TIERS) {
        const { fit, targets } = placed(lists, parts, tier, units_from, unit.valid_from > units_from)
        const own = places[tier].code !== '' ? places[tier] : targets.length > 0 ? placeOf(unit) : NOWHERE
        const recorded = fit === 'exact' ? NOWHERE : own
        const key = `${tier} ${unit_code}`
        const answer = [fit, keyOf(recorded), ...targets.map(keyOf), ...targets.map(target => target.share)].join()
        if (answer === (last.get(key) ?? NOTHING)) continue
        last.set(key, answer)
        result.push({ units_from, tier, unit_code, from_day, fit, targets, recorded })
      }
    }
  }
  return result
}

const keyOf = ({ code, valid_from }: Place) => `${code} ${valid_from}`
const NOTHING = ['none', keyOf(NOWHERE)].join()

/** Follows a unit to the day. Heirs begin after their predecessor has ended, so this ends, too. */
function partsOn(lists: Lists, unit: Unit, day: string, share = 1): Part[] {
  if (validOn(unit, day)) return [{ unit, share }]
  if (day < unit.valid_from) {
    const origins = lists.origins(unit)
    return origins.length === 0 ? [{ unit, share }] : origins.flatMap(origin => partsOn(lists, origin, day))
  }
  const heirs = lists.heirs(unit)
  if (heirs.length === 0) return [{ unit, share }]
  const area = heirs.reduce((sum, heir) => sum + (heir.area_km2 ?? Number.NaN), 0)
  return heirs.flatMap(heir => {
    const part = heirs.length === 1 ? 1 : (heir.area_km2 ?? Number.NaN) / area
    return partsOn(lists, heir, day, share * part)
  })
}

function placed(
  lists: Lists,
  parts: readonly Part[],
  tier: Tier,
  day: string,
  backward: boolean,
): Pick<UnitRebased, 'fit' | 'targets'> {
  const shares = new Map<string, { place: Place; share: number }>()
  let homeless = false
  for (const { unit, share } of parts) {
    const at = tierOf(lists, unit, tier, day)
    if (at === undefined) {
      homeless = true
      continue
    }
    const key = `${at.unit_code} ${at.valid_from}`
    const known = shares.get(key)
    shares.set(key, { place: placeOf(at), share: (known?.share ?? 0) + share })
  }
  const found = [...shares.values()]
  const fit = homeless || found.length === 0 ? 'none' : found.length === 1 ? 'exact' : backward ? 'none' : 'split'
  const parted =
    fit === 'none' ? found.map(() => 0) : fit === 'exact' ? [WHOLE] : billionths(found.map(({ share }) => share))
  return { fit, targets: found.map(({ place }, at) => ({ ...place, share: parted[at] as number })) }
}

/** Whole numbers that add up to WHOLE: the last gets the rest. All 0 where a share is not known. */
function billionths(shares: readonly number[]): number[] {
  if (shares.some(Number.isNaN)) return shares.map(() => 0)
  const rounded = shares.slice(0, -1).map(share => Math.floor(share * WHOLE))
  return [...rounded, rounded.reduce((rest, share) => rest - share, WHOLE)]
}

/** The unit of a tier on a day in which another one lies. */
function tierOf(lists: Lists, unit: Unit, tier: Tier, day: string): Unit | undefined {
  if (tier === 'province') return day < unit.valid_from ? undefined : valid(lists.provinceOf(unit, day), day)
  if (unit.level === tier) return valid(unit, day)
  return tier === 'district' && validOn(unit, day) ? lists.on(unit.district_code, day) : undefined
}

const valid = (unit: Unit, day: string) => (validOn(unit, day) ? unit : undefined)
