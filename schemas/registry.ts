/**
 * Where schema ids come from: the project's own directory (`ids.json`), or a registry with Confluent's API where
 * `SCHEMA_REGISTRY_URL` is set. Ids never change their meaning, so what was once read is kept.
 *
 * A registry that does not answer throws `RegistryUnavailable` (try again). What it says about an id is an answer, never an
 * exception: anyone who may register can have written it.
 */
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { type AvroSchema, type AvroType, avroType } from './avro.ts'
import {
  type Answered,
  type Ask,
  createRegistryClient,
  RegistryRefused,
  RegistryUnavailable,
} from './registry-client.ts'
import { readWriterSchema } from './writer-schema.ts'

export { RegistryRefused, RegistryUnavailable }

export const SUBJECTS = ['dossier-event', 'indicator-report', 'dossier-alert'] as const
export type Subject = (typeof SUBJECTS)[number]

/** Topic whose values carry the subject; Confluent names the subject `<topic>-value`. */
export const TOPIC_OF: Record<Subject, string> = {
  'dossier-event': 'dossier-events',
  'indicator-report': 'indicator-reports',
  'dossier-alert': 'dossier-alerts',
}

/** The newest version of each subject: what this project writes. */
const NEWEST: Record<Subject, string> = {
  'dossier-event': 'dossier-event/v1.avsc',
  'indicator-report': 'indicator-report/v1.avsc',
  'dossier-alert': 'dossier-alert/v1.avsc',
}

/** A schema with the id under which it travels. */
export interface Registered {
  id: number
  type: AvroType
}

/**
 * What a registry says about an id. `unknown`: it has none. `odd`: an answer that a registry does not give, perhaps from a
 * proxy before it; a later answer may differ. `refused`: the schema is there, and no bodies can be read with it.
 */
export type SchemaAnswer =
  | { type: AvroType }
  | { type?: undefined; unknown: true }
  | { type?: undefined; odd: string }
  | { type?: undefined; refused: string }

export interface SchemaRegistry {
  /**
   * The schema under which this project writes a subject, registered where need be. Throws {@link RegistryUnavailable}, or
   * {@link RegistryRefused} where the registry does not allow it.
   */
  newest(subject: Subject): Promise<Registered>
  /** What the registry says about an id. Throws {@link RegistryUnavailable} only. */
  answerFor(id: number): Promise<SchemaAnswer>
  /** Whether it answers anything now: asked where it does not answer for one id. Never rejects. */
  answers?(): Promise<boolean>
  /** The usable schema of an id, or undefined. Throws {@link RegistryUnavailable} only. */
  byId(id: number): Promise<AvroType | undefined>
  /** All there is, where the registry learns no ids while it runs. */
  readonly complete?: ReadonlyMap<number, AvroType>
}

/** The schema text of a file in this folder. */
export const schemaFile = (path: string): AvroSchema =>
  JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as AvroSchema

/** A subject's newest version. */
export const newestSchema = (subject: Subject): AvroSchema => schemaFile(NEWEST[subject])

/** The type of a subject's newest version, without its id. */
export const newestType = (subject: Subject): AvroType => avroType(newestSchema(subject))

/** Ids from `ids.json`. */
export function directoryRegistry(): SchemaRegistry {
  const files = z.record(z.string(), z.string()).parse(schemaFile('ids.json'))
  const types = new Map(Object.entries(files).map(([id, file]) => [Number(id), avroType(schemaFile(file))]))
  return {
    complete: types,
    async newest(subject) {
      const id = Number(Object.keys(files).find(key => files[key] === NEWEST[subject]))
      return { id, type: types.get(id) as AvroType }
    },
    async answerFor(id) {
      const type = types.get(id)
      return type === undefined ? { unknown: true } : { type }
    },
    async byId(id) {
      return types.get(id)
    },
  }
}

/** How many answers are kept; the oldest go first. */
const KEPT_MAX = 10_000

