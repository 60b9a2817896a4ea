/**
 * Keeps the topic's epochs beside the running consumer: looks at each partition before its first chunk after an assignment,
 * whenever its offsets go backwards, and every ten seconds; and leads the consumer back to the beginning of a partition that
 * has begun another life.
 */
import type { Chunk } from './source.ts'
import type { NewLife, TopicEpochs } from './topic-epochs.ts'

export interface LivesDeps {
  epochs: Pick<TopicEpochs, 'check' | 'reread' | 'hasFirst'>
  /** Per partition the offset behind what is settled in its present life, as far as known. */
  settled: () => Promise<ReadonlyMap<number, bigint>>
  /** Commits the beginning of a partition's new life. */
  commit: (partition: number, offset: bigint) => Promise<void>
  seek: (partition: number, offset: bigint) => void
  /** Whether a chunk of the partition is in hand. */
  busy: (partition: number) => boolean
  /** Nothing that is remembered of the partition's offsets holds any more. */
  forget: (life: NewLife) => void
}

export interface Lives {
  assigned(partitions: readonly number[]): void
  /** Does something while no partition is being looked at. */
  apart(work: () => Promise<void>): Promise<void>
  /** Before a chunk is settled. Answers where to read on instead, where the chunk is none of the present life. */
  enter(chunk: Chunk): Promise<bigint | undefined>
  /** Looks at all assigned partitions; at those in hand before their next chunk. Throws what Kafka and ClickHouse throw. */
  look(): Promise<void>
}

/** The first record of a partition may lie behind its first offset: then the consumer is led back so often in vain. */
const SEEKS_MAX = 2

export function createLives({ epochs, settled, commit, seek, busy, forget }: LivesDeps): Lives {
  let assigned: readonly number[] = []
  /** Looked at since their assignment, or since the last general look. */
  const looked = new Set<number>()
  /** New lives whose first chunk is not there yet. */
  const restarts = new Map<number, { low: bigint; seeks_left: number }>()
  /** The last offset that was handed over. */
  const reached = new Map<number, bigint>()
  let turn: Promise<unknown> = Promise.resolve()

  async function check(partitions: readonly number[]): Promise<void> {
    if (partitions.length === 0) return
    await epochs.check(partitions, await settled(), async life => {
      const { partition, low } = life
      await commit(partition, low)
      forget(life)
      reached.delete(partition)
      restarts.set(partition, { low, seeks_left: SEEKS_MAX })
      if (!busy(partition)) seek(partition, low)
    })
    for (const partition of partitions) looked.add(partition)
  }

  function inTurn(work: () => Promise<void>): Promise<void> {
    const mine = turn.then(work)
    turn = mine.catch(() => undefined)
    return mine
  }

  return {
    assigned(partitions) {
      assigned = partitions
      epochs.reread()
      for (const memory of [looked, restarts, reached]) memory.clear()
    },
    apart: inTurn,
    async enter({ partition, records }) {
      const [first, last] = [records.at(0), records.at(-1)]
      if (first === undefined || last === undefined) return undefined
      await inTurn(async () => {
        const again = first.offset <= (reached.get(partition) ?? -1n)
        if (!looked.has(partition) || again || !epochs.hasFirst(partition)) await check([partition])
      })
      const restart = restarts.get(partition)
      if (restart !== undefined && first.offset > restart.low && restart.seeks_left-- > 0) return restart.low
      restarts.delete(partition)
      reached.set(partition, last.offset)
      return undefined
    },
    look: () =>
      inTurn(async () => {
        for (const partition of assigned) if (busy(partition)) looked.delete(partition)
        await check(assigned.filter(partition => !busy(partition)))
      }),
  }
}
