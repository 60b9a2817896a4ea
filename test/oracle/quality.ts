/**
 * What the views on data quality must give, delivery by delivery: from contract.md ("Fold") and the comments of the views.
 * No SQL, no module of pipelines/.
 */
import { readFileSync } from 'node:fs'
import { parse } from 'csv-parse/sync'
import { type DossierEvent, NULLABLE_FIELDS } from '../../schemas/dossier-event/event.ts'

/** A row of the log; deliveries of one moment lie in the order of their offsets. */
export interface Delivered {
  event: DossierEvent
  ingested_ms: number
  offset: number
}

const LOCAL_MS = 7 * 3_600_000
const DAY_MS = 86_400_000
const localDay = (ms: number) => new Date(ms + LOCAL_MS).toISOString().slice(0, 10)
const sectors = new Map(
  (
    parse(readFileSync(new URL('../data/catalogue/procedures.csv', import.meta.url)), { columns: true }) as Record<
      string,
      string
    >[]
  ).map(row => [row.procedure_code as string, row.sector_code as string]),
)
/** The nearest rank, in whole numbers. */
const quantile = (numbers: readonly number[], percent: number) =>
  [...numbers].sort((a, b) => a - b)[Math.ceil((percent * numbers.length) / 100) - 1] ?? null

/** What all events of a dossier say of it; fields that nothing is known of are left out. */
function said(events: readonly DossierEvent[]): Partial<DossierEvent> {
  const lowestFirst = [...events].sort((a, b) =>
    a.revision === b.revision
      ? a.event_id.toLowerCase().localeCompare(b.event_id.toLowerCase(), 'en')
      : Number(a.revision - b.revision > 0n ? 1 : -1),
  )
  const state: Record<string, unknown> = {}
  for (const event of lowestFirst)
    for (const field of NULLABLE_FIELDS) {
      if (event[field] !== null) state[field] = event[field]
      else if (event.cleared.includes(field)) delete state[field]
    }
  return state as Partial<DossierEvent>
}

/** The rows of data_quality(from=, to=). */
export function dataQuality(log: readonly Delivered[], { from, to }: { from: string; to: string }) {
  const rows = new Map<string, { key: object; dossiers: Partial<DossierEvent>[]; all: number; firsts: Delivered[] }>()
  for (const own of Map.groupBy(log, ({ event }) => event.dossier_id).values()) {
    const state = said(own.map(({ event }) => event))
    const inOrder = [...own].sort((a, b) => a.ingested_ms - b.ingested_ms || a.offset - b.offset)
    const isFirst = (one: Delivered) =>
      inOrder.find(other => other.event.event_id.toLowerCase() === one.event.event_id.toLowerCase()) === one
    const unit_code = state.processing_unit ?? state.receiving_unit ?? ''
    const sector_code = sectors.get(state.procedure_code ?? '') || (state.sector_code ?? '')
    const within = own.filter(({ ingested_ms }) => from <= localDay(ingested_ms) && localDay(ingested_ms) <= to)
    for (const of of Map.groupBy(within, one => `${localDay(one.ingested_ms)} ${one.event.source}`).values()) {
      const [{ event, ingested_ms }] = of as [Delivered]
      const key = { day: localDay(ingested_ms), source: event.source, unit_code, sector_code }
      const text = Object.values(key).join('\u0000')
      const row = rows.get(text) ?? { key, dossiers: [], all: 0, firsts: [] }
      row.dossiers.push(state)
      row.all += of.length
      row.firsts.push(...of.filter(isFirst))
      rows.set(text, row)
    }
  }
  return [...rows]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { key, dossiers, all, firsts }]) => {
      const delays = firsts.map(({ event, ingested_ms }) => ingested_ms - event.occurred_at)
      const seconds = (ms: number | null) => (ms === null ? null : ms / 1_000)
      const share = (field: string) => dossiers.filter(state => field in state).length / dossiers.length
      return {
        ...key,
        events: all,
        distinct_events: firsts.length,
        repeats: all - firsts.length,
        corrections: firsts.filter(({ event }) => event.event_type === 'CORRECTED').length,
        voids: firsts.filter(({ event }) => event.event_type === 'VOIDED').length,
        dossiers: dossiers.length,
        unknown_procedures: dossiers.filter(
          ({ procedure_code }) => procedure_code != null && !sectors.has(procedure_code),
        ).length,
        known: Object.fromEntries(NULLABLE_FIELDS.map(field => [field, share(field)])),
        delay_p50_s: seconds(quantile(delays, 50)),
        delay_p95_s: seconds(quantile(delays, 95)),
      }
    })
}

/** The rows of silent_sources(at=). */
export function silentSources(log: readonly Delivered[], at_ms: number) {
  const recent = log.filter(({ ingested_ms }) => ingested_ms <= at_ms && ingested_ms > at_ms - 90 * DAY_MS)
  const numberOf = (ms: number) => Math.floor((ms + LOCAL_MS) / DAY_MS)
  return [...Map.groupBy(recent, ({ event }) => event.source)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([source, of]) => {
      const days = [...new Set(of.map(({ ingested_ms }) => numberOf(ingested_ms)))].sort((a, b) => a - b)
      const gaps = days.slice(1).map((day, before) => day - (days[before] as number))
      const longest = gaps.length === 0 ? null : Math.max(...gaps)
      const silent = numberOf(at_ms) - Math.max(...days)
      return {
        source,
        active_days: days.length,
        usual_gap_days: quantile(gaps, 50),
        longest_gap_days: longest,
        silent_days: silent,
        longer_than_ever: longest !== null && silent > longest,
      }
    })
}
