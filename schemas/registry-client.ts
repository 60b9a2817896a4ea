/**
 * HTTP to a registry with Confluent's API. Says what was answered, without judging it; throws `RegistryUnavailable` where a
 * later try may get an answer. Never reads more than {@link ANSWER_BYTES_MAX} of an answer, nor waits longer than
 * {@link REQUEST_MS_MAX} for it.
 */

/** The registry does not answer now: ask again later. */
export class RegistryUnavailable extends Error {
  readonly code = 'REGISTRY_UNAVAILABLE'
}

/** The registry answers, and does not give what this service needs: a person has to act. */
export class RegistryRefused extends Error {
  readonly code = 'REGISTRY_REFUSED'
}

/** `oddly` says what came in place of a good answer's JSON. */
export type Answered =
  | { status: number; json: unknown; oddly?: undefined }
  | { status: number; json?: undefined; oddly: string }

/** Asks for a path; with a body it is a POST. Throws {@link RegistryUnavailable}. */
export type Ask = (path: string, body?: unknown) => Promise<Answered>

const REQUEST_MS_MAX = 10_000
const ANSWER_BYTES_MAX = 2 ** 20
const SHOWN_LENGTH_MAX = 200
const MEDIA_TYPE = 'application/vnd.schemaregistry.v1+json'

/** Time-out and too many requests; every 5xx passes too. */
const PASSING = new Set([408, 429])

/** `url` may carry a user and password. */
export function createRegistryClient(url: string): Ask {
  const base = new URL(url.endsWith('/') ? url : `${url}/`)
  const headers = { accept: MEDIA_TYPE, 'content-type': MEDIA_TYPE, ...authorizationOf(base) }
  base.username = base.password = ''

  return async function ask(path, body) {
    let status: number
    let text: string | undefined
    try {
      const response = await fetch(new URL(path, base), {
        method: body === undefined ? 'GET' : 'POST',
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(REQUEST_MS_MAX),
      })
      status = response.status
      text = await textOf(response)
    } catch (cause) {
      throw new RegistryUnavailable(`the schema registry at ${base.origin} does not answer`, { cause })
    }
    const oddly = `the schema registry at ${base.origin} answered ${status} to ${path}: ${shown(text)}`
    if (status >= 500 || PASSING.has(status)) throw new RegistryUnavailable(oddly)
    if (status < 200 || status >= 300 || text === undefined) return { status, oddly }
    try {
      return { status, json: JSON.parse(text) as unknown }
    } catch {
      return { status, oddly }
    }
  }
}

function authorizationOf({ username, password }: URL): { authorization?: string } {
  if (username === '') return {}
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
}

/** The text of an answer; undefined where it is longer than any schema. */
async function textOf(response: Response): Promise<string | undefined> {
  const parts: Uint8Array[] = []
  let bytes = 0
  // Leaving the loop early cancels the rest of the answer.
  for await (const part of response.body ?? []) {
    bytes += part.length
    if (bytes > ANSWER_BYTES_MAX) return undefined
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

const shown = (text: string | undefined) =>
  text === undefined ? `more than ${ANSWER_BYTES_MAX} bytes` : JSON.stringify(text.slice(0, SHOWN_LENGTH_MAX))
