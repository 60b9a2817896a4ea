/** Re-basing over any lists: what must hold whatever merges, splits, chains and reused codes there are. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createLists, type Level, type Successor, type Unit } from './lists.ts'
import { unitsOnDays } from './on-days.ts'
import { rebase, TIERS, type UnitRebased, WHOLE } from './rebase.ts'

const ERAS = ['1970-01-01', '2001-01-01', '2010-05-01', '2025-07-01']
const LAST_DAYS = ['2000-12-31', '2010-04-30', '2025-06-30', '2149-06-06']

interface World {
  units: Unit[]
  successors: Successor[]
}

const unit = (level: Level, unit_code: string, era: number, of: Partial<Unit> = {}): Unit => ({
  unit_code,
  level,
  name: `${unit_code} of era ${era}`,
  province_code: unit_code,
  district_code: '',
  valid_from: ERAS[era] as string,
  valid_to: LAST_DAYS[era] as string,
  ...of,
})

const some = (codes: readonly string[]) =>
  fc.subarray([...codes], { minLength: 1 }).chain(few => fc.shuffledSubarray(few, { minLength: few.length }))

/** Every era has units of its own; codes come from a short list, so that most are used for several places. */
const world: fc.Arbitrary<World> = fc
  .record({
    provinces: fc.array(some(['01', '02', '03']), { minLength: 4, maxLength: 4 }),
    communes: fc.array(some(['00001', '00002', '00003', '00004', '00005']), { minLength: 4, maxLength: 4 }),
    districts: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    picks: fc.infiniteStream(fc.nat()),
  })
  .map(({ provinces, communes, districts, picks }) => {
    const pick = <T>(from: readonly T[]) => from[(picks.next().value as number) % from.length] as T
    const units: Unit[] = []
    const successors: Successor[] = []
    for (const [era, codes] of communes.entries()) {
      const of = provinces[era] as string[]
      units.push(...of.map(code => unit('province', code, era)))
      if (districts[era])
        units.push(unit('district', '001', era, { province_code: of[0] as string, district_code: '001' }))
      for (const code of codes) {
        const inDistrict = districts[era] && pick([true, false])
        const area_km2 = pick([0.3, 1, 7, null])
        units.push(
          unit('commune', code, era, {
            province_code: inDistrict ? (of[0] as string) : pick(of),
            district_code: inDistrict ? '001' : '',
            area_km2,
          }),
        )
      }
    }
    const became = (level: Level, before: string[], after: string[], effective_date: string) => {
      for (const predecessor_code of before) {
        const heirs = new Set(Array.from({ length: pick([1, 1, 2, 3]) }, () => pick(after)))
        for (const successor_code of heirs) successors.push({ level, predecessor_code, successor_code, effective_date })
      }
    }
    for (const [era, effective_date] of ERAS.entries()) {
      if (era === 0) continue
      became('province', provinces[era - 1] as string[], provinces[era] as string[], effective_date)
      became('commune', communes[era - 1] as string[], communes[era] as string[], effective_date)
    }
    return { units, successors }
  })

/** What a row of the table says of a code on a day. */
const finder = (rows: readonly UnitRebased[]) => {
  const of = Map.groupBy(rows, row => `${row.units_from} ${row.tier} ${row.unit_code}`)
  return (units_from: string, tier: string, code: string, day: string) =>
    of.get(`${units_from} ${tier} ${code}`)?.findLast(row => row.from_day <= day)
}

test('shares add up to one whole, or are not told', () => {
  fc.assert(
    fc.property(world, ({ units, successors }) => {
      for (const { fit, targets } of rebase(createLists(units, successors))) {
        const sum = targets.reduce((total, target) => total + target.share, 0)
        if (fit === 'exact') expect(targets.map(target => target.share)).toEqual([WHOLE])
        else if (fit === 'none') expect(sum).toBe(0)
        else {
          expect(targets.length).toBeGreaterThan(1)
          expect([0, WHOLE]).toContain(sum)
        }
        for (const { share } of targets) expect(Number.isInteger(share) && share >= 0).toBe(true)
      }
    }),
  )
})

test('no dossier is lost: whoever counts at a tier as recorded has one place for certain, or one where it stays', () => {
  fc.assert(
    fc.property(world, ({ units, successors }) => {
      const lists = createLists(units, successors)
      const find = finder(rebase(lists))
      for (const { unit_code, from_day, ...places } of unitsOnDays(lists))
        for (const units_from of ERAS)
          for (const tier of TIERS) {
            const row = find(units_from, tier, unit_code, from_day)
            const placed =
              row !== undefined && (row.fit === 'exact' ? row.targets.length === 1 : row.recorded.code !== '')
            if (places[tier].code !== '' || (row?.targets.length ?? 0) > 0)
              expect(placed, `${tier} ${unit_code} of ${from_day} on ${units_from}`).toBe(true)
            if (row !== undefined && row.fit !== 'exact' && places[tier].code !== '')
              expect(row.recorded).toEqual(places[tier])
          }
    }),
  )
})

