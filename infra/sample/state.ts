/**
 * `sample.json` in MOTCUA_HOME: which samples were replayed, how, and whether they were removed again. It is written whole or
 * not at all, by one process at a time. What was removed stays away until the home is wiped (`npm start -- --fresh`).
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { lock } from '../lock.mjs'

export class SampleError extends Error {
  readonly code: 'OTHER_SAMPLE' | 'REMOVED' | 'STATE_INVALID' | 'LIVE_STILL_RUNS' | 'INTERRUPTED' | 'NOT_REMOVED'
  constructor(code: SampleError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

const count = z.int().min(0)
const replayed = z.object({
  unit: z.string(),
  valid_from: z.string(),
  title: z.string(),
  remark: z.string(),
  from: z.iso.date(),
  to: z.iso.date(),
  seed: z.string(),
  dossiers: count,
  published: z.object({
    received: count.optional(),
    settled_on_time: count.optional(),
    settled_late: count.optional(),
    online_percent: z.string().optional(),
    on_time_percent: z.string().optional(),
    land_online_percent: z.string().optional(),
  }),
  /** What the views must come to. */
  figures: z.object({
    received: count,
    received_online: count,
    settled: count,
    settled_on_time: count,
    settled_late: count,
    land_received: count,
    land_online: count,
  }),
  /** Records sent to Kafka, repeats included. */
  deliveries: count,
  stage: z.enum(['replaying', 'replayed', 'removed']),
})
export type ReplayedSample = z.output<typeof replayed>

const state = z.object({
  version: z.literal(1),
  /** `npm run sample -- remove` was called: no sample and no live stream from then on. */
  removed: z.boolean(),
  /** How often it was called: a replay under way sees that it must stop. */
  removals: count,
  samples: z.array(replayed),
})
export type SampleState = z.output<typeof state>

const EMPTY: SampleState = { version: 1, removed: false, removals: 0, samples: [] }
const LOCK_MS_MAX = 10_000

export const stateFile = (home: string): string => join(home, 'sample.json')
/** Holds the id of the live stream's process while it runs. */
export const liveLock = (home: string): string => join(home, 'sample-live.lock')

export function readState(home: string): SampleState {
  let text: string
  try {
    text = readFileSync(stateFile(home), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return EMPTY
    throw error
  }
  try {
    return state.parse(JSON.parse(text))
  } catch (cause) {
    throw new SampleError(
      'STATE_INVALID',
      `${stateFile(home)} cannot be understood; npm start -- --fresh begins anew`,
      { cause },
    )
  }
}

export async function updateState(home: string, change: (before: SampleState) => SampleState): Promise<SampleState> {
  mkdirSync(home, { recursive: true })
  const release = await lock(`${stateFile(home)}.lock`, { limitMs: LOCK_MS_MAX })
  try {
    const after = change(readState(home))
    writeFileSync(`${stateFile(home)}.new`, `${JSON.stringify(after, null, 2)}\n`)
    renameSync(`${stateFile(home)}.new`, stateFile(home))
    return after
  } finally {
    release()
  }
}

/** The state with a sample in the place of what it held for the same unit. */
export const withSample = (before: SampleState, sample: ReplayedSample): SampleState => ({
  ...before,
  samples: [...before.samples.filter(other => other.unit !== sample.unit), sample],
})
