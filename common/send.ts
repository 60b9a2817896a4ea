/**
 * Any number of messages to a topic, in order, each acknowledged by all replicas. They are divided by their bytes, so that no
 * batch is larger than a topic takes by default, and every partition has to be in the broker's answer: kafkajs drops messages
 * without a word where its metadata lacks their partition, or where a leader moved while it tried again.
 *
 * On failure the first messages may be sent and the others not. {@link UnacknowledgedError}; kafkajs's own errors; whether a
 * message is larger than the topic takes is told by {@link isTooLarge}.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs, { type ICustomPartitioner, type Message, type PartitionMetadata, type Producer } from 'kafkajs'
import { pairsOf } from './headers.ts'
import { javaPartitioner } from './partition.ts'

/** Kafka's default limit for a batch is 1,048,588 bytes. */
export const BATCH_BYTES_MAX = 921_600
export const BATCH_MESSAGES_MAX = 1_000
const UNACKNOWLEDGED_MS_MAX = 30_000
const RETRY_MS = 1_000

/** What lengths, offsets and times take at most beside the bytes themselves. */
const RECORD_BYTES_MORE = 32
const HEADER_BYTES_MORE = 10

export class UnacknowledgedError extends Error {
  readonly code = 'UNACKNOWLEDGED'
  readonly topic: string
  readonly partitions: readonly number[]
  constructor(topic: string, partitions: readonly number[], options?: ErrorOptions) {
    super(`the broker did not acknowledge what was sent to ${topic}, partitions ${partitions.join(', ')}`, options)
    this.name = 'UnacknowledgedError'
    this.topic = topic
    this.partitions = partitions
  }
}

export interface SendOptions {
  /** Of a send, so of each partition's batch in it; a larger message goes alone. */
  batch_bytes_max?: number
  batch_messages_max?: number
  /** Whether a message that is larger alone is compressed, so that the topic takes it after all. */
  pack_larger?: boolean
  /** How long what was not acknowledged is sent again. */
  unacknowledged_ms_max?: number
}

/** Where each message went, noted by {@link checkedPartitioner}. */
const CHOSEN = Symbol('partition')
type Tracked = Message & { [CHOSEN]: number | undefined }

/**
 * Sends all; each message has a `partition`, or a key, then `producer` must be one of `createProducer`. Returns for every
 * partition the offset behind the last message, as far as the broker told it.
 */
export async function sendAll(
  producer: Pick<Producer, 'send'>,
  topic: string,
  messages: readonly Message[],
  options: SendOptions = {},
): Promise<Map<number, bigint>> {
  const ends = new Map<number, bigint>()
  const bytes_max = options.batch_bytes_max ?? BATCH_BYTES_MAX
  for (const batch of batchesOf(messages, bytes_max, options.batch_messages_max ?? BATCH_MESSAGES_MAX)) {
    const alone = batch.length === 1 ? batch[0] : undefined
    const packed = options.pack_larger === true && alone !== undefined && bytesOfMessage(alone) > bytes_max
    const compression = packed ? kafkajs.CompressionTypes.ZSTD : kafkajs.CompressionTypes.None
    const end_ms = Date.now() + (options.unacknowledged_ms_max ?? UNACKNOWLEDGED_MS_MAX)
    let pending = batch.map((message): Tracked => ({ ...message, [CHOSEN]: message.partition }))
    for (;;) {
      const answered = await sendOnce(producer, topic, pending, compression)
      for (const [partition, end] of answered) if (end !== undefined) ends.set(partition, end)
      pending = pending.filter(message => !answered.has(partitionOf(topic, message)))
      if (pending.length === 0) break
      // kafkajs asks for new metadata when it is 10 s old (createProducer).
      if (Date.now() > end_ms) throw new UnacknowledgedError(topic, partitionsOf(topic, pending))
      await sleep(RETRY_MS)
    }
  }
  return ends
}

