/**
 * `npm run partitions -- set N`: raises the partition count of the input topics and of their dead-letter topics, and waits until
 * ingest counts under it.
 *
 * Everything is looked at before anything is changed: the number, every topic, the broker's consent, whether ClickHouse answers.
 * Dead-letter topics come first, so that a refused record of a new partition finds its partition there. Ended at any point, the
 * command goes on where it was when it is run again. Topics that have as many partitions or more are left as they are.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClickHouseClient } from '@clickhouse/client'
import { Command, InvalidArgumentError } from 'commander'
import type { Admin, Kafka } from 'kafkajs'
import { ConfigError } from '../common/config.ts'
import { countInForce } from '../common/count-in-force.ts'
import { readEnvironment, withConnections } from '../common/environment.ts'
import { openFetcher } from '../common/fetch.ts'
import { GROUP, TOPIC } from '../common/progress.ts'
import { deadLettersOf, deniedBy, INPUTS, withAdmin } from '../common/topics.ts'

/** The count has 16 bits in `partition_counts`; long before that a broker has too many files. */
export const PARTITIONS_MAX = 1_000
const LIMIT_MS = 60_000
const POLL_MS = 250
/** A group that rebalances keeps its members; one that has none for so long has none. */
const NOBODY_MS = 5_000

export class PartitionsRefused extends Error {
  readonly code = 'PARTITIONS_REFUSED'
  constructor(message: string) {
    super(message)
    this.name = 'PartitionsRefused'
  }
}

export interface Raised {
  partitions: number
  /** In the order in which they were raised. */
  topics: { topic: string; before: number; after: number }[]
  /** Whether a member of ingest is there to take the count up. */
  ingest: 'running' | 'not_running'
  /** Whether ingest counts under it, and how long after the change; null: it did not, within the limit. */
  in_force_after_ms: number | null
}

export interface RaiseDeps {
  kafka: Kafka
  clickhouse: ClickHouseClient
  say: (line: string) => void
}

/** Throws {@link PartitionsRefused} with nothing changed; and what Kafka and ClickHouse throw. */
export async function setPartitions({ kafka, clickhouse, say }: RaiseDeps, partitions: number): Promise<Raised> {
  return withAdmin(kafka, async admin => {
    const there = await countsOf(admin)
    check(there, partitions)
    await countInForce(clickhouse, TOPIC)
    const lower = [...there].filter(([, count]) => count < partitions).map(([topic]) => topic)
    for (const validateOnly of [true, false])
      for (const topic of lower) await raise(admin, topic, partitions, validateOnly)
    const changed_ms = performance.now()
    const topics = [...there].map(([topic, before]) => ({ topic, before, after: Math.max(before, partitions) }))
    for (const { topic, before, after } of topics)
      say(
        `${topic.padEnd(22)} ${before === after ? `has ${before} partitions and stays as it is` : `${before} → ${after} partitions`}`,
      )
    await toldByAll(kafka, lower, partitions)
    if (lower.length > 0) say('Every broker tells the new count.')
    return { partitions, topics, ...(await untilInForce({ admin, clickhouse }, partitions, changed_ms)) }
  })
}

/** How many partitions the topics have, dead letters first. */
async function countsOf(admin: Admin): Promise<Map<string, number>> {
  const there = new Set(await admin.listTopics())
  if (!there.has(TOPIC)) throw new PartitionsRefused(`the topic ${TOPIC} is not on the broker; npm start creates it`)
  const wanted = [...INPUTS.map(deadLettersOf), ...INPUTS].filter(topic => there.has(topic))
  const { topics } = await admin.fetchTopicMetadata({ topics: wanted })
  return new Map(wanted.map(topic => [topic, topics.find(each => each.name === topic)?.partitions.length ?? 0]))
}

function check(there: ReadonlyMap<string, number>, partitions: number): void {
  const now = there.get(TOPIC) as number
  if (partitions >= now) return
  throw new PartitionsRefused(
    `${partitions} is not allowed: ${TOPIC} has ${now} partitions, and Kafka cannot take partitions away; allowed: a whole number from ${now} (as it is) to ${PARTITIONS_MAX}`,
  )
}

async function raise(admin: Admin, topic: string, count: number, validateOnly: boolean): Promise<void> {
  try {
    await admin.createPartitions({ validateOnly, topicPartitions: [{ topic, count }] })
  } catch (error) {
    const type = deniedBy(error)
    if (type === undefined) throw error
    throw new PartitionsRefused(
      `the broker does not let us raise ${topic} to ${count} partitions (${type}). It needs the operation Alter on the topic, for the user of KAFKA_USERNAME`,
    )
  }
}

