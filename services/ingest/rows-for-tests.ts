/** Rows of a batch, made from events. */
import type { DossierEvent } from '../../schemas/dossier-event/fields.ts'
import { saysOf } from '../../schemas/dossier-event/says.ts'
import { newestType } from '../../schemas/registry.ts'
import { Rows } from './rows.ts'

export interface GoodRow {
  event: DossierEvent
  partition: number
  offset: bigint
  topic_epoch: number
  timestamp_ms: number
}

const type = newestType('dossier-event')
const NOTHING = Buffer.alloc(0)

export function rowsFrom(good: readonly GoodRow[]): Rows {
  const rows = new Rows()
  for (const { event, offset, timestamp_ms, ...of } of good) {
    const bytes = type.toBuffer(event)
    rows.add({ bytes, suffix: NOTHING, ...of }, 0, bytes.length, saysOf(event), Number(offset), timestamp_ms)
  }
  return rows
}