/** Ids from a registry with Confluent's API. `url` may carry a user and password. */
export function confluentRegistry(url: string): SchemaRegistry {
  const ask = createRegistryClient(url)
  /** Answers that stay as they are: an id never changes its meaning. */
  const kept = new Map<number, SchemaAnswer>()
  const keep = (id: number, answer: SchemaAnswer) => {
    kept.set(id, answer)
    for (const oldest of kept.keys())
      if (kept.size > KEPT_MAX) kept.delete(oldest)
      else break
    return answer
  }

  async function answerFor(id: number): Promise<SchemaAnswer> {
    const before = kept.get(id)
    if (before !== undefined) return before
    const answer = answerOf(await ask(`schemas/ids/${id}`))
    return answer.type !== undefined || 'refused' in answer ? keep(id, answer) : answer
  }

  return {
    answerFor,
    async answers() {
      // What it knew before it may tell again; some registries show nobody their subjects.
      const [known] = [...kept].filter(([, { type }]) => type !== undefined).map(([id]) => id)
      return ask(known === undefined ? 'subjects' : `schemas/ids/${known}`).then(
        ({ status }) => status === 200,
        () => false,
      )
    },
    async newest(subject) {
      const id = await idOf(ask, `${TOPIC_OF[subject]}-value`, NEWEST[subject])
      const type = newestType(subject)
      keep(id, { type })
      return { id, type }
    },
    async byId(id) {
      return (await answerFor(id)).type
    },
  }
}

const RIGHTS_MISSING = new Set([401, 403])

const SCHEMA = z.looseObject({
  schema: z.string(),
  schemaType: z.string().nullish(),
  references: z.array(z.unknown()).nullish(),
})

/** What an answer to `schemas/ids/…` says. Throws {@link RegistryUnavailable} where rights are missing: they can be given. */
function answerOf({ status, json, oddly }: Answered): SchemaAnswer {
  if (status === 404) return { unknown: true }
  if (oddly !== undefined && RIGHTS_MISSING.has(status)) throw new RegistryUnavailable(oddly)
  if (oddly !== undefined) return { odd: oddly }
  const parsed = SCHEMA.safeParse(json)
  if (!parsed.success) return { odd: 'the schema registry answered without the text of a schema' }
  const { schema, schemaType, references } = parsed.data
  if (schemaType && schemaType !== 'AVRO')
    return { refused: `the schema is of type ${schemaType.slice(0, 40)}; it must be AVRO` }
  if (references && references.length > 0)
    return { refused: 'the schema refers to other schemas; it must stand for itself' }
  return readWriterSchema(schema)
}

const REGISTERED = z.looseObject({ id: z.int().min(0).max(0xffff_ffff) })

/** The id of a schema in a subject: looked up, and registered only where it is not there, which needs more rights. */
async function idOf(ask: Ask, subject: string, file: string): Promise<number> {
  const body = { schema: JSON.stringify(schemaFile(file)) }
  const path = `subjects/${encodeURIComponent(subject)}`
  let doing = 'look up'
  let answered = await ask(path, body)
  if (answered.status === 404) {
    doing = 'register'
    answered = await ask(`${path}/versions`, body)
  }
  const parsed = REGISTERED.safeParse(answered.json)
  if (parsed.success) return parsed.data.id
  const why = answered.oddly ?? 'the answer names no id'
  throw new RegistryRefused(
    RIGHTS_MISSING.has(answered.status)
      ? `this service may not ${doing} its schema in the subject ${subject}: ${why}. Register schemas/${file} there, or give the service the right to ${doing} schemas of this subject.`
      : `the schema registry gives no id for schemas/${file} in the subject ${subject}: ${why}`,
  )
}

/** The registry that the configuration names, else the project's directory. */
export const openRegistry = (url: string | undefined): SchemaRegistry =>
  url === undefined ? directoryRegistry() : confluentRegistry(url)
