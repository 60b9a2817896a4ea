// Promise: exactly the records of aborted transactions are hidden, however they interleave and wherever a fetch begins.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type AbortedTransaction, type BatchOfTransaction, hideAborted } from './aborted.ts'
import type { BatchContext } from './records.ts'

type Step = { producer: number; what: 'send' | 'commit' | 'abort' | 'plain' }
interface Kept extends BatchOfTransaction {
  readonly name: string
  readonly data: boolean
}

/** A partition as a broker keeps it, and what a reader of committed records must see. */
function logOf(steps: readonly Step[]) {
  const records: Kept[] = []
  const aborted: (AbortedTransaction & { last: number })[] = []
  const committed = new Set<string>()
  const open = new Map<number, { first: number; names: string[] }>()
  let offset = 0
  const add = (producer: number, fields: Partial<BatchContext>, key: Buffer, data: boolean) => {
    const batchContext = { firstOffset: String(offset), lastOffsetDelta: 0, producerId: String(producer), ...fields }
    records.push({ batchContext: batchContext as BatchContext, key, hidden: false, name: String(offset), data })
    return String(offset++)
  }
  for (const { producer, what } of steps) {
    const mine = open.get(producer)
    if (what === 'plain') committed.add(add(-1, { inTransaction: false, isControlBatch: false }, Buffer.alloc(4), true))
    else if (what === 'send') {
      const first = offset
      const name = add(producer, { inTransaction: true, isControlBatch: false }, Buffer.alloc(4), true)
      open.set(producer, { first: mine?.first ?? first, names: [...(mine?.names ?? []), name] })
    } else if (mine !== undefined) {
      open.delete(producer)
      const type = what === 'abort' ? 0 : 1
      const last = Number(
        add(producer, { inTransaction: true, isControlBatch: true }, Buffer.from([0, 0, 0, type]), false),
      )
      if (what === 'commit') for (const name of mine.names) committed.add(name)
      else aborted.push({ producerId: String(producer), firstOffset: String(mine.first), last })
    }
  }
  // A reader does not get what lies behind the first open transaction.
  const stable = Math.min(offset, ...[...open.values()].map(({ first }) => first))
  return { records: records.slice(0, stable), aborted, committed }
}

const step = fc.record({
  producer: fc.nat({ max: 3 }),
  what: fc.constantFrom<Step['what']>('send', 'send', 'send', 'commit', 'abort', 'plain'),
})

test('what was committed is seen, from any offset on, and nothing else', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat({ max: 20 }), (steps, from) => {
      const { records, aborted, committed } = logOf(steps)
      const read = records.slice(from)
      // The broker names those that touch what is read, in no order that a reader may lean on.
      hideAborted(read, aborted.filter(({ last }) => last >= from).reverse())
      const seen = read.filter(({ data, hidden }) => data && !hidden).map(({ name }) => name)
      expect(seen).toEqual(read.filter(({ data, name }) => data && committed.has(name)).map(({ name }) => name))
    }),
    { numRuns: 500 },
  )
})

test('batches of formats without transactions are left as they are', () => {
  const [first] = logOf([{ producer: 1, what: 'plain' }]).records
  const record = { ...(first as Kept), hidden: false }
  hideAborted([record], [{ producerId: '1', firstOffset: '0' }])
  expect(record.hidden).toBe(false)
})
