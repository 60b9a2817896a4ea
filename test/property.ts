/** Properties that are tried for a while: on anything drawn, until the time is over. */
import fc from 'fast-check'

/** How long a property is tried: shortly in npm test, a fifth of EXACTNESS_SECONDS in npm run test:long. */
export const propertySeconds = (short: number): number =>
  process.env.EXACTNESS_SECONDS === undefined ? short : Number(process.env.EXACTNESS_SECONDS) / 5

/** On a busy machine the time may be over before anything was shown. */
const RUNS_MIN = 6

/**
 * Resolves to how many were tried; after {@link RUNS_MIN} none is begun after `seconds`. A failure is fast-check's, with seed
 * and counterexample.
 */
export async function forAny<Drawn extends [unknown, ...unknown[]]>(
  { seconds, ...parameters }: fc.Parameters<Drawn> & { seconds: number },
  drawn: { [At in keyof Drawn]: fc.Arbitrary<Drawn[At]> },
  holds: (...drawn: Drawn) => Promise<void>,
): Promise<number> {
  const end_ms = performance.now() + seconds * 1_000
  let runs = 0
  const property = fc.asyncProperty<Drawn>(...drawn, async (...values) => {
    if (performance.now() > end_ms && runs >= RUNS_MIN) return
    runs++
    await holds(...values)
  })
  await fc.assert(property, parameters)
  return runs
}
