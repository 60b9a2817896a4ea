import { createServer, type Server, type ServerResponse } from 'node:http'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createDecoder, framed } from './dossier-event/codec.ts'
import { confluentRegistry, directoryRegistry, type SchemaRegistry, schemaFile } from './registry.ts'

/** A registry whose answers each test sets, and which counts what it is asked. */
let server: Server
let url = ''
type Answer = (response: ServerResponse, id: number) => void
let answer: Answer
let asked: number[] = []
let open = 0
let open_max = 0

const V1 = JSON.stringify(schemaFile('dossier-event/v1.avsc'))
const says =
  (status: number, body: unknown): Answer =>
  response =>
    response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body))
const knows = says(200, { schema: V1 })
const unknown = says(404, { error_code: 40403, message: 'Schema not found' })

beforeAll(async () => {
  server = createServer((request, response) => {
    const id = Number(request.url?.split('/').at(-1))
    asked.push(id)
    open_max = Math.max(open_max, ++open)
    response.on('close', () => open--)
    setImmediate(() => answer(response, id))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
})
afterAll(() => server.close())
beforeEach(() => {
  asked = []
  open_max = 0
  answer = knows
})

/** A Kafka value with a schema id and no body. */
const valueWith = (id: number) => {
  const value = Buffer.alloc(5)
  value.writeUInt32BE(id, 1)
  return value
}
const GOOD = 7
const reasonOf = ({ refusals }: { refusals?: { reason: string; message: string }[] }) => refusals?.[0]?.reason

function decoderAt(registry = confluentRegistry(url)) {
  const clock = { ms: 1_000_000 }
  const { prepare, judgeRecord } = createDecoder(
    registry,
    () => true,
    () => clock.ms,
  )
  return {
    clock,
    prepare: (...ids: number[]) => prepare(framed(ids.map(valueWith))),
    prepareValues: (values: (Buffer | null)[]) => prepare(framed(values)),
    verdict: (id: number) => judgeRecord({ key: null, value: valueWith(id), timestamp_ms: 0 }),
  }
}
/** What every answer that may still change says at once, and what it says after 30 s. */
async function expectUndecidedFor30s(decoder: ReturnType<typeof decoderAt>, id: number) {
  const begin = decoder.clock.ms
  for (; decoder.clock.ms < begin + 30_000; decoder.clock.ms += 100) {
    const prepared = await decoder.prepare(id)
    expect(prepared).toMatchObject({ ready: 0, unavailable: false })
    expect(prepared.trouble).toContain(String(id))
  }
  expect(await decoder.prepare(id)).toEqual({ ready: 1 })
  expect(reasonOf(decoder.verdict(id))).toBe('unknown_schema')
}

test('a known id is ready at once and asked for once; values without an id need none', async () => {
  const decoder = decoderAt()
  expect(
    await decoder.prepareValues([null, Buffer.alloc(0), Buffer.from([0, 0]), valueWith(GOOD), valueWith(GOOD)]),
  ).toEqual({ ready: 5 })
  await decoder.prepare(GOOD)
  expect(asked).toEqual([GOOD])
  expect(reasonOf(decoder.verdict(GOOD))).toBe('truncated_body')
})

test('records before the first undecided one are ready', async () => {
  const decoder = decoderAt()
  answer = (response, id) => (id === GOOD ? knows : unknown)(response, id)
  expect(await decoder.prepare(GOOD, GOOD, 9, GOOD)).toMatchObject({ ready: 2 })
  expect(await decoder.prepareValues([null, valueWith(9)])).toMatchObject({ ready: 1 })
})

test("the project's directory learns nothing: an unknown id is decided at once, however many there are", async () => {
  const decoder = decoderAt(directoryRegistry())
  const ids = Array.from({ length: 1_000 }, (_, n) => n + 100)
  expect(await decoder.prepare(...ids)).toEqual({ ready: 1_000 })
  expect(reasonOf(decoder.verdict(100))).toBe('unknown_schema')
})

test('an unknown id is asked for again with growing pauses, and counts as unknown after 30 s', async () => {
  const decoder = decoderAt()
  answer = unknown
  await expectUndecidedFor30s(decoder, 9)
  // After 0.5, 1, 2, 4, then every 5 seconds, and once at the end.
  expect(asked).toHaveLength(1 + 4 + 4 + 1)
})

test('an id that is registered meanwhile is found', async () => {
  const decoder = decoderAt()
  answer = unknown
  await decoder.prepare(9)
  answer = knows
  expect(await decoder.prepare(9)).toMatchObject({ ready: 0 })
  decoder.clock.ms += 500
  expect(await decoder.prepare(9)).toEqual({ ready: 1 })
})

test('that an id is unknown is believed for 10 s, then it has 30 s again', async () => {
  const decoder = decoderAt()
  answer = unknown
  await expectUndecidedFor30s(decoder, 9)
  asked = []
  decoder.clock.ms += 9_999
  expect(await decoder.prepare(9)).toEqual({ ready: 1 })
  expect(asked).toEqual([])
  decoder.clock.ms += 1
  await expectUndecidedFor30s(decoder, 9)
  decoder.clock.ms += 10_000
  expect(await decoder.prepare(9)).toMatchObject({ ready: 0 })
  answer = knows
  decoder.clock.ms += 500
  expect(await decoder.prepare(9)).toEqual({ ready: 1 })
  expect(reasonOf(decoder.verdict(9))).toBe('truncated_body')
})

test.each([
  ['500', says(500, {})],
  ['503 in HTML', says(503, '<html>')],
  ['401', says(401, {})],
  ['403', says(403, {})],
  ['408', says(408, {})],
  ['429', says(429, {})],
  ['a cut connection', (response: ServerResponse) => response.destroy()],
  [
    'an answer cut in the middle',
    (response: ServerResponse) => {
      response.writeHead(200, { 'content-length': '100' }).write('{')
      setImmediate(() => response.destroy())
    },
  ],
])('a registry that does not answer decides nothing, however long: %s', async (_, fails) => {
  const decoder = decoderAt()
  answer = fails
  for (let minute = 0; minute < 3; minute++) {
    const prepared = await decoder.prepare(GOOD)
    expect(prepared).toMatchObject({ ready: 0, unavailable: true })
    expect(prepared.trouble).toContain('the schema registry at http://127.0.0.1')
    decoder.clock.ms += 60_000
  }
  answer = knows
  expect(await decoder.prepare(GOOD)).toEqual({ ready: 1 })
})

test.each([403, 401, 500])(
  'one id at which the registry answers %s while it knows another is unknown after 30 s',
  async status => {
    const decoder = decoderAt()
    await decoder.prepare(GOOD)
    answer = (response, id) => (id === 9 ? says(status, {}) : knows)(response, id)
    await expectUndecidedFor30s(decoder, 9)
    expect(decoder.verdict(9).refusals?.[0]?.message).toContain(String(status))
    expect(await decoder.prepare(GOOD, 8)).toEqual({ ready: 2 })
  },
)

test('a registry that is not there is unavailable; one that fails later takes back no verdict on the way', async () => {
  expect(await decoderAt(confluentRegistry('http://127.0.0.1:1')).prepare(GOOD)).toMatchObject({ unavailable: true })
  const decoder = decoderAt()
  answer = unknown
  await expectUndecidedFor30s(decoder, 9)
  decoder.clock.ms += 10_000
  answer = says(500, {})
  expect(await decoder.prepare(9)).toMatchObject({ ready: 0, unavailable: true })
  expect(reasonOf(decoder.verdict(9))).toBe('unknown_schema')
})

test.each([
  ['200 that is no JSON', says(200, '<html>Sign in</html>'), '<html>Sign in'],
  ['200 with nothing', says(200, ''), '200'],
  ['200 without a schema', says(200, { ok: true }), 'without the text of a schema'],
  ['200 with a schema that is no text', says(200, { schema: {} }), 'without the text of a schema'],
  ['200 that is a list', says(200, [1]), 'without the text of a schema'],
  ['200 without end', says(200, 'x'.repeat(2_000_000)), 'more than'],
  ['400', says(400, { message: 'no' }), '400'],
  ['422', says(422, 'no'), '422'],
  ['304', says(304, ''), '304'],
])('an answer that no registry gives may be a proxy: asked again for 30 s, then refused: %s', async (_, odd, why) => {
  const decoder = decoderAt()
  answer = odd
  await expectUndecidedFor30s(decoder, 9)
  expect(decoder.verdict(9).refusals?.[0]?.message).toContain(why)
})

const v1With = (change: object) => JSON.stringify({ ...(schemaFile('dossier-event/v1.avsc') as object), ...change })
const nested = (levels: number) => `${'{"type":"array","items":'.repeat(levels)}"int"${'}'.repeat(levels)}`

test.each([
  ['references', { schema: V1, references: [{ name: 'x', subject: 'y', version: 1 }] }, 'refers to other schemas'],
  ['another type of schema', { schema: 'syntax = "proto3";', schemaType: 'PROTOBUF' }, 'PROTOBUF'],
  ['no JSON', { schema: 'string' }, 'no Avro schema'],
  ['no Avro', { schema: '{"type":"nonsense"}' }, 'nonsense is no type'],
  ['another record', { schema: v1With({ name: 'Other' }) }, 'motcua.Other'],
  ['no record', { schema: '"string"' }, 'no record'],
  ['required fields missing', { schema: v1With({ fields: [] }) }, 'event_id'],
  ['very deep', { schema: nested(10_000) }, 'nested deeper'],
  ['very large', { schema: v1With({ doc: 'x'.repeat(300_000) }) }, 'characters'],
  ['recursive without end', { schema: v1With({ fields: [{ name: 'x', type: 'DossierEvent' }] }) }, 'without end'],
])('a schema that cannot be used is refused at once: %s', async (_, body, why) => {
  const decoder = decoderAt()
  answer = says(200, body)
  expect(await decoder.prepare(9)).toEqual({ ready: 1 })
  expect(decoder.verdict(9).refusals?.[0]).toMatchObject({
    reason: 'unknown_schema',
    message: expect.stringContaining(why),
  })
  expect(decoder.verdict(9).refusals?.[0]?.message.length).toBeLessThan(500)
})

test('ids are asked for together: 8 at a time, for half a second a call, the first records first', async () => {
  const decoder = decoderAt()
  const ids = Array.from({ length: 250 }, (_, n) => n + 1)
  answer = (response, id) => {
    if (id === 100) decoder.clock.ms += 500
    knows(response, id)
  }
  const { ready } = await decoder.prepare(...ids)
  expect(ready).toBeGreaterThanOrEqual(100)
  expect(ready).toBeLessThan(110)
  expect(asked.toSorted((a, b) => a - b)).toEqual(ids.slice(0, ready))
  expect(open_max).toBeGreaterThan(1)
  const both = await Promise.all([decoder.prepare(...ids), decoder.prepare(...ids)])
  expect(both.map(({ ready }) => ready)).toEqual([250, 250])
  expect(asked).toHaveLength(250)
  expect(open_max).toBeLessThanOrEqual(8)
})

/** A registry in this process. */
function decoderWith(answerFor: SchemaRegistry['answerFor']) {
  const { complete: _, ...learning } = directoryRegistry()
  return decoderAt({ ...learning, answerFor })
}

test('of many unknown ids each is asked for twice, and all are decided after 30 s, also in two partitions', async () => {
  let requests = 0
  const decoder = decoderWith(async () => {
    requests++
    return { unknown: true }
  })
  const partitions = [0, 1].map(nth => Array.from({ length: 25_000 }, (_, n) => 1_000_000 * nth + n + 1))
  const begin = decoder.clock.ms
  for (let turn = 0; partitions.some(ids => ids.length > 0); turn++) {
    if (turn > 1_000) throw new Error('it goes on without end')
    for (const ids of partitions) {
      const { ready } = await decoder.prepare(...ids)
      ids.splice(0, ready)
    }
    decoder.clock.ms += 5_000
  }
  // Not all fit at once.
  expect(decoder.clock.ms - begin).toBeLessThan(80_000)
  expect(requests).toBeLessThan(2.5 * 50_000)
})

test('a registry that fails is not asked for all the other ids', async () => {
  const decoder = decoderAt()
  answer = says(500, {})
  await decoder.prepare(...Array.from({ length: 100 }, (_, n) => n + 1))
  // And once whether it answers at all.
  expect(asked.length).toBeLessThanOrEqual(9)
})

test('the memory of ids is bounded, and forgets what was not used for longest', async () => {
  let requests = 0
  const decoder = decoderWith(async () => {
    requests++
    return { refused: 'no' }
  })
  for (let from = 1; from <= 40_000; from += 1_000)
    await decoder.prepare(1, ...Array.from({ length: 1_000 }, (_, n) => from + n))
  await decoder.prepare(50_000, 50_001)
  requests = 0
  expect(await decoder.prepare(1, 5_000)).toEqual({ ready: 2 })
  expect(requests).toBe(0)
  await decoder.prepare(2)
  expect(requests).toBe(1)
})
