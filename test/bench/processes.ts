/** What a process has used so far, as the kernel counts it. Linux only: elsewhere NaN, and the table says so. */
import { readFileSync } from 'node:fs'

const TICKS_PER_S = 100

/** User and system time of a process in microseconds. */
export function cpu_us(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_S) * 1e6
  } catch {
    return Number.NaN
  }
}