test('a code used again never mixes places: communes are reached through the pairs alone, era by era', () => {
  fc.assert(
    fc.property(world, ({ units, successors }) => {
      const find = finder(rebase(createLists(units, successors)))
      const pairs = successors.filter(pair => pair.level === 'commune')
      const forth = (codes: string[], era: number) =>
        pairs
          .filter(p => p.effective_date === ERAS[era + 1] && codes.includes(p.predecessor_code))
          .map(p => p.successor_code)
      const back = (codes: string[], era: number) =>
        pairs
          .filter(p => p.effective_date === ERAS[era] && codes.includes(p.successor_code))
          .map(p => p.predecessor_code)
      for (const { unit_code, valid_from } of units.filter(one => one.level === 'commune')) {
        const own = ERAS.indexOf(valid_from)
        for (const [target, units_from] of ERAS.entries()) {
          let codes = [unit_code]
          let lost = false
          for (let era = own; era < target; era++) codes = forth(codes, era)
          for (let era = own; era > target; era--) {
            // One that came out of nothing ends the way, and then nobody can tell for certain.
            lost ||= codes.some(code => back([code], era).length === 0)
            codes = back(codes, era)
          }
          const row = find(units_from, 'commune', unit_code, valid_from)
          const expected = [...new Set(codes)].sort()
          expect(row?.targets.map(({ code }) => code).sort()).toEqual(expected)
          for (const place of row?.targets ?? []) expect(place.valid_from).toBe(units_from)
          if (!lost && expected.length === 1) expect(row?.fit).toBe('exact')
          else expect(row?.fit).toBe(target > own ? 'split' : 'none')
        }
      }
    }),
  )
})

test('on the units of its own day everything is where it is recorded, for certain', () => {
  fc.assert(
    fc.property(world, ({ units, successors }) => {
      const find = finder(rebase(createLists(units, successors)))
      for (const { unit_code, level, valid_from, name } of units) {
        const row = find(valid_from, level, unit_code, valid_from)
        expect(row).toMatchObject({ fit: 'exact', targets: [{ code: unit_code, valid_from, name, share: WHOLE }] })
      }
    }),
  )
})

const commune = (code: string, era: number, area_km2: number | null = null) =>
  unit('commune', code, era, { province_code: '01', area_km2 })
const pair = (predecessor_code: string, successor_code: string, era: number): Successor => ({
  level: 'commune',
  predecessor_code,
  successor_code,
  effective_date: ERAS[era] as string,
})
const always = unit('province', '01', 0, { valid_to: '2149-06-06' })
const found = (units: Unit[], successors: Successor[], era: number, code: string) =>
  finder(rebase(createLists([always, ...units], successors)))(ERAS[era] as string, 'commune', code, ERAS[0] as string)

test('a chain of a split and a merger is exact again; shares multiply along a chain of splits', () => {
  const units = [commune('1', 0), commune('2', 1, 1), commune('3', 1, 3), commune('4', 2, 1), commune('5', 2, 1)]
  const split = [pair('1', '2', 1), pair('1', '3', 1)]
  expect(found(units, [...split, pair('2', '4', 2), pair('3', '4', 2)], 2, '1')).toMatchObject({ fit: 'exact' })
  expect(found(units, [...split, pair('2', '4', 2), pair('3', '4', 2), pair('3', '5', 2)], 2, '1')).toMatchObject({
    fit: 'split',
    targets: [
      { code: '4', share: 0.625 * WHOLE },
      { code: '5', share: 0.375 * WHOLE },
    ],
  })
})

test('the successor that keeps the code stands first, else the lowest code', () => {
  const units = [commune('2', 0), commune('1', 1), commune('2', 1), commune('3', 1)]
  const codes = (...to: string[]) =>
    found(
      units,
      to.map(code => pair('2', code, 1)),
      1,
      '2',
    )?.targets.map(target => target.code)
  expect(codes('3', '1', '2')).toEqual(['2', '1', '3'])
  expect(codes('3', '1')).toEqual(['1', '3'])
})

test('two codes that change places follow their units', () => {
  const units = [commune('1', 0), commune('2', 0), commune('1', 1), commune('2', 1)]
  const swapped = [pair('1', '2', 1), pair('2', '1', 1)]
  expect(found(units, swapped, 1, '1')?.targets).toMatchObject([{ code: '2', name: '2 of era 1' }])
})

test('successors in a circle of ended units come to an end: the dossier stays', () => {
  const row = found([commune('1', 0), commune('2', 0)], [pair('1', '2', 1), pair('2', '1', 1)], 1, '1')
  expect(row).toMatchObject({ fit: 'none', targets: [], recorded: { code: '1' } })
})
