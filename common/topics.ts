/**
 * The topics of this project: made where they are missing, and checked for what the promise leans on. A setting that is wrong
 * is put right; where that is not allowed the topic is refused with the command that an administrator has to run, because a
 * service that does not start is better than events that are lost quietly.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs, { type Admin, type Kafka } from 'kafkajs'
import type { Log } from './log.ts'

export const TOPICS = [
  'dossier-events',
  'indicator-reports',
  'dossier-events.dlq',
  'indicator-reports.dlq',
  'dossier-alerts',
] as const
export type Topic = (typeof TOPICS)[number]
export const PARTITIONS_DEFAULT = 8

export const INPUTS = ['dossier-events', 'indicator-reports'] as const
export const deadLettersOf = (input: string) => `${input}.dlq`

/** What a dead letter's headers and its new batch may add to the record. */
const LETTER_BYTES_MORE = 1_048_576
/** New dead-letter topics take this at least. */
const LETTER_BYTES_NEW = 3_145_728
const INT32_MAX = 2_147_483_647

const TAKES_EFFECT_MS_MAX = 10_000

export class TopicRefused extends Error {
  readonly code = 'SERVER_REFUSED'
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'TopicRefused'
  }
}

/** Asks with a connection of its own. */
export async function withAdmin<Answer>(kafka: Kafka, ask: (admin: Admin) => Promise<Answer>): Promise<Answer> {
  const admin = kafka.admin()
  await admin.connect()
  try {
    return await ask(admin)
  } finally {
    await admin.disconnect()
  }
}

/** Creates those topics that are missing, with the broker's replication, and leaves the others as they are. */
export async function ensureTopics(
  kafka: Kafka,
  partitions = PARTITIONS_DEFAULT,
  wanted: readonly string[] = TOPICS,
): Promise<void> {
  await withAdmin(kafka, async admin => {
    const there = new Set(await admin.listTopics())
    const missing = wanted.filter(topic => !there.has(topic))
    const letters = INPUTS.filter(input => missing.some(topic => topic === deadLettersOf(input)))
    await create(
      admin,
      partitions,
      missing.filter(topic => !letters.some(input => topic === deadLettersOf(input))).map(topic => ({ topic })),
    )
    // Only now is it known what the inputs take.
    const topics = letters.map(async input => ({ topic: deadLettersOf(input), bytes_max: await newRoom(admin, input) }))
    await create(admin, partitions, await Promise.all(topics))
  })
}

async function create(
  admin: Admin,
  partitions: number,
  topics: { topic: string; bytes_max?: number }[],
): Promise<void> {
  if (topics.length === 0) return
  await admin.createTopics({
    waitForLeaders: false,
    topics: topics.map(({ topic, bytes_max }) => ({
      topic,
      numPartitions: partitions,
      replicationFactor: -1,
      configEntries: [
        { name: 'message.timestamp.type', value: 'LogAppendTime' },
        // The log of facts: ClickHouse can be rebuilt from it as long as it is kept.
        { name: 'retention.ms', value: '-1' },
        ...(bytes_max === undefined ? [] : [{ name: 'max.message.bytes', value: String(bytes_max) }]),
      ],
    })),
  })
  await haveLeaders(
    admin,
    topics.map(({ topic }) => topic),
  )
}

/** A broker hears of new topics a moment later; kafkajs's own wait takes its first "there is none" for an error. */
async function haveLeaders(admin: Admin, topics: string[]): Promise<void> {
  for (const end = Date.now() + TAKES_EFFECT_MS_MAX; ; await sleep(50))
    try {
      await admin.fetchTopicMetadata({ topics })
      return
    } catch (error) {
      const type = error instanceof Error && 'type' in error ? error.type : undefined
      if ((type !== 'UNKNOWN_TOPIC_OR_PARTITION' && type !== 'LEADER_NOT_AVAILABLE') || Date.now() > end) throw error
    }
}

/** What a new dead-letter topic takes; where the input's settings may not be read, `checkTopics` says so later. */
async function newRoom(admin: Admin, input: string): Promise<number> {
  try {
    const bytes = Number((await readSettings(admin, input)).effective['max.message.bytes'] ?? 0)
    return Math.max(LETTER_BYTES_NEW, roomFor(bytes))
  } catch (error) {
    if (deniedBy(error) === undefined) throw error
    return LETTER_BYTES_NEW
  }
}

