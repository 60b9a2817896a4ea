export interface Deathwatch {
  readonly pid: number | undefined
  dismiss(): void
}
export function watchOver(pid: number, graceSeconds?: number): Deathwatch
