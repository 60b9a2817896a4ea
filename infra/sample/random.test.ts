import { expect, test } from 'vitest'
import { createRandom, share, weighted } from './random.ts'

test('the same seed gives the same numbers, on any machine', () => {
  const random = createRandom('motcua')
  expect([random.below(1000), random.below(1000), random.below(1000), random.uuid()]).toMatchInlineSnapshot(`
    [
      107,
      313,
      511,
      "f60206f7-95bc-4469-be44-bdb89fe6ff1e",
    ]
  `)
  expect(createRandom('motcua').below(1000)).not.toBe(createRandom('motcub').below(1000))
})

test('ids look like UUIDs of version 4 and do not repeat', () => {
  const random = createRandom('ids')
  const ids = Array.from({ length: 10_000 }, () => random.uuid())
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(new Set(ids).size).toBe(ids.length)
})

test('numbers are spread evenly, a shuffle loses nothing', () => {
  const random = createRandom('even')
  const counts = new Array<number>(10).fill(0)
  for (let left = 100_000; left > 0; left--) {
    const at = random.below(10)
    counts[at] = (counts[at] ?? 0) + 1
  }
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500)
  const list = Array.from({ length: 1000 }, (_, at) => at)
  expect(random.shuffle([...list])).not.toEqual(list)
  expect(random.shuffle([...list]).sort((a, b) => a - b)).toEqual(list)
})

test('weights decide how often', () => {
  const random = createRandom('weights')
  const draw = weighted(['never', 'often', 'rarely'], (_, rank) => [0, 9, 1][rank] ?? 0)
  const drawn = Array.from({ length: 10_000 }, () => draw(random))
  expect(drawn).not.toContain('never')
  expect(drawn.filter(one => one === 'often').length).toBeGreaterThan(8_700)
  expect(() => weighted([], () => 1)).toThrow(RangeError)
})

test.each([0.01, 0.055, 0.5])('a share of %d is kept to one', part => {
  const next = share(part, createRandom('share'))
  let hits = 0
  for (let calls = 1; calls <= 2_000; calls++) {
    if (next()) hits++
    expect(Math.abs(hits - part * calls)).toBeLessThanOrEqual(1)
  }
})
