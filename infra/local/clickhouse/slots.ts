/**
 * A bounded number of queries at the same time, each with a named pipe of its own, and a bounded queue before them.
 * A full queue, or one that does not move within the limit, is the error a busy server gives.
 */
import { refuse } from './errors.ts'

export type Slot = { pipe: string; release: () => void }

export function createSlots(pipes: readonly string[], queueMax: number, waitMsMax: number) {
  const free = [...pipes]
  const waiting: Array<(pipe: string) => void> = []

  const slot = (pipe: string): Slot => ({
    pipe,
    release: () => {
      const next = waiting.shift()
      if (next) next(pipe)
      else free.push(pipe)
    },
  })

  function acquire(): Promise<Slot> {
    const pipe = free.pop()
    if (pipe !== undefined) return Promise.resolve(slot(pipe))
    if (waiting.length >= queueMax) return Promise.reject(tooMany())
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(take), 1)
        reject(tooMany())
      }, waitMsMax)
      const take = (granted: string) => {
        clearTimeout(timer)
        resolve(slot(granted))
      }
      waiting.push(take)
    })
  }

  const tooMany = () =>
    refuse(
      'TOO_MANY_SIMULTANEOUS_QUERIES',
      `Too many simultaneous queries. Maximum: ${pipes.length}, waiting: ${queueMax}`,
    )

  return { acquire }
}
