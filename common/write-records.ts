/** Records as they lie in Kafka's batches, written in place of kafkajs's own code: that throws at a null header value. */
import { bytesOf, pairsOf } from './headers.ts'
import { putVar, sizeOfVar, zigZag } from './varint.ts'

/** What kafkajs gives its encoder of records. */
export interface RecordToEncode {
  readonly offsetDelta?: number
  readonly timestampDelta?: number
  readonly key?: Buffer | string | null
  readonly value?: Buffer | string | null
  readonly headers?: object
}

/** One record, as the encoder that kafkajs puts into its batch. */
export function encodeRecord(record: RecordToEncode): { buf: Buffer; buffer: Buffer; offset: number } {
  const { offsetDelta = 0, timestampDelta = 0 } = record
  const key = bytesOf(record.key)
  const value = bytesOf(record.value)
  const headers = pairsOf(record.headers)
  const time = zigZag(timestampDelta)
  let body_bytes = 1 + sizeOfVar(time) + sizeOfVar(zigZag(offsetDelta)) + sizeOf(key) + sizeOf(value)
  body_bytes += sizeOfVar(zigZag(headers.length))
  for (const [name, content] of headers) body_bytes += withLength(Buffer.byteLength(name)) + sizeOf(content)

  const buffer = Buffer.allocUnsafe(sizeOfVar(zigZag(body_bytes)) + body_bytes)
  let at = putVar(buffer, 0, zigZag(body_bytes))
  buffer[at++] = 0
  at = putVar(buffer, at, time)
  at = putVar(buffer, at, zigZag(offsetDelta))
  at = putBytes(buffer, at, key)
  at = putBytes(buffer, at, value)
  at = putVar(buffer, at, zigZag(headers.length))
  for (const [name, content] of headers) at = putBytes(buffer, putText(buffer, at, name), content)
  return { buf: buffer, buffer, offset: at }
}

const NULL_LENGTH = zigZag(-1)
const withLength = (bytes: number) => sizeOfVar(zigZag(bytes)) + bytes
const sizeOf = (bytes: Buffer | null) => (bytes === null ? 1 : withLength(bytes.length))

function putBytes(to: Buffer, at: number, bytes: Buffer | null): number {
  if (bytes === null) return putVar(to, at, NULL_LENGTH)
  const start = putVar(to, at, zigZag(bytes.length))
  return start + bytes.copy(to, start)
}

function putText(to: Buffer, at: number, text: string): number {
  const start = putVar(to, at, zigZag(Buffer.byteLength(text)))
  return start + to.write(text, start)
}
