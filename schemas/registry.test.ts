import { createServer, type IncomingMessage, type Server } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { confluentRegistry, directoryRegistry, RegistryUnavailable, SUBJECTS, schemaFile } from './registry.ts'

/** A registry that knows one schema, wants a password, and can be told to fail. */
let server: Server
let url = ''
let fails = false
const asked: string[] = []

beforeAll(async () => {
  server = createServer(async (request, response) => {
    asked.push(`${request.method} ${request.url}`)
    const answer = (status: number, body: unknown) => response.writeHead(status).end(JSON.stringify(body))
    if (request.headers.authorization !== `Basic ${Buffer.from('user:p@ss').toString('base64')}`) return answer(401, {})
    if (fails) return answer(500, { message: 'leader not available' })
    if (request.method === 'POST' && request.url === '/base/subjects/dossier-events-value/versions') {
      const { schema } = JSON.parse(await textOf(request)) as { schema: string }
      return answer(200, { id: JSON.parse(schema).name === 'DossierEvent' ? 41 : 0 })
    }
    if (request.url === '/base/schemas/ids/7')
      return answer(200, { schema: JSON.stringify(schemaFile('dossier-alert/v1.avsc')) })
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

test('an id that the registry does not know is unknown; a registry that fails is trouble, not an answer', async () => {
  const registry = confluentRegistry(url)
  expect(await registry.byId(8)).toBeUndefined()
  fails = true
  await expect(registry.byId(9)).rejects.toThrow(RegistryUnavailable)
  fails = false
  await expect(confluentRegistry('http://127.0.0.1:1').byId(1)).rejects.toThrow(/does not answer/)
})
