import { createServer, type IncomingMessage, type Server } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  confluentRegistry,
  directoryRegistry,
  RegistryRefused,
  RegistryUnavailable,
  SUBJECTS,
  schemaFile,
} from './registry.ts'

/** A registry that knows one schema, wants a password, and can be told what to allow and to fail. */
let server: Server
let url = ''
let fails = false
let registered = false
let may = { look_up: true, register: true }
const asked: string[] = []
const SUBJECT = '/base/subjects/dossier-events-value'

beforeAll(async () => {
  server = createServer(async (request, response) => {
    asked.push(`${request.method} ${request.url}`)
    const answer = (status: number, body: unknown) => response.writeHead(status).end(JSON.stringify(body))
    if (request.headers.authorization !== `Basic ${Buffer.from('user:p@ss').toString('base64')}`) return answer(401, {})
    if (fails) return answer(500, { message: 'leader not available' })
    if (request.method === 'POST') {
      const { schema } = JSON.parse(await textOf(request)) as { schema: string }
      const id = JSON.parse(schema).name === 'DossierEvent' ? 41 : 0
      if (request.url === SUBJECT) {
        if (!may.look_up) return answer(403, { message: 'User is denied operation Read' })
        return registered ? answer(200, { subject: 'dossier-events-value', id, version: 1, schema }) : answer(404, {})
      }
      if (request.url === `${SUBJECT}/versions`) {
        if (!may.register) return answer(403, { message: 'User is denied operation Write' })
        registered = true
        return answer(200, { id })
      }
    }
    if (request.url === '/base/schemas/ids/7')
      return answer(200, { schema: JSON.stringify(schemaFile('dossier-alert/v1.avsc')) })
    if (request.url === '/base/schemas/ids/10') return answer(200, { schema: '{"type":"nonsense"}' })
    return answer(404, { error_code: 40403 })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  url = `http://user:p%40ss@127.0.0.1:${typeof address === 'object' ? address?.port : 0}/base`
})
afterAll(() => server.close())

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts).toString()
}

test("the project's own directory has an id for the newest version of every subject, and no others", async () => {
  const registry = directoryRegistry()
  for (const subject of SUBJECTS) {
    const { id, type } = await registry.newest(subject)
    expect(await registry.byId(id)).toBe(type)
  }
  expect(await registry.byId(999)).toBeUndefined()
})

test('a Confluent registry gives ids for what we write and schemas for what we read, each asked for once', async () => {
  const registry = confluentRegistry(url)
  expect((await registry.newest('dossier-event')).id).toBe(41)
  expect((await registry.byId(41))?.name).toBe('motcua.DossierEvent')
  expect((await registry.byId(7))?.name).toBe('motcua.DossierAlert')
  asked.length = 0
  await registry.byId(7)
  expect(asked).toEqual([])
})

test('what is registered already is only looked up, and only what is not is registered', async () => {
  registered = false
  asked.length = 0
  await confluentRegistry(url).newest('dossier-event')
  expect(asked).toEqual([`POST ${SUBJECT}`, `POST ${SUBJECT}/versions`])
  asked.length = 0
  may = { look_up: true, register: false }
  expect((await confluentRegistry(url).newest('dossier-event')).id).toBe(41)
  expect(asked).toEqual([`POST ${SUBJECT}`])
})

test('where the registry does not allow it, the error names the subject and what to do', async () => {
  registered = false
  may = { look_up: true, register: false }
  const refused = confluentRegistry(url).newest('dossier-event')
  await expect(refused).rejects.toThrow(RegistryRefused)
  await expect(refused).rejects.toThrow(
    /register .* dossier-events-value.* 403.*Register schemas\/dossier-event\/v1.avsc/,
  )
  may = { look_up: false, register: true }
  await expect(confluentRegistry(url).newest('dossier-event')).rejects.toThrow(
    /may not look up .* dossier-events-value/,
  )
  may = { look_up: true, register: true }
})

test('an id that the registry does not know is unknown; a registry that fails is trouble, not an answer', async () => {
  const registry = confluentRegistry(url)
  expect(await registry.byId(8)).toBeUndefined()
  fails = true
  await expect(registry.byId(9)).rejects.toThrow(RegistryUnavailable)
  await expect(registry.newest('dossier-event')).rejects.toThrow(RegistryUnavailable)
  fails = false
  await expect(confluentRegistry('http://127.0.0.1:1').byId(1)).rejects.toThrow(/does not answer/)
})

test('a schema that cannot be used is no type, and the answer says why', async () => {
  const registry = confluentRegistry(url)
  expect(await registry.byId(10)).toBeUndefined()
  expect(await registry.answerFor(10)).toEqual({ refused: expect.stringContaining('nonsense is no type') })
  expect(await registry.answerFor(8)).toEqual({ unknown: true })
  expect((await registry.answerFor(7)).type?.name).toBe('motcua.DossierAlert')
})
