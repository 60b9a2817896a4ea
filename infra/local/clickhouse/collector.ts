/** Bytes that arrive in pieces, taken out in pieces of other sizes. */
export function createCollector() {
  let parts: Buffer[] = []
  let size = 0

  function whole(): Buffer {
    if (parts.length > 1) parts = [Buffer.concat(parts)]
    return parts[0] ?? Buffer.alloc(0)
  }

  return {
    get size() {
      return size
    },
    add(part: Buffer): void {
      parts.push(part)
      size += part.length
    },
    /** The next `count` bytes, undefined while there are fewer. */
    peek(count: number): Buffer | undefined {
      if (size < count) return undefined
      const [first] = parts
      return (first && first.length >= count ? first : whole()).subarray(0, count)
    },
    /** The same, and they are gone from here. */
    take(count: number): Buffer | undefined {
      if (size < count) return undefined
      const all = whole()
      parts = [all.subarray(count)]
      size -= count
      return all.subarray(0, count)
    },
  }
}
