/**
 * Any set of events of some dossiers, and any way of delivering it. Built so that a failure is readable: events carry little,
 * everything dear to the fold is drawn from short lists that begin with the plain case.
 */
import fc from 'fast-check'
import type { DossierEvent, NullableField } from '../../schemas/dossier-event/event.ts'
import { CHANNELS, EVENT_TYPES, NULLABLE_FIELDS, SERVICE_LEVELS } from '../../schemas/dossier-event/event.ts'
import { codesOf } from './lists.ts'

/** One delivery of an event: in which batch, where in it, through which partition. */
interface Delivery {
  batch: number
  place: number
  partition: number
}

/** What becomes of a batch. Kafka redelivers whatever was not committed, so in the end every batch was done. */
export const FATES = [
  'done',
  /** Done, but the answer got lost: the whole batch again. */
  'answer_lost',
  /** The view threw after the log had the rows: the whole batch again. */
  'view_failed',
  /** The same, read again with other boundaries. */
  'view_failed_then_cut',
  /** The same, read again only after all other batches (its consumer was away). */
  'view_failed_then_late',
] as const
export type Fate = (typeof FATES)[number]

export interface Scenario {
  deliveries: (Delivery & { event: DossierEvent })[]
  fates: Fate[]
}

const LOCAL_MS = 7 * 3_600_000
const DAY_MS = 86_400_000
const BATCHES = 8

/** Today's, ended, unchanged and later communes; districts with and without heirs; provinces, two of them codes of two places. */
const UNITS = ['08746', '08152', '08710', '19742', '232', '243', '318', '26', '25', '24', '15', '10']
const ANY_UNIT = [
  ...new Set(
    ['province', 'district', 'commune'].flatMap(level =>
      ['2025-06-30', '2025-07-01'].flatMap(day => codesOf(level, day)),
    ),
  ),
]

const unit = fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...UNITS) }, fc.constantFrom(...ANY_UNIT))

const DAYS = [
  '2025-08-04',
  '2025-06-30',
  '2025-07-01',
  '2025-06-29',
  '2025-07-31',
  '2025-08-01',
  '2024-02-29',
  '2024-12-31',
  '2025-01-01',
  '1990-01-02',
  '2099-12-31',
]
/** Midnight at +07:00 from both sides, noon, and midnight UTC from both sides. */
const TIMES_OF_DAY_MS = [12 * 3_600_000, 0, DAY_MS - 1, LOCAL_MS - 1, LOCAL_MS]

const time = fc
  .tuple(
    fc.constantFrom(...DAYS),
    fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...TIMES_OF_DAY_MS) }, fc.integer({ min: 0, max: DAY_MS - 1 })),
  )
  .map(([day, ms]) => Date.parse(`${day}T00:00:00Z`) - LOCAL_MS + ms)

/** Nothing, within the day, over a day's border, a month's, before 1970, and what only 64 bits hold. */
const pause = fc.constantFrom(
  0n,
  1n,
  3_600_000n,
  BigInt(DAY_MS),
  BigInt(40 * DAY_MS),
  BigInt(80 * 365 * DAY_MS),
  2n ** 63n - 1n,
)

const VALUES: Record<NullableField, fc.Arbitrary<unknown>> = {
  receiving_unit: unit,
  processing_unit: unit,
  procedure_code: fc.constantFrom('1.000001', '2.000815'),
  sector_code: fc.constantFrom('LAND', 'đất đai'),
  channel: fc.constantFrom(...CHANNELS),
  service_level: fc.constantFrom(...SERVICE_LEVELS),
  received_at: time,
  due_at: time,
  settled_at: time,
  returned_at: time,
  supplement_pause_ms: pause,
  supplement_requests: fc.nat(3),
  fee_due: fc.boolean(),
  paid_online: fc.boolean(),
  digital_result: fc.boolean(),
  digitised: fc.boolean(),
  data_reused: fc.boolean(),
}

/** What an event says of a field: nothing, mostly; else a value, or that it is empty again. */
const saying = (field: NullableField, often: number) =>
  fc.oneof(
    { weight: often, arbitrary: fc.constant(undefined) },
    { weight: 4, arbitrary: VALUES[field].map(value => ({ value })) },
    { weight: 1, arbitrary: fc.constant('cleared' as const) },
  )

