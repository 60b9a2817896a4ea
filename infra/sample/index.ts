/** The samples for `npm start`. */
import type { CommonConfig } from '../../common/config.ts'
import { withConnections } from '../../common/environment.ts'
import { type Progress, replaySamples as replayWith, type SamplesReport, samplesOfStart } from './run.ts'
import { readState, SampleError } from './state.ts'

export { ClockError, checkClock, TableError } from './portal-table.ts'
export { type RemoveReport, removeSamples, sampleStatus } from './remove.ts'
export { type Progress, replayPlans, type SampleDeps, type SamplesReport, samplesOfStart } from './run.ts'
export { readState, SampleError, type SampleState } from './state.ts'

export interface StartOptions {
  config: CommonConfig
  /** MOTCUA_HOME, absolute. */
  home: string
  log: (line: string) => void
  onProgress?: (progress: Progress) => void
  now_ms?: () => number
  seed?: string
  /** Scales both samples down to so many dossiers, for tests. */
  dossiers?: number
}

/**
 * Replays the samples where they are not there yet, waits for the views and compares. A second call on the same home sends
 * nothing and compares again. Throws {@link ClockError} where the samples lie ahead of the clock. A sample that cannot be
 * had here (another one stands in its place) is no reason not to start: `lines` says so, and `exact` is false.
 */
export async function replaySamples(options: StartOptions): Promise<SamplesReport> {
  const { config, home, log, onProgress, now_ms, seed, dossiers } = options
  const plans = samplesOfStart(seed, dossiers)
  try {
    return await withConnections(config, connections =>
      replayWith({ ...connections, home, log, onProgress: onProgress ?? sparsely(log), now_ms }, plans),
    )
  } catch (error) {
    if (!(error instanceof SampleError)) throw error
    return {
      removed: false,
      sent: 0,
      first_rates_ms: undefined,
      send_ms: 0,
      exact_ms: 0,
      lines: [error.message],
      exact: false,
    }
  }
}

/** Whether the live stream should run: always, until `npm run sample -- remove`. */
export const liveIsWanted = (home: string): boolean => !readState(home).removed

/** One line per sample, once it is sent. */
const sparsely = (log: (line: string) => void) => (progress: Progress) => {
  if (progress.dossiers === progress.of)
    log(
      `${progress.title}: ${progress.dossiers.toLocaleString('en')} dossiers, ${progress.events.toLocaleString('en')} records sent`,
    )
}
