/**
 * The good records of a batch: where the bytes of each event lie, and what ingest adds to them, in columns that are used again
 * for the next batch. Nothing is made for a single row.
 */
import type { Place } from '../common/records.ts'

const GROWTH = 2
const ROWS_MIN = 4_096
const NOTHING = Buffer.alloc(0)

/** What a row says beside its place in Kafka. */
export interface RowFacts {
  /** Bits of what the event speaks of (says.ts). */
  says: number
  partition: number
  topic_epoch: number
}

export class Rows {
  length = 0
  /** The bytes that bodies lie in, and behind which bytes: few for many rows. */
  private readonly sources: { bytes: Buffer; suffix: Buffer }[] = []
  private capacity = 0
  private source = new Uint32Array(0)
  private from = new Uint32Array(0)
  private to = new Uint32Array(0)
  private saysOf = new Uint32Array(0)
  private partitionOf = new Uint32Array(0)
  private epochOf = new Uint32Array(0)
  private offsetOf = new Float64Array(0)
  private timeOf = new Float64Array(0)

  /** The event's body lies in `bytes`, from `from` to `to`; `suffix` has to stand behind it. */
  add(
    bytes: Buffer,
    from: number,
    to: number,
    suffix: Buffer,
    place: Pick<Place, 'offset' | 'timestamp_ms'>,
    facts: RowFacts,
  ): void {
    if (this.length === this.capacity) this.grow()
    const last = this.sources.at(-1)
    if (last?.bytes !== bytes || last.suffix !== suffix) this.sources.push({ bytes, suffix })
    const at = this.length++
    this.source[at] = this.sources.length - 1
    this.from[at] = from
    this.to[at] = to
    this.saysOf[at] = facts.says
    this.partitionOf[at] = facts.partition
    this.epochOf[at] = facts.topic_epoch
    this.offsetOf[at] = place.offset
    this.timeOf[at] = place.timestamp_ms
  }

  /** Bytes of the bodies of all rows, with what stands behind them. */
  get body_bytes(): number {
    let bytes = 0
    for (let at = 0; at < this.length; at++)
      bytes += this.at(this.to, at) - this.at(this.from, at) + this.suffixAt(at).length
    return bytes
  }

  /** Copies a body into a buffer; answers where it ends. */
  copyBody(at: number, into: Buffer, start: number): number {
    const { bytes, suffix } = this.sourceAt(at)
    const end = start + bytes.copy(into, start, this.from[at], this.to[at])
    return suffix.length === 0 ? end : end + suffix.copy(into, end)
  }

  says = (at: number) => this.at(this.saysOf, at)
  partition = (at: number) => this.at(this.partitionOf, at)
  topic_epoch = (at: number) => this.at(this.epochOf, at)
  offset = (at: number) => this.at(this.offsetOf, at)
  timestamp_ms = (at: number) => this.at(this.timeOf, at)

  partitions(): Set<number> {
    const all = new Set<number>()
    for (let at = 0; at < this.length; at++) all.add(this.partition(at))
    return all
  }

  /** Empties it, and lets go of the bytes. */
  clear(): this {
    this.length = 0
    this.sources.length = 0
    return this
  }

  private at(column: Uint32Array | Float64Array, at: number): number {
    return column[at] as number
  }
  private sourceAt(at: number) {
    return this.sources[this.source[at] as number] ?? { bytes: NOTHING, suffix: NOTHING }
  }
  private suffixAt = (at: number) => this.sourceAt(at).suffix

  private grow(): void {
    this.capacity = Math.max(ROWS_MIN, this.capacity * GROWTH)
    const larger = <Column extends Uint32Array | Float64Array>(column: Column): Column => {
      const made = new (column.constructor as new (length: number) => Column)(this.capacity)
      made.set(column)
      return made
    }
    this.source = larger(this.source)
    this.from = larger(this.from)
    this.to = larger(this.to)
    this.saysOf = larger(this.saysOf)
    this.partitionOf = larger(this.partitionOf)
    this.epochOf = larger(this.epochOf)
    this.offsetOf = larger(this.offsetOf)
    this.timeOf = larger(this.timeOf)
  }
}