/** Fields that move a rate are spoken of more often than the others. */
const OFTEN: readonly NullableField[] = [
  'processing_unit',
  'received_at',
  'settled_at',
  'due_at',
  'channel',
  'supplement_pause_ms',
]
const sayings = fc.record(
  Object.fromEntries(NULLABLE_FIELDS.map(field => [field, saying(field, OFTEN.includes(field) ? 8 : 30)])) as {
    [Field in NullableField]: fc.Arbitrary<undefined | 'cleared' | { value: unknown }>
  },
)

/** Few revisions, so that ties are frequent; and the largest there are. */
const revision = fc.oneof(
  { weight: 12, arbitrary: fc.bigInt({ min: 0n, max: 5n }) },
  fc.constantFrom(2n ** 53n + 1n, 2n ** 53n, 2n ** 63n - 1n),
)

const delivery: fc.Arbitrary<Delivery> = fc.record({
  batch: fc.nat(BATCHES - 1),
  place: fc.nat(9),
  partition: fc.nat(1),
})

/** An event of a dossier, without its names. */
const step = fc.record({
  type: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('RECEIVED', 'SETTLED', 'CORRECTED', 'PROCESSING') },
    fc.constantFrom(...EVENT_TYPES),
  ),
  revision,
  /** The first half of the id; the second half falls as it rises, because ClickHouse's own order of UUIDs goes by that. */
  id: fc.nat(0xffff),
  capitals: fc.boolean(),
  source: fc.constantFrom('a', 'b'),
  occurred_at: time,
  sayings,
  deliveries: fc.array(delivery, { minLength: 1, maxLength: 3 }),
})
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** A reception as most dossiers have it, so that most dossiers count. */
const reception = fc.record({
  unit,
  received_at: time,
  deliveries: fc.array(delivery, { minLength: 1, maxLength: 2 }),
})

const dossier = fc.record({
  /** With the day inside its number, or without. */
  slotted: fc.boolean(),
  reception: fc.option(reception, { freq: 6, nil: undefined }),
  steps: fc.array(step, { minLength: 0, maxLength: 6 }),
})

const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0')

const SILENT = Object.fromEntries(NULLABLE_FIELDS.map(field => [field, null])) as Pick<DossierEvent, NullableField>

function eventOf(step: Omit<Step, 'deliveries'>, dossier_id: string, number: number): DossierEvent {
  const id = `${hex(step.id, 4)}${hex(number, 4)}-0000-4000-8000-${hex(0xffff - step.id, 4)}${hex(number, 8)}`
  const spoken = Object.entries(step.sayings) as [NullableField, undefined | 'cleared' | { value: unknown }][]
  return {
    event_id: step.capitals ? id.toUpperCase() : id,
    dossier_id,
    revision: step.revision,
    event_type: step.type,
    occurred_at: step.occurred_at,
    source: step.source,
    ...SILENT,
    ...Object.fromEntries(spoken.flatMap(([field, said]) => (typeof said === 'object' ? [[field, said.value]] : []))),
    cleared: spoken.flatMap(([field, said]) => (said === 'cleared' ? [field] : [])),
  }
}

/** Any events of some dossiers, delivered anyhow. A delivery costs the same for many as for few. */
export const scenario = (dossiers_min: number, dossiers_max: number): fc.Arbitrary<Scenario> =>
  fc
    .record({
      dossiers: fc.array(dossier, { minLength: dossiers_min, maxLength: dossiers_max, size: 'max' }),
      fates: fc.array(fc.oneof({ weight: 2, arbitrary: fc.constant<Fate>('done') }, fc.constantFrom(...FATES)), {
        minLength: BATCHES,
        maxLength: BATCHES,
      }),
    })
    .map(({ dossiers, fates }) => {
      let number = 0
      const deliveries = dossiers.flatMap(({ slotted, reception, steps }, at) => {
        const dossier_id = slotted ? `H44.12.17-25070${at % 4}-${hex(at, 4)}` : `Hồ sơ ${at}`
        const first = reception && {
          event: eventOf(
            {
              type: 'RECEIVED',
              revision: 1n,
              id: 0x8000,
              capitals: false,
              source: 'a',
              occurred_at: reception.received_at,
              sayings: {
                processing_unit: { value: reception.unit },
                received_at: { value: reception.received_at },
              } as never,
            },
            dossier_id,
            number++,
          ),
          deliveries: reception.deliveries,
        }
        const others = steps.map(one => ({ event: eventOf(one, dossier_id, number++), deliveries: one.deliveries }))
        return [...(first ? [first] : []), ...others].flatMap(({ event, deliveries }) =>
          deliveries.map(delivery => ({ ...delivery, event })),
        )
      })
      return { deliveries, fates }
    })
