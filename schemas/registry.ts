/**
 * Where schema ids come from: the project's own directory (`ids.json`), or a registry with Confluent's API where
 * `SCHEMA_REGISTRY_URL` is set. Ids never change their meaning, so what was once read is kept.
 *
 * A registry that does not answer throws `RegistryUnavailable` (try again); an id that it does not know is `undefined`.
 */
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { type AvroSchema, type AvroType, avroType } from './avro.ts'

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

export interface SchemaRegistry {
  /** The schema under which this project writes a subject, registered where need be. */
  newest(subject: Subject): Promise<Registered>
  /** The schema of an id, or undefined where nobody knows it. */
  byId(id: number): Promise<AvroType | undefined>
}

export class RegistryUnavailable extends Error {
  readonly code = 'REGISTRY_UNAVAILABLE'
}

/** The schema text of a file in this folder. */
export const schemaFile = (path: string): AvroSchema =>
  JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as AvroSchema

/** The type of a subject's newest version, without its id. */
export const newestType = (subject: Subject): AvroType => avroType(schemaFile(NEWEST[subject]))

/** Ids from `ids.json`. */
export function directoryRegistry(): SchemaRegistry {
  const files = z.record(z.string(), z.string()).parse(schemaFile('ids.json'))
  const types = new Map(Object.entries(files).map(([id, file]) => [Number(id), avroType(schemaFile(file))]))
  return {
    async newest(subject) {
      const id = Number(Object.keys(files).find(key => files[key] === NEWEST[subject]))
      return { id, type: types.get(id) as AvroType }
    },
    async byId(id) {
      return types.get(id)
    },
  }
}

const REQUEST_MS_MAX = 10_000

/** Ids from a registry with Confluent's API. `url` may carry a user and password. */
export function confluentRegistry(url: string): SchemaRegistry {
  const base = new URL(url.endsWith('/') ? url : `${url}/`)
  const authorization =
    base.username === ''
      ? {}
      : {
          authorization: `Basic ${Buffer.from(`${decodeURIComponent(base.username)}:${decodeURIComponent(base.password)}`).toString('base64')}`,
        }
  base.username = base.password = ''

  /** The answer's JSON; undefined for 404. */
  async function ask(path: string, body?: unknown): Promise<unknown> {
    let response: Response
    try {
      response = await fetch(new URL(path, base), {
        method: body === undefined ? 'GET' : 'POST',
        headers: {
          accept: 'application/vnd.schemaregistry.v1+json',
          'content-type': 'application/vnd.schemaregistry.v1+json',
          ...authorization,
        },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(REQUEST_MS_MAX),
      })
    } catch (cause) {
      throw new RegistryUnavailable(`the schema registry at ${base.origin} does not answer`, { cause })
    }
    if (response.status === 404) return undefined
    if (!response.ok)
      throw new RegistryUnavailable(
        `the schema registry at ${base.origin} answered ${response.status} to ${path}: ${(await response.text()).slice(0, 200)}`,
      )
    return response.json()
  }

  const known = new Map<number, AvroType>()
  return {
    async newest(subject) {
      const schema = schemaFile(NEWEST[subject])
      const answer = await ask(`subjects/${TOPIC_OF[subject]}-value/versions`, { schema: JSON.stringify(schema) })
      const { id } = z.object({ id: z.int() }).parse(answer)
      const type = avroType(schema)
      known.set(id, type)
      return { id, type }
    },
    async byId(id) {
      const before = known.get(id)
      if (before !== undefined) return before
      const answer = await ask(`schemas/ids/${id}`)
      if (answer === undefined) return undefined
      const { schema } = z.object({ schema: z.string() }).parse(answer)
      const type = avroType(JSON.parse(schema) as AvroSchema)
      known.set(id, type)
      return type
    },
  }
}

/** The registry that the configuration names, else the project's directory. */
export const openRegistry = (url: string | undefined): SchemaRegistry =>
  url === undefined ? directoryRegistry() : confluentRegistry(url)
