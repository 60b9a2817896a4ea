/** Properties that are tried for a while: on anything drawn, until the time is over. */
import fc from 'fast-check'

/** How long a property is tried: shortly in npm test, a fifth of EXACTNESS_SECONDS in npm run test:long. */
export const propertySeconds = (short: number): number =>
  process.env.EXACTNESS_SECONDS === undefined ? short : Number(process.env.EXACTNESS_SECONDS) / 5

/** Resolves to how many were tried; none is begun after `seconds`. A failure is fast-check's, with seed and counterexample. */
export async function forAny<Drawn extends [unknown, ...unknown[]]>(
  { seconds, ...parameters }: fc.Parameters<Drawn> & { seconds: number },
  drawn: { [At in keyof Drawn]: fc.Arbitrary<Drawn[At]> },
  holds: (...drawn: Drawn) => Promise<void>,
): Promise<number> {
  const end_ms = performance.now() + seconds * 1_000
  let runs = 0
  const property = fc.asyncProperty<Drawn>(...drawn, async (...values) => {
    if (performance.now() > end_ms) return
    runs++
    await holds(...values)
  })
  await fc.assert(property, parameters)
  return runs
}
