/** A reader may kill a query of its own by its id, as on a real server, and no other. */
import { refuse } from './errors.ts'
import type { Token } from './lexer.ts'
import { isPunct, type Statement } from './statement.ts'
import type { User } from './users.ts'

/** Throws unless `user` may run this KILL. `running`: the queries that run now, by id, with their users. */
export function judgeKill(user: User, { tokens }: Statement, running: ReadonlyMap<string, User>): void {
  if (user !== 'analyst') return
  const id = onlyId(tokens)
  if (id !== undefined && (running.get(id) ?? user) === user) return
  throw refuse('ACCESS_DENIED', `${user}: Not enough privileges: KILL QUERY is for queries of its own, by query_id`)
}

/** The id of `KILL QUERY WHERE query_id = '…' [ASYNC|SYNC|TEST]`. */
function onlyId(tokens: readonly Token[]): string | undefined {
  const [kill, query, where, name, equals, id, mode, more] = tokens
  const words = [kill, query, where].map(token => token?.keyword).join(' ')
  const asks = words === 'KILL QUERY WHERE' && name?.value === 'query_id' && isPunct(equals, '=')
  const ends = more === undefined && (mode === undefined || ['ASYNC', 'SYNC', 'TEST'].includes(mode.keyword))
  return asks && ends && id?.kind === 'string' ? Buffer.from(id.value, 'latin1').toString('utf8') : undefined
}
