/**
 * Puts code of ours in the place of kafkajs's own, for the whole process, where other producers can stop or mislead that.
 *
 * kafkajs loads its code for records at its first send or fetch, so the import may come after that of kafkajs, not after such
 * a call: then it throws.
 */
import Module, { createRequire } from 'node:module'
import { type AbortedTransaction, hideAborted } from './aborted.ts'
import { decodeMessages } from './read-records.ts'
import type { RecordBatch } from './records.ts'
import { encodeRecord } from './write-records.ts'

const OURS = Symbol.for('motcua.kafka-records')
const require = createRequire(import.meta.url)

/** Throws where kafkajs holds its own code already. */
function replace(path: string, code: object): void {
  const file = require.resolve(`kafkajs/src/${path}`)
  const loaded = require.cache[file]
  if (loaded !== undefined && OURS in loaded.exports) return
  if (loaded !== undefined)
    throw new Error(`kafkajs has loaded ${path} already: import common/kafka.ts before the first send or fetch`)
  const module = new Module(file)
  module.filename = file
  module.loaded = true
  module.exports = Object.assign(code, { [OURS]: true })
  require.cache[file] = module
}

replace('protocol/requests/fetch/v4/decodeMessages.js', decodeMessages)
replace('protocol/recordBatch/record/v0/index.js', encodeRecord)

interface Answer {
  responses: { partitions: { messages: RecordBatch[]; abortedTransactions: readonly AbortedTransaction[] }[] }[]
}
interface AnswerReader {
  decode(bytes: Buffer): Promise<Answer>
  [OURS]?: true
}

/** Fetches of the versions that know transactions: what was aborted is hidden, and kafkajs has nothing left to filter. */
for (let version = 4; version <= 11; version++) {
  const reader: AnswerReader = require(`kafkajs/src/protocol/requests/fetch/v${version}/response.js`)
  if (reader[OURS]) continue
  const { decode } = reader
  reader[OURS] = true
  reader.decode = async bytes => {
    const answer = await decode(bytes)
    for (const { partitions } of answer.responses)
      for (const partition of partitions) {
        hideAborted(partition.messages, partition.abortedTransactions)
        partition.abortedTransactions = []
      }
    return answer
  }
}
