/** One logger per process: JSON lines, made readable where a person looks on. Normal operation logs little. */
import { type Logger, pino } from 'pino'

export type Log = Logger

/** A logger whose lines carry the service's name. */
export function createLog(service: string): Log {
  const transport = process.stdout.isTTY
    ? { target: 'pino-pretty', options: { ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss' } }
    : undefined
  return pino({ base: { service }, timestamp: pino.stdTimeFunctions.isoTime, transport })
}