/** How many partitions a topic has, asked of the broker. */
export async function partitionCount(kafka: Kafka, topic: string): Promise<number> {
  const { topics } = await withAdmin(kafka, admin => admin.fetchTopicMetadata({ topics: [topic] }))
  const count = topics[0]?.partitions.length ?? 0
  if (count === 0) throw new Error(`the topic ${topic} is not on the broker; npm start creates it`)
  return count
}

// --- settings -------------------------------------------------------------------------------------------------------

export interface TopicSettings {
  /** Set for this topic. */
  readonly overrides: Readonly<Record<string, string>>
  /** In effect: those, or the broker's. */
  readonly effective: Readonly<Record<string, string>>
}

/** The settings of a topic. Throws kafkajs's protocol error where there is no such topic, or where they may not be read. */
export const topicSettings = (kafka: Kafka, topic: string): Promise<TopicSettings> =>
  withAdmin(kafka, admin => readSettings(admin, topic))

/**
 * Changes settings of a topic, and leaves its others as they are. kafkajs can only replace them all: what another changes in
 * the same moment is lost. Throws kafkajs's protocol error where it is not allowed.
 */
export const setTopicSettings = (
  kafka: Kafka,
  topic: string,
  changes: Readonly<Record<string, string>>,
): Promise<void> => withAdmin(kafka, admin => writeSettings(admin, topic, changes))

async function readSettings(admin: Admin, topic: string): Promise<TopicSettings> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
  })
  const entries = resources[0]?.configEntries ?? []
  const ofTopic = entries.filter(entry => entry.configSource === kafkajs.ConfigSource.TOPIC_CONFIG)
  const record = (of: typeof entries) => Object.fromEntries(of.map(entry => [entry.configName, entry.configValue]))
  return { overrides: record(ofTopic), effective: record(entries) }
}

async function writeSettings(admin: Admin, topic: string, changes: Readonly<Record<string, string>>): Promise<void> {
  const { overrides } = await readSettings(admin, topic)
  const configEntries = Object.entries({ ...overrides, ...changes }).map(([name, value]) => ({ name, value }))
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configEntries }],
  })
}

// --- the check ------------------------------------------------------------------------------------------------------

/** A setting that is not as it must be. */
export interface Need {
  readonly topic: string
  readonly setting: string
  readonly value: string
  readonly is: string
  readonly why: string
  /** Changed by us where we may; else somebody has to decide. */
  readonly ours: boolean
}

/** Settings in effect, of the topics that exist. */
export type EffectiveSettings = ReadonlyMap<string, TopicSettings['effective']>

/** What is to be changed for these topics. */
export const needsOf = (settings: EffectiveSettings): Need[] => [
  ...INPUTS.flatMap(input => [input, deadLettersOf(input)]).flatMap(topic => compactionOf(settings, topic)),
  ...INPUTS.flatMap(input => timestampsOf(settings, input)),
  ...INPUTS.flatMap(input => roomOf(settings, input)),
]

function compactionOf(settings: EffectiveSettings, topic: string): Need[] {
  const is = settings.get(topic)?.['cleanup.policy'] ?? ''
  if (!is.includes('compact')) return []
  const why = 'a compacted topic forgets all but the last event of a dossier'
  return [{ topic, setting: 'cleanup.policy', value: 'delete', is, why, ours: false }]
}

function timestampsOf(settings: EffectiveSettings, topic: string): Need[] {
  const is = settings.get(topic)?.['message.timestamp.type']
  if (is === undefined || is === 'LogAppendTime') return []
  const why = "the producers' clocks would tell when an event was recorded"
  return [{ topic, setting: 'message.timestamp.type', value: 'LogAppendTime', is, why, ours: true }]
}

const roomFor = (bytes: number) => Math.min(INT32_MAX, bytes + LETTER_BYTES_MORE)

