/** Answers of the broker are the same whatever pieces they come in. */
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Connection, prototype } from './kafka-answers.ts'

const answerOf = (id: number, payload: Uint8Array) => {
  const answer = Buffer.alloc(8 + payload.length)
  answer.writeInt32BE(4 + payload.length, 0)
  answer.writeInt32BE(id, 4)
  answer.set(payload, 8)
  return answer
}

function connection() {
  const got: { id: number; size: number; payload: string }[] = []
  const socket = new Readable({ read: () => undefined })
  const said = { ended: '' }
  socket.on('error', ({ message }) => {
    said.ended = message
  })
  const one = Object.assign(Object.create(prototype) as Connection, {
    authHandlers: undefined,
    requestQueue: {
      fulfillRequest: (answer: { size: number; correlationId: number; payload: Buffer }) =>
        void got.push({ id: answer.correlationId, size: answer.size, payload: answer.payload.toString('hex') }),
    },
    socket: socket as Connection['socket'],
  })
  return { one, got, socket, said }
}

test('in whatever pieces: each whole, in order', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 3_000, size: 'max' }), { minLength: 1, maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 2_000 }), { minLength: 1 }),
      (payloads, pieces) => {
        const { one, got } = connection()
        const stream = Buffer.concat(payloads.map((payload, id) => answerOf(id, payload)))
        for (let at = 0, nth = 0; at < stream.length; nth++) {
          const length = pieces[nth % pieces.length] as number
          one.processData(stream.subarray(at, at + length))
          at += length
        }
        expect(got).toEqual(
          payloads.map((payload, id) => ({
            id,
            size: 4 + payload.length,
            payload: Buffer.from(payload).toString('hex'),
          })),
        )
      },
    ),
    { numRuns: 300 },
  )
})

test('what a socket has left undone does not reach into the next one', () => {
  const { one, got } = connection()
  one.processData(answerOf(1, Buffer.alloc(100)).subarray(0, 50))
  one.socket = connection().one.socket
  one.processData(answerOf(2, Buffer.from('ab')))
  expect(got).toEqual([{ id: 2, size: 6, payload: '6162' }])
})

test('what comes late over an earlier socket reaches nobody', () => {
  const { one, got, socket } = connection()
  socket.on('data', (data: Buffer) => one.processData(data))
  // kafkajs makes a new socket in here; without its other parts it fails, after ours.
  void Promise.resolve(one.connect()).catch(() => undefined)
  socket.emit('data', answerOf(1, Buffer.from('late')))
  expect(got).toEqual([])
})

test.each([
  ['no room for its number', [0, 0, 0, 3, 1, 2, 3], 3],
  ['the first letters of an HTTP answer', [...Buffer.from('HTTP/1.1 400')], 1_213_486_160],
  ['a negative size', [255, 255, 255, 255, 0], -1],
])('%s: the connection is ended', async (_, bytes, size) => {
  const { one, got, said } = connection()
  one.processData(Buffer.from(bytes))
  await new Promise(setImmediate)
  expect([got, said.ended]).toEqual([[], `this is no answer of a Kafka broker: it says that it has ${size} bytes`])
})