/** A broker hears of new partitions a moment later than another; until then it sends clients away from them. */
async function toldByAll(kafka: Kafka, topics: readonly string[], partitions: number): Promise<void> {
  const fetcher = openFetcher(kafka)
  try {
    const end_ms = performance.now() + LIMIT_MS
    for (const topic of topics)
      for (
        let told: number[] = [];
        !told.every(count => count >= partitions) || told.length === 0;
        await sleep(POLL_MS)
      ) {
        if (performance.now() > end_ms)
          throw new PartitionsRefused(
            `${topic} was raised to ${partitions} partitions, and after ${LIMIT_MS / 1000} s a broker still tells ${Math.min(...told)}. Look at that broker, then run this again`,
          )
        told = await fetcher.countsAtBrokers(topic)
      }
  } finally {
    await fetcher.close()
  }
}

async function untilInForce(
  { admin, clickhouse }: { admin: Admin; clickhouse: ClickHouseClient },
  partitions: number,
  changed_ms: number,
): Promise<Pick<Raised, 'ingest' | 'in_force_after_ms'>> {
  let seen_ms = performance.now()
  for (;;) {
    const now_ms = performance.now()
    if ((await countInForce(clickhouse, TOPIC)).partitions === partitions)
      return { ingest: 'running', in_force_after_ms: Math.round(now_ms - changed_ms) }
    const { groups } = await admin.describeGroups([GROUP])
    if ((groups[0]?.members.length ?? 0) > 0) seen_ms = now_ms
    if (now_ms - seen_ms > NOBODY_MS) return { ingest: 'not_running', in_force_after_ms: null }
    if (now_ms - changed_ms > LIMIT_MS) return { ingest: 'running', in_force_after_ms: null }
    await sleep(POLL_MS)
  }
}

// --- the command ----------------------------------------------------------------------------------------------------

function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text) && Number(text) >= 1 && Number(text) <= PARTITIONS_MAX) return Number(text)
  throw new InvalidArgumentError(`Allowed: a whole number from 1 to ${PARTITIONS_MAX}.`)
}

async function set(partitions: number, { json }: { json?: boolean }): Promise<number> {
  const say = (line: string) => process.stdout.write(`${line}\n`)
  const raised = await withConnections(readEnvironment().config, ({ kafka, clickhouse }) =>
    setPartitions({ kafka, clickhouse, say: json ? () => undefined : say }, partitions),
  )
  say(json ? JSON.stringify(raised) : endOf(raised))
  return raised.ingest === 'running' && raised.in_force_after_ms === null ? 1 : 0
}

function endOf({ partitions, ingest, in_force_after_ms }: Raised): string {
  if (in_force_after_ms !== null)
    return `Ingest counts under ${partitions} partitions${in_force_after_ms > POLL_MS ? ` since ${(in_force_after_ms / 1000).toFixed(1)} s after the change` : ''}.`
  if (ingest === 'not_running') return `No ingest is running; it takes the ${partitions} partitions up when it starts.`
  return `Ingest runs, and ${LIMIT_MS / 1000} s after the change it does not count under ${partitions} partitions yet. Nothing is lost or counted twice meanwhile; its log says what keeps it.`
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof ConfigError || error instanceof PartitionsRefused) return error.message
  if (error.name.startsWith('KafkaJS') || 'code' in error)
    return `${error.message}\nAre Kafka and ClickHouse running, and prepared? npm start starts them, npm run migrate prepares ClickHouse; KAFKA_BROKERS and CLICKHOUSE_URL name others.`
  return error.stack ?? error.message
}

if (import.meta.main) {
  const program = new Command('npm run partitions --').description('How many partitions the topics have.')
  program
    .command('set')
    .description('raises the partition count of the input topics and their dead-letter topics, under running ingest')
    .argument('<n>', `a whole number up to ${PARTITIONS_MAX}; Kafka cannot lower it`, wholeNumber)
    .option('--json', 'prints the result as JSON')
    .action(async (partitions: number, options: { json?: boolean }) => {
      try {
        process.exitCode = await set(partitions, options)
      } catch (error) {
        process.stderr.write(`${explain(error)}\n`)
        process.exitCode = 1
      }
    })
  await program.parseAsync()
}
