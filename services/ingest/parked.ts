/** Records that are set aside without being decoded: they become dead letters with reason `undecodable` (classify.ts). */
import type { Log } from '../../common/log.ts'
import type { KafkaRecord } from '../../common/records.ts'

export interface Parked {
  park(partition: number, record: KafkaRecord, why: string): void
  /** Why a record was parked; undefined: it was not. */
  why(partition: number, offset: number | bigint): string | undefined
}

export function createParked(epochOf: (partition: number) => number, log: Log): Parked {
  const reasons = new Map<string, string>()
  const nameOf = (partition: number, offset: number | bigint) => `${epochOf(partition)} ${partition} ${offset}`
  return {
    park(partition, { offset }, why) {
      reasons.set(nameOf(partition, offset), why)
      log.error({ partition, offset: String(offset), why }, 'a record is parked as a dead letter')
    },
    why: (partition, offset) => (reasons.size === 0 ? undefined : reasons.get(nameOf(partition, offset))),
  }
}