/** Every partition that the broker acknowledged, with the offset behind our last message where it told one. */
async function sendOnce(
  producer: Pick<Producer, 'send'>,
  topic: string,
  messages: Tracked[],
  compression: number,
): Promise<Map<number, bigint | undefined>> {
  const answer = await producer.send({ topic, acks: -1, compression, messages }).catch(error => {
    const unknown = causes(error).find(cause => cause instanceof UnknownPartition)
    if (unknown instanceof UnknownPartition)
      throw new UnacknowledgedError(topic, [unknown.partition], { cause: unknown })
    throw error
  })
  const sent = new Map<number, number>()
  for (const message of messages) {
    const partition = partitionOf(topic, message)
    sent.set(partition, (sent.get(partition) ?? 0) + 1)
  }
  return new Map(
    answer.map(({ partition, baseOffset }) => {
      const first = BigInt(baseOffset ?? -1)
      return [partition, first < 0n ? undefined : first + BigInt(sent.get(partition) ?? 0)]
    }),
  )
}

/** Messages in order, in batches of so many bytes and messages at most; a larger message is a batch of its own. */
export function* batchesOf<Some extends Sized>(
  messages: Iterable<Some>,
  bytes_max = BATCH_BYTES_MAX,
  messages_max = BATCH_MESSAGES_MAX,
): Iterable<Some[]> {
  let batch: Some[] = []
  let batch_bytes = 0
  for (const message of messages) {
    const bytes = bytesOfMessage(message)
    if (batch.length > 0 && (batch_bytes + bytes > bytes_max || batch.length === messages_max)) {
      yield batch
      batch = []
      batch_bytes = 0
    }
    batch.push(message)
    batch_bytes += bytes
  }
  if (batch.length > 0) yield batch
}

/** A message to send, or a record that was read. */
type Sized = Pick<Message, 'key' | 'value'> & { readonly headers?: object }

/** What a message takes in a batch, or a few bytes less. */
export function bytesOfMessage({ key, value, headers }: Sized): number {
  let bytes = RECORD_BYTES_MORE + bytesOf(key) + bytesOf(value)
  for (const [name, content] of pairsOf(headers)) bytes += HEADER_BYTES_MORE + bytesOf(name) + bytesOf(content)
  return bytes
}

const bytesOf = (value: Buffer | string | null | undefined) => (value == null ? 0 : Buffer.byteLength(value))

function partitionOf(topic: string, message: Tracked): number {
  const partition = message[CHOSEN]
  if (partition === undefined)
    throw new Error(`a message for ${topic} has no partition: the producer is none of createProducer`)
  return partition
}

const partitionsOf = (topic: string, messages: Tracked[]) => [
  ...new Set(messages.map(message => partitionOf(topic, message))),
]

// --- the partitioner ------------------------------------------------------------------------------------------------

/** kafkajs asks for new metadata and tries again when it gets an error of this name. */
class UnknownPartition extends kafkajs.KafkaJSError {
  override readonly name = 'KafkaJSMetadataNotLoaded'
  readonly partition: number
  constructor(topic: string, partition: number) {
    super(`${topic} has no partition ${partition}`, { retriable: true })
    this.partition = partition
  }
}

/** `javaPartitioner`, which does not let kafkajs drop a message for a partition that it does not know (yet). */
export const checkedPartitioner: ICustomPartitioner = () => {
  const choose = javaPartitioner()
  return args => {
    const partition = choose(args)
    if (!isKnown(args.partitionMetadata, partition)) throw new UnknownPartition(args.topic, partition)
    if (CHOSEN in args.message) (args.message as Tracked)[CHOSEN] = partition
    return partition
  }
}

/** Mostly each lies at its number. */
const isKnown = (metadata: readonly PartitionMetadata[], partition: number): boolean =>
  metadata[partition]?.partitionId === partition || metadata.some(({ partitionId }) => partitionId === partition)

// --- errors ---------------------------------------------------------------------------------------------------------

const TOO_LARGE = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'])

/** Whether the broker refused a message because it is larger than the topic takes. */
export const isTooLarge = (error: unknown): boolean =>
  causes(error).some(cause => 'type' in cause && TOO_LARGE.has(String(cause.type)))

/** Whether a topic is gone. kafkajs then sends nothing at all, also to topics that are there. */
export const isUnknownTopic = (error: unknown): boolean =>
  causes(error).some(cause => 'type' in cause && cause.type === 'UNKNOWN_TOPIC_OR_PARTITION')

/** An error and its causes: kafkajs wraps some errors in others. */
function causes(error: unknown): Error[] {
  const found: Error[] = []
  for (let at = error; at instanceof Error && !found.includes(at); at = at.cause) found.push(at)
  return found
}
