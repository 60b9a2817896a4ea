/**
 * A request's body as rows: one JSON object, an array of them, or NDJSON (one JSON text a line). What each row holds is the
 * door's business; a line that is no JSON is a row of its own that cannot be read.
 */

export interface BodyRow {
  /** Position among the rows, from 0. */
  index: number
  /** Line in the body, from 1; NDJSON only. */
  line?: number
  /** The JSON value, or `unreadable` where the line is no JSON. */
  value?: unknown
  unreadable?: string
}

/** Rows of a body, or undefined where it is not JSON at all. */
export function rowsOfBody(text: string, contentType: string | undefined): BodyRow[] | undefined {
  const saysLines = /ndjson|jsonl|json-seq/i.test(contentType ?? '')
  if (!saysLines) {
    const whole = parse(text)
    if (whole.ok) {
      const values = Array.isArray(whole.value) ? whole.value : [whole.value]
      return values.map((value, index) => ({ index, value }))
    }
  }
  const rows: BodyRow[] = []
  let readable = 0
  text.split('\n').forEach((raw, at) => {
    const line = raw.trim()
    if (line === '') return
    const parsed = parse(line)
    if (parsed.ok) readable++
    rows.push({
      index: rows.length,
      line: at + 1,
      ...(parsed.ok ? { value: parsed.value } : { unreadable: parsed.why }),
    })
  })
  // Several lines of which one is JSON are NDJSON, whatever the header says; else it is no JSON at all.
  const isNdjson = saysLines ? readable > 0 || rows.length === 0 : readable > 0 && rows.length > 1 && isObject(rows[0])
  return isNdjson ? rows : undefined
}

const isObject = (row: BodyRow | undefined) =>
  row?.unreadable !== undefined || (typeof row?.value === 'object' && row.value !== null)

function parse(text: string): { ok: true; value: unknown } | { ok: false; why: string } {
  try {
    return { ok: true, value: JSON.parse(text) as unknown }
  } catch (error) {
    return { ok: false, why: (error as Error).message }
  }
}