/** The dead letter of the largest record has to fit. */
function roomOf(settings: EffectiveSettings, input: string): Need[] {
  const topic = deadLettersOf(input)
  const ofInput = Number(settings.get(input)?.['max.message.bytes'] ?? Number.NaN)
  const is = settings.get(topic)?.['max.message.bytes']
  const wanted = roomFor(ofInput)
  if (is === undefined || Number.isNaN(wanted) || Number(is) >= wanted) return []
  const why = `the dead letter of a record of ${ofInput} bytes, as ${input} takes it, does not fit`
  return [{ topic, setting: 'max.message.bytes', value: String(wanted), is, why, ours: true }]
}

/** What to run where a setting is not for us to change. */
export const commandFor = ({ topic, setting, value }: Need, brokers: string): string =>
  `kafka-configs.sh --bootstrap-server ${brokers} --alter --entity-type topics --entity-name ${topic} --add-config ${setting}=${value}`

/**
 * Checked at ingest's start. The broker's clock stamps the input topics, dead letters fit into their topics, nothing is
 * compacted. Throws {@link TopicRefused}, with the commands to run, where it is not so and may not be changed.
 */
export const checkTopics = (kafka: Kafka, log: Log): Promise<void> => meet(kafka, log, () => true)

/** Only that dead letters fit: the input's limit may be raised while ingest runs. Throws {@link TopicRefused} likewise. */
export const ensureDeadLettersFit = (kafka: Kafka, log: Log): Promise<void> =>
  meet(kafka, log, need => need.setting === 'max.message.bytes')

async function meet(kafka: Kafka, log: Log, concerns: (need: Need) => boolean): Promise<void> {
  await withAdmin(kafka, async admin => {
    const brokers = await brokersOf(admin)
    const refused: string[] = []
    for (const need of needsOf(await settingsThere(admin, brokers)).filter(concerns)) {
      const reason = need.ours ? await change(admin, need) : 'it is not changed without you'
      const { topic, setting, value, is, why } = need
      if (reason === undefined) log.info({ topic, setting, was: is, is: value }, 'changed a setting of a topic')
      else refused.push(`${topic} has ${setting}=${is}: ${why} (${reason}). Run: ${commandFor(need, brokers)}`)
    }
    if (refused.length > 0) throw new TopicRefused(refused.join('\n'))
  })
}

async function settingsThere(admin: Admin, brokers: string): Promise<EffectiveSettings> {
  const wanted = INPUTS.flatMap(input => [input, deadLettersOf(input)])
  const there = new Set(await admin.listTopics())
  const settings = new Map<string, TopicSettings['effective']>()
  for (const topic of wanted.filter(topic => there.has(topic)))
    try {
      settings.set(topic, (await readSettings(admin, topic)).effective)
    } catch (cause) {
      const type = deniedBy(cause)
      if (type === undefined) throw cause
      throw new TopicRefused(
        `the settings of ${topic} may not be read (${type}). Run, with the user of KAFKA_USERNAME: kafka-acls.sh --bootstrap-server ${brokers} --add --allow-principal User:… --operation DescribeConfigs --topic ${topic}`,
        { cause },
      )
    }
  return settings
}

/** Why the setting is not as it must be after all; undefined where it is. */
async function change(admin: Admin, { topic, setting, value }: Need): Promise<string | undefined> {
  try {
    await writeSettings(admin, topic, { [setting]: value })
  } catch (error) {
    const type = deniedBy(error)
    if (type === undefined) throw error
    return `changing it was refused: ${type}`
  }
  for (const end = Date.now() + TAKES_EFFECT_MS_MAX; ; await sleep(200)) {
    if ((await readSettings(admin, topic)).effective[setting] === value) return undefined
    if (Date.now() > end) return 'changing it had no effect'
  }
}

const DENIALS = new Set([
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'POLICY_VIOLATION',
  'INVALID_CONFIG',
  'INVALID_REQUEST',
  'UNSUPPORTED_VERSION',
])

/** The broker's reason, where it will not do what was asked; kafkajs wraps some errors in others. */
export function deniedBy(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at.name === 'KafkaJSServerDoesNotSupportApiKey') return 'UNSUPPORTED_VERSION'
    if ('type' in at && typeof at.type === 'string' && DENIALS.has(at.type)) return at.type
  }
  return undefined
}

async function brokersOf(admin: Admin): Promise<string> {
  const { brokers } = await admin.describeCluster()
  return brokers.map(({ host, port }) => `${host}:${port}`).join(',')
}
