/**
 * The good records of a batch: where the bytes of each event lie, and what ingest adds to them, in columns that are used again
 * for the next batch. Nothing is made for a single row.
 */

/** Bytes that bodies lie in, of one partition. */
export interface Bodies {
  bytes: Buffer
  /** Has to stand behind each body: the defaults of fields that its schema does not have yet. */
  suffix: Buffer
  partition: number
  topic_epoch: number
}

const ROWS_MIN = 4_096

export class Rows {
  length = 0
  private readonly bodies: Bodies[] = []
  private which = new Uint32Array(ROWS_MIN)
  private from = new Uint32Array(ROWS_MIN)
  private to = new Uint32Array(ROWS_MIN)
  /** Bits of what the event speaks of (says.ts). */
  says = new Uint32Array(ROWS_MIN)
  offset = new Float64Array(ROWS_MIN)
  timestamp_ms = new Float64Array(ROWS_MIN)

  /** A row whose body lies in the bytes from `from` to `to`. */
  add(bodies: Bodies, from: number, to: number, says: number, offset: number, timestamp_ms: number): void {
    if (this.length === this.which.length) this.grow()
    if (this.bodies.at(-1) !== bodies) this.bodies.push(bodies)
    const row = this.length++
    this.which[row] = this.bodies.length - 1
    this.from[row] = from
    this.to[row] = to
    this.says[row] = says
    this.offset[row] = offset
    this.timestamp_ms[row] = timestamp_ms
  }

  bodiesOf(row: number): Bodies {
    return this.bodies[this.which[row] as number] as Bodies
  }

  /** Bytes of all bodies, with what stands behind them. */
  bodyBytes(): number {
    let bytes = 0
    for (let row = 0; row < this.length; row++)
      bytes += (this.to[row] as number) - (this.from[row] as number) + this.bodiesOf(row).suffix.length
    return bytes
  }

  /** Copies a body into a buffer; answers where it ends. */
  copyBody(row: number, into: Buffer, start: number): number {
    const { bytes, suffix } = this.bodiesOf(row)
    const end = start + bytes.copy(into, start, this.from[row], this.to[row])
    return suffix.length === 0 ? end : end + suffix.copy(into, end)
  }

  partitions = (): Set<number> => new Set(this.bodies.map(({ partition }) => partition))

  /** Empties it, and lets go of the bytes. */
  clear(): this {
    this.length = 0
    this.bodies.length = 0
    return this
  }

  private grow(): void {
    const larger = <Column extends Uint32Array | Float64Array>(column: Column): Column => {
      const made = new (column.constructor as new (length: number) => Column)(2 * column.length)
      made.set(column)
      return made
    }
    this.which = larger(this.which)
    this.from = larger(this.from)
    this.to = larger(this.to)
    this.says = larger(this.says)
    this.offset = larger(this.offset)
    this.timestamp_ms = larger(this.timestamp_ms)
  }
}
