/**
 * Who may sign in, and what each user's sessions are held to. No passwords: the process listens on this machine only.
 * Guarantees that an unknown name or any password is refused, and that one sign-in never overrides another in silence.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { refuse, type ServerError } from './errors.ts'
import type { Setting } from './statement.ts'

export type User = 'default' | 'ingest' | 'analyst'

type Credentials = { name: string; password: string }

/** Set before the query, after the request's own settings, so that no request can undo them. */
const USER_SETTINGS: Readonly<Record<User, readonly Setting[]>> = {
  default: [],
  ingest: [{ name: 'allow_ddl', value: '0' }],
  analyst: [
    { name: 'allow_ddl', value: '0' },
    { name: 'allow_introspection_functions', value: '0' },
    { name: 'readonly', value: '1' },
  ],
}

/**
 * A question about system.settings alone is answered as under `readonly = 2`, which the analyst has on a real server: clients
 * look up there which settings they may give. Settings are checked here (guard.ts), and the session itself is `readonly = 1`,
 * where the engine too refuses files and other machines.
 */
export function limitsOf(user: User, sql: string): readonly Setting[] {
  const limits = USER_SETTINGS[user]
  if (!ASKS_FOR_SETTINGS.test(sql)) return limits
  return limits.map(({ name, value }) => ({ name, value: name === 'readonly' ? '2' : value }))
}

const ASKS_FOR_SETTINGS = /^SELECT [\w, ]+ FROM system\.settings(?:\s+LIMIT \d+)?(?:\s+FORMAT \w+)?$/i

export function signIn(headers: IncomingHttpHeaders, query: URLSearchParams): User {
  const found = [fromBasic(headers.authorization), fromHeaders(headers), fromUrl(query)].filter(
    one => one !== undefined,
  )
  const { name, password } = found[0] ?? { name: 'default', password: '' }
  if (found.length > 1) throw failed(name, 'it is not allowed to sign in by several ways at the same time')
  if (password !== '' || !isUser(name)) {
    throw failed(name, 'password is incorrect, or there is no user with such name')
  }
  return name
}

function isUser(name: string): name is User {
  return Object.hasOwn(USER_SETTINGS, name)
}

function failed(name: string, why: string): ServerError {
  return refuse('AUTHENTICATION_FAILED', `${name}: Authentication failed: ${why}`)
}

function fromBasic(header: string | undefined): Credentials | undefined {
  if (header === undefined) return undefined
  const [scheme, token] = header.split(' ')
  if (scheme?.toLowerCase() !== 'basic' || !token) throw failed('unknown', 'only Basic authorization is known here')
  const [name = '', ...password] = Buffer.from(token, 'base64').toString('utf8').split(':')
  return { name: name || 'default', password: password.join(':') }
}

function fromHeaders(headers: IncomingHttpHeaders): Credentials | undefined {
  const name = headers['x-clickhouse-user']
  const password = headers['x-clickhouse-key']
  if (name === undefined && password === undefined) return undefined
  return { name: String(name || 'default'), password: String(password ?? '') }
}

function fromUrl(query: URLSearchParams): Credentials | undefined {
  if (!query.has('user') && !query.has('password')) return undefined
  return { name: query.get('user') || 'default', password: query.get('password') ?? '' }
}
