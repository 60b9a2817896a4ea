/** What is told on the command line is left out, no more and no less; what cannot be understood is refused with the reason. */
import { expect, test } from 'vitest'
import { offsetsIn, parseLeaveOut, without } from './leave-out.ts'

const range = (first: number, last: number) => ({ first: BigInt(first), last: BigInt(last) })

test('single offsets and ranges, of several partitions, in any order', () => {
  expect([...parseLeaveOut('4:100-200, 3:17,4:5')]).toEqual([
    [4, [range(5, 5), range(100, 200)]],
    [3, [range(17, 17)]],
  ])
  expect(parseLeaveOut('0:9-12,0:1-3,0:4,0:11-15').get(0)).toEqual([range(1, 4), range(9, 15)])
})

test.each(['', '17', '3:', '3:x', '3:-1', '3:1-', '3:1-2-3', '3:17;4:1', '3:17,', '1e3:1', '3:1234567890123456789'])(
  '%j is refused',
  text => {
    expect(() => parseLeaveOut(text)).toThrow(/names no offsets. Allowed: partition:offset or partition:first-last/)
  },
)

test('a range that ends before it begins is refused by its name', () => {
  expect(() => parseLeaveOut('3:17,4:200-100')).toThrow("'4:200-100' ends before it begins")
})

test('ranges are taken out of a range', () => {
  const out = [range(3, 4), range(8, 8), range(12, 30)]
  expect(without(range(0, 20), out)).toEqual([range(0, 2), range(5, 7), range(9, 11)])
  expect(without(range(3, 4), out)).toEqual([])
  expect(without(range(4, 8), out)).toEqual([range(5, 7)])
  expect(without(range(31, 40), out)).toEqual([range(31, 40)])
  expect(without(range(5, 7), [])).toEqual([range(5, 7)])
  expect(offsetsIn(out)).toBe(22)
})
