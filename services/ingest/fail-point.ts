/**
 * Moments at which the fault tests hold or kill this process because no hand from outside could hit them. In production each
 * is an empty call: nothing in the environment or the configuration switches them on, only code that is loaded before the
 * service and puts a function under this symbol (`test/chaos/`).
 */
export type FailPoint = 'classified' | 'written' | 'inserted' | 'committed'

const HOOK = Symbol.for('motcua.fail-point')

export const failPoint = (name: FailPoint): Promise<void> | undefined =>
  (globalThis as { [HOOK]?: (name: FailPoint) => Promise<void> })[HOOK]?.(name)
