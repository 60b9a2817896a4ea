/**
 * Step 2a: refused records go to the dead-letter topic with key and value byte for byte, and are acknowledged there before
 * anything is committed. Step 2b: misplaced records go home, acknowledged likewise.
 *
 * After a crash a batch is read again. Before the first letter of a partition after its assignment, the letters that an earlier
 * attempt has already written are read back, so that each record has one letter over any restart of one member. (An
 * acknowledgement that is lost may repeat one; readers count distinct coordinates.)
 */
import { createHash } from 'node:crypto'
import type { Kafka, Message, Producer } from 'kafkajs'
import { type DeadLetter, DLQ_SUFFIX, deadLetterOf, type Misplaced, rehomedOf } from '../../common/dead-letter.ts'
import type { Fetcher, TopicRecord } from '../../common/fetch.ts'
import { headerOf } from '../../common/headers.ts'
import type { Log } from '../../common/log.ts'
import { batchesOf, bytesOfMessage, isTooLarge, isUnknownTopic, sendAll } from '../../common/send.ts'
import { ensureDeadLettersFit, ensureTopics, setTopicSettings } from '../../common/topics.ts'

/** Room for what a batch adds to its records. */
const LETTER_BYTES_MORE = 1_048_576
const INT32_MAX = 2_147_483_647
/** Clocks of two brokers may differ. */
const CLOCK_MS = 60_000
const COUNT_MS = 5_000

/** Does something once more where somebody deleted the dead-letter topic: it is made again, and no other topic is. */
async function withDeadLetters(
  kafka: Kafka,
  dlq: string,
  work: () => Promise<void>,
  onMadeAgain: () => void = () => undefined,
): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!isUnknownTopic(error)) throw error
    await ensureTopics(kafka, undefined, [dlq])
    onMadeAgain()
    await work()
  }
}

/** Of a letter: the coordinates of its record, and the record's own bytes, since anyone may write letters. */
function nameOf(coordinates: readonly (string | number | bigint | undefined)[], { key, value }: Bytes): string {
  const hash = createHash('sha1')
  for (const part of [key, value]) hash.update(part === null ? '-' : `${part.length} `).update(part ?? '')
  return `${coordinates.join(' ')} ${hash.digest('base64')}`
}
type Bytes = Pick<TopicRecord, 'key' | 'value'>

export interface DeadLetters {
  /** Reports those that are acknowledged, some at a time: where it throws, the others may be written or not. */
  write(letters: readonly DeadLetter[], written: (some: readonly DeadLetter[]) => void): Promise<void>
  /** Partitions were assigned: what an earlier attempt wrote of them is to be read back. */
  assigned(): void
}

