/**
 * From what was told to what is delivered: some events twice (the very same), and not in their order. Bounded: an event
 * comes at most 45 days of sample time late, a repeat at most 60 days after it happened.
 */
import type { DossierEvent } from '../../schemas/dossier-event/event.ts'
import { dayOf } from './days.ts'
import { type Random, share } from './random.ts'

const REPEATED = 0.055
/** Portals repeat more than counters: so plain counts get the rates wrong too, not the volumes alone. */
const REPEATED_ONLINE = 0.08

const MINUTE_S = 60
const DAY_S = 86_400

export interface Belt {
  put(events: readonly DossierEvent[]): void
  /** Takes off, in their order, what is delivered before a day; all that is left where none is given. */
  take(before_day?: number): DossierEvent[]
}

interface Lying {
  event: DossierEvent
  due_s: number
}

/** Events lie on the belt until the day on which they are delivered. */
export function createBelt(random: Random): Belt {
  const isRepeated = share(REPEATED, random)
  const isRepeatedOnline = share(REPEATED_ONLINE, random)
  const days = new Map<number, Lying[]>()

  const lay = (event: DossierEvent, delay_s: number) => {
    const due_s = Math.floor(event.occurred_at / 1000) + delay_s
    const day = dayOf(due_s * 1000)
    const of = days.get(day)
    if (of === undefined) days.set(day, [{ event, due_s }])
    else of.push({ event, due_s })
  }
  return {
    put(events) {
      for (const event of events) {
        lay(event, delayOf(random))
        if (event.channel === 'ONLINE' ? isRepeatedOnline() : isRepeated()) lay(event, repeatDelayOf(random))
      }
    },
    take(before_day = Number.POSITIVE_INFINITY) {
      const due = [...days.keys()].filter(day => day < before_day).sort((a, b) => a - b)
      return due.flatMap(day => {
        const of = days.get(day) ?? []
        days.delete(day)
        return of.sort((a, b) => a.due_s - b.due_s).map(lying => lying.event)
      })
    },
  }
}

function delayOf(random: Random): number {
  const kind = random.unit()
  if (kind < 0.84) return random.below(8 * 60) * MINUTE_S
  if (kind < 0.96) return random.below(4 * DAY_S)
  return random.between(5 * DAY_S, 45 * DAY_S)
}

const repeatDelayOf = (random: Random) =>
  random.chance(0.5) ? random.below(120 * MINUTE_S) : random.between(DAY_S, 60 * DAY_S)
