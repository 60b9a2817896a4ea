/** Whole numbers as Kafka and Avro write them: zigzag, so that small ones of either sign are short, seven bits a byte. */

/** What is written of a value. A number as long as twice the value is exact, else a bigint. */
export function zigZag(value: number): number | bigint {
  if (Number.isNaN(value)) return 0
  if (Math.abs(value) < 2 ** 51) return value >= 0 ? value * 2 : -value * 2 - 1
  const big = BigInt(value)
  return BigInt.asUintN(64, (big << 1n) ^ (big >> 63n))
}

export function sizeOfVar(bits: number | bigint): number {
  let bytes = 1
  if (typeof bits === 'bigint') for (let rest = bits; rest >= 128n; rest >>= 7n) bytes++
  else for (let rest = bits; rest >= 128; rest = Math.floor(rest / 128)) bytes++
  return bytes
}

/** Answers where it ends. */
export function putVar(to: Buffer, start: number, bits: number | bigint): number {
  let at = start
  let rest = bits
  for (; typeof rest === 'bigint' && rest >= 128n; rest >>= 7n) to[at++] = Number(rest & 0x7fn) | 0x80
  let last = Number(rest)
  for (; last >= 128; last = Math.floor(last / 128)) to[at++] = (last % 128) | 0x80
  to[at++] = last
  return at
}
