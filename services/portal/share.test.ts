import { describe, expect, it } from 'vitest'
import { createShare } from './share.ts'

/** A share whose clock stands still until it is moved, and a question that counts how often it is asked. */
function setUp(options: { keys_max?: number } = {}) {
  const clock = { now: 0 }
  const asked: string[] = []
  const share = createShare({ fresh_ms: 1_000, now: () => clock.now, ...options })
  const ask = (key: string) =>
    share(key, async () => {
      asked.push(key)
      return `${key}${asked.length}`
    })
  return { clock, asked, share, ask }
}

describe('share', () => {
  it('asks once for a hundred viewers', async () => {
    const { ask, asked } = setUp()
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask('a')))
    expect(new Set(answers)).toEqual(new Set(['a1']))
    expect(asked).toEqual(['a'])
  })

  it('answers from memory for a second, then asks again', async () => {
    const { ask, asked, clock } = setUp()
    await ask('a')
    clock.now = 999
    expect(await ask('a')).toBe('a1')
    clock.now = 1_000
    expect(await ask('a')).toBe('a2')
    expect(asked).toHaveLength(2)
  })

  it('counts the second from the answer, so that a slow question is not asked twice at a time', async () => {
    const { share, clock } = setUp()
    let asked = 0
    let answer = (_: string) => {}
    const slow = () =>
      share('slow', () => {
        asked++
        return new Promise<string>(resolve => {
          answer = resolve
        })
      })
    const first = slow()
    clock.now = 60_000
    const second = slow()
    answer('late')
    expect(await Promise.all([first, second])).toEqual(['late', 'late'])
    await slow()
    expect(asked).toBe(1)
  })

  it('keeps different questions apart, and no more of them than it may', async () => {
    const { ask, asked } = setUp({ keys_max: 2 })
    for (const key of ['a', 'b', 'c', 'a']) await ask(key)
    expect(asked).toEqual(['a', 'b', 'c', 'a'])
  })

  it('passes a failure on, and tries again later', async () => {
    const { share, clock } = setUp()
    await expect(share('a', () => Promise.reject(new Error('down')))).rejects.toThrow('down')
    clock.now = 1_000
    expect(await share('a', async () => 'up')).toBe('up')
  })
})
