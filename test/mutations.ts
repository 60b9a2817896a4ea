/** Records that a hostile or broken producer might write: valid ones mutated in value, key, headers and place. Seeded. */
import type { Message } from 'kafkajs'
import { type HeaderPairs, headersFromPairs } from '../common/headers.ts'
import { partitionOf } from '../common/partition.ts'
import { createRandom, type Random } from '../infra/sample/random.ts'
import { avroOf, eventJson, eventOf } from './events.ts'

const BATCH = 500
const PARTITIONS = 8

const bytesOf = (random: Random, length: number) => Buffer.from(Array.from({ length }, () => random.below(256)))

/** A valid event: first ones, corrections of the same dossiers, cleared fields, texts beyond ASCII. */
function validEvent(random: Random, number: number) {
  const dossier_id = `M-250804-${random.chance(0.3) ? random.below(200) : number}${random.chance(0.1) ? '-đ\ufffd€' : ''}`
  return eventOf(
    eventJson({
      event_id: random.uuid(),
      dossier_id,
      revision: random.below(5),
      source: random.chance(0.1) ? 'Một cửa' : 'mutations',
      channel: random.chance(0.5) ? 'ONLINE' : 'COUNTER',
      cleared: random.chance(0.2) ? ['settled_at', 'due_at'] : [],
      supplement_requests: random.chance(0.3) ? random.below(9) : undefined,
      supplement_pause_ms: random.chance(0.3) ? random.below(2 ** 31) : undefined,
    }),
  )
}

const HOSTILE = [
  'ffffffff0f',
  'feffffff1f',
  'ffffffffffffffffff01',
  'ffffffffffffffffffff7f',
  '80808080808080808000',
  '8080808080808080808000',
  '0100',
  '03fe',
].map(hex => Buffer.from(hex, 'hex'))

type Mutation = (value: Buffer, random: Random, another: Buffer) => Buffer | null
const MUTATIONS: Mutation[] = [
  value => value,
  (value, random) => {
    const copy = Buffer.from(value)
    for (let n = random.between(1, 4); n > 0; n--) {
      const at = random.below(copy.length)
      copy[at] = (copy[at] as number) ^ (1 << random.below(8))
    }
    return copy
  },
  (value, random) => value.subarray(0, random.below(value.length)),
  (value, random, another) => Buffer.concat([value, another.subarray(random.below(6))]),
  (value, random, another) => {
    const at = random.below(value.length)
    return Buffer.concat([value.subarray(0, at), another.subarray(random.below(another.length))])
  },
  (value, random) => {
    const at = random.between(5, value.length - 1)
    const hostile = HOSTILE[random.below(HOSTILE.length)] as Buffer
    return Buffer.concat([value.subarray(0, at), hostile, value.subarray(at + random.below(3))])
  },
  (value, random) => {
    const at = random.between(5, value.length - 1)
    return Buffer.concat([value.subarray(0, at), bytesOf(random, random.between(1, 12)), value.subarray(at)])
  },
  (value, random) => {
    const copy = Buffer.from(value)
    copy.writeUInt32BE(random.chance(0.5) ? random.below(4) : random.below(2 ** 31), 1)
    return copy
  },
  (_, random) => bytesOf(random, random.below(200)),
  () => null,
  (value, random) =>
    Buffer.concat([value.subarray(0, random.between(5, value.length)), Buffer.alloc(random.below(20_000), 0xff)]),
]

const NAMES = [
  'note',
  '',
  'motcua.attempt',
  'motcua.reason',
  '__connect.errors.offset',
  '__connect.errors.topic',
  '__connect.errors.partition',
  '__proto__',
  'constructor',
  'motcua.rehomed_under',
  'toString',
]

const headersOf = (random: Random): HeaderPairs =>
  Array.from({ length: random.below(6) }, () => {
    const name = NAMES[random.below(NAMES.length)] as string
    return [
      name,
      random.chance(0.3)
        ? null
        : random.chance(0.5)
          ? Buffer.from(String(random.below(10)))
          : bytesOf(random, random.below(30)),
    ] as const
  })

function keyOf(dossier_id: string, random: Random): Buffer | string | null {
  if (random.chance(0.8)) return dossier_id
  if (random.chance(0.3)) return null
  const bytes = Buffer.from(dossier_id)
  return random.chance(0.5)
    ? Buffer.concat([bytes, bytesOf(random, 2)])
    : Buffer.from(bytes.map(byte => (random.chance(0.1) ? byte ^ 0x80 : byte)))
}

/** So many records, in batches. */
export function* mutatedRecords(seed: string, count: number): Iterable<Message[]> {
  const random = createRandom(`mutations ${seed}`)
  let batch: Message[] = []
  for (let number = 0; number < count; number++) {
    const event = validEvent(random, number)
    const [value, another] = [avroOf(event), avroOf(validEvent(random, number))]
    const mutation = random.chance(0.25) ? MUTATIONS[0] : MUTATIONS[random.below(MUTATIONS.length)]
    const key = keyOf(event.dossier_id, random)
    batch.push({
      key,
      value: (mutation as Mutation)(value, random, another),
      headers: random.chance(0.3) ? headersFromPairs(headersOf(random)) : undefined,
      partition:
        random.chance(0.1) || key === null
          ? random.below(PARTITIONS)
          : partitionOf(Buffer.from(key as string), PARTITIONS),
    })
    if (batch.length === BATCH) {
      yield batch
      batch = []
    }
  }
  if (batch.length > 0) yield batch
}
