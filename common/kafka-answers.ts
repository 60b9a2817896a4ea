/**
 * Puts the broker's answers together, in place of kafkajs's own code: that keeps the parts, their sum and the answer before in
 * memory at once, three times the bytes of a fetch. Here each part is copied into a buffer of the answer's size when it comes.
 */
import { createRequire } from 'node:module'

interface Socket {
  destroy(error: Error): void
  removeAllListeners(event: 'data'): Socket
  resume(): Socket
}

/** kafkajs's connection, as far as it is used here. */
export interface Connection {
  /** While it logs in, answers have another form. */
  authHandlers: object | undefined
  requestQueue: { fulfillRequest(answer: { size: number; correlationId: number; payload: Buffer }): void }
  socket: Socket
  isConnected(): boolean
  connect(): Promise<boolean>
  disconnect(): Promise<boolean>
  processData(data: Buffer): void
  [ANSWER]?: Answer
}

/** The one that is coming. */
interface Answer {
  /** What an earlier socket has left undone is nobody's. */
  socket: Socket
  size: Buffer
  size_bytes: number
  body: Buffer
  filled: number
}

const ANSWER = Symbol.for('motcua.kafka-answer')
const SIZE_BYTES = 4
const CORRELATION_BYTES = 4
/** More than any fetch with its largest batch. Who answers more is no broker: `HTTP` is 1.2 GB. */
const SIZE_BYTES_MAX = 1_073_741_824
const NOTHING = Buffer.alloc(0)
/** A larger answer gets memory of its own, which goes when the answer goes. */
const POOLED_BYTES_MAX = 1_024

export const { prototype } = createRequire(import.meta.url)('kafkajs/src/network/connection.js') as {
  prototype: Connection
}
const { processData, connect, disconnect } = prototype

/** What comes late over an earlier socket is no part of an answer over the new one. */
prototype.connect = function () {
  if (!this.isConnected()) this.socket?.removeAllListeners('data').resume()
  return connect.call(this)
}

prototype.disconnect = function () {
  return disconnect.call(this).finally(() => {
    if (!this.isConnected()) delete this[ANSWER]
  })
}

prototype.processData = function (data) {
  if (this.authHandlers) return processData.call(this, data)
  if (this[ANSWER]?.socket !== this.socket)
    this[ANSWER] = { socket: this.socket, size: Buffer.alloc(SIZE_BYTES), size_bytes: 0, body: NOTHING, filled: 0 }
  const answer = this[ANSWER] as Answer
  for (let at = 0; at < data.length; ) {
    if (answer.size_bytes < SIZE_BYTES) {
      const copied = data.copy(answer.size, answer.size_bytes, at)
      answer.size_bytes += copied
      at += copied
      if (answer.size_bytes < SIZE_BYTES) return
      const size = answer.size.readInt32BE(0)
      if (size < CORRELATION_BYTES || size > SIZE_BYTES_MAX) {
        answer.size_bytes = 0
        return this.socket.destroy(new Error(`this is no answer of a Kafka broker: it says that it has ${size} bytes`))
      }
      answer.body = size <= POOLED_BYTES_MAX ? Buffer.allocUnsafe(size) : Buffer.allocUnsafeSlow(size)
      answer.filled = 0
    }
    const copied = data.copy(answer.body, answer.filled, at)
    answer.filled += copied
    at += copied
    if (answer.filled < answer.body.length) return
    const { body } = answer
    Object.assign(answer, { size_bytes: 0, body: NOTHING })
    this.requestQueue.fulfillRequest({
      size: body.length,
      correlationId: body.readInt32BE(0),
      payload: body.subarray(CORRELATION_BYTES),
    })
  }
}
