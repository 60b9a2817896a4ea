/** What a process uses and has used so far, as the kernel counts it. Linux only: elsewhere NaN, and the table says so. */
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

/** The most memory that a process has held at once (resident), in megabytes. */
export function memory_mb_max(pid: number): number {
  try {
    return (Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1_024) / 1e6
  } catch {
    return Number.NaN
  }
}