export function createDeadLetters(deps: {
  kafka: Kafka
  producer: Producer
  fetcher: Fetcher
  topic: string
  /** The offset from which on a partition is not committed, as far as known: nothing before it is read again. */
  committed: (partition: number) => bigint
  log: Log
  now: () => number
}): DeadLetters {
  const { kafka, producer, fetcher, topic, log, now } = deps
  const dlq = topic + DLQ_SUFFIX
  /** Partitions whose letters of an earlier attempt are known, and the letters. */
  const readBack = new Set<number>()
  let there = new Set<string>()
  /** The dead-letter topic's own partition count, and when it was asked for. */
  let count = 0
  let counted_ms = Number.NEGATIVE_INFINITY

  /** Letters in the dead-letter topic since that time, of records from an offset of their partition on. */
  async function lookBack(wanted: ReadonlyMap<number, bigint>, since_ms: number): Promise<void> {
    const partitions = [...wanted.keys()]
    const [from, ends] = [await fetcher.offsetsAt(dlq, Math.max(0, since_ms - CLOCK_MS)), await fetcher.ends(dlq)]
    // Some may have been written while the topic had fewer partitions.
    const counts = Array.from(ends.keys(), (_, fewer) => fewer + 1)
    const homes = new Set(partitions.flatMap(partition => counts.map(count => partition % count)))
    for (const home of homes) {
      const end = ends.get(home)?.high ?? 0n
      for (let at = from.get(home) ?? 0n; at < end; ) {
        const { records, next } = await fetcher.read(dlq, home, at)
        for (const letter of records) {
          const { headers } = letter
          const [epoch, partition, offset] = [
            'motcua.topic_epoch',
            '__connect.errors.partition',
            '__connect.errors.offset',
          ].map(name => headerOf(headers, name))
          const least = wanted.get(Number(partition))
          if (headerOf(headers, '__connect.errors.topic') !== topic || least === undefined) continue
          if (/^\d{1,18}$/.test(offset ?? '') && BigInt(offset ?? 0) >= least)
            there.add(nameOf([epoch, partition, offset], letter))
        }
        if (next === at) break
        at = next
      }
    }
    for (const partition of partitions) readBack.add(partition)
  }

  /** In batches that are built one after the other, each acknowledged as a whole before it is reported. */
  async function send(letters: readonly DeadLetter[], written: (some: DeadLetter[]) => void): Promise<void> {
    const now_ms = now()
    if (now_ms - counted_ms > COUNT_MS) {
      count = (await fetcher.ends(dlq)).size
      counted_ms = now_ms
    }
    function* messages() {
      // A refused record may have no key, or another's: its letter goes by the partition in which it lay.
      for (const letter of letters)
        yield { ...deadLetterOf(letter, now_ms), partition: letter.partition % count, letter }
    }
    for (const batch of batchesOf(messages())) {
      await sendBatch(batch)
      written(batch.map(({ letter }) => letter))
    }
  }

  async function sendBatch(batch: readonly Message[]): Promise<void> {
    const sendIt = () => sendAll(producer, dlq, batch, { pack_larger: true })
    try {
      await sendIt()
    } catch (error) {
      if (!isTooLarge(error)) throw error
      await ensureDeadLettersFit(kafka, log)
      await sendIt().catch(async again => {
        if (!isTooLarge(again)) throw again
        await raiseFor(batch)
        await sendIt()
      })
    }
  }

  /** A batch that one codec packs small may stay large in ours: then the topic has to take it as it is. */
  async function raiseFor(batch: readonly Message[]): Promise<void> {
    const bytes = Math.min(Math.max(...batch.map(bytesOfMessage)) + LETTER_BYTES_MORE, INT32_MAX)
    log.warn({ topic: dlq, bytes }, 'a dead letter is larger than its topic takes; the topic is raised')
    await setTopicSettings(kafka, dlq, { 'max.message.bytes': String(bytes) })
  }

  return {
    write: (letters, written) => withDeadLetters(kafka, dlq, () => writeAll(letters, written), forget),
    assigned: forget,
  }

  function forget() {
    readBack.clear()
    there = new Set()
  }

  async function writeAll(letters: readonly DeadLetter[], written: (some: DeadLetter[]) => void): Promise<void> {
    const unread = [...new Set(letters.map(({ partition }) => partition))].filter(each => !readBack.has(each))
    if (unread.length > 0) {
      // By a clock that is not the broker's nothing can be found.
      const since_ms = letters.reduce(
        (least, { record }) => Math.min(least, record.broker_time ? record.timestamp_ms : 0),
        Number.POSITIVE_INFINITY,
      )
      await lookBack(new Map(unread.map(partition => [partition, deps.committed(partition)])), since_ms)
    }
    const isThere = ({ topic_epoch, partition, record }: DeadLetter) =>
      there.size > 0 && there.has(nameOf([topic_epoch, partition, record.offset], record))
    await send(
      letters.filter(letter => !isThere(letter)),
      written,
    )
  }
}

export interface Rehomed {
  sent: Misplaced[]
  /** The topic does not take them, because they are too large with key and header. */
  refused: Misplaced[]
}

/** Sends records home, and reports what became of them, some at a time. */
export function createRehome(kafka: Kafka, producer: Producer, topic: string) {
  const send = (messages: readonly Message[]) =>
    withDeadLetters(
      kafka,
      topic + DLQ_SUFFIX,
      async () => void (await sendAll(producer, topic, messages, { pack_larger: true })),
    )
  const sendOne = async (stray: Misplaced): Promise<Rehomed> => {
    try {
      await send([rehomedOf(stray)])
      return { sent: [stray], refused: [] }
    } catch (error) {
      if (!isTooLarge(error)) throw error
      return { sent: [], refused: [stray] }
    }
  }
  return async function rehome(strays: readonly Misplaced[], done: (some: Rehomed) => void): Promise<void> {
    function* messages() {
      for (const stray of strays) yield { ...rehomedOf(stray), stray }
    }
    for (const batch of batchesOf(messages())) {
      const sent = batch.map(({ stray }) => stray)
      try {
        await send(batch)
        done({ sent, refused: [] })
      } catch (error) {
        if (!isTooLarge(error)) throw error
        for (const stray of sent) done(await sendOne(stray))
      }
    }
  }
}
