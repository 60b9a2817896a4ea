export type LockResult = { ok: true; release: () => void } | { ok: false; holder: number }
export function isAlive(pid: number): boolean
export function lockHolder(file: string): number | null
export function tryLock(file: string): LockResult
export function lock(
  file: string,
  options: { limitMs: number; onWait?: (holder: number) => void },
): Promise<() => void>
