/**
 * What every `main.ts` does around its service: report a bad configuration in plain words, listen, stop cleanly within a
 * limit, and end with an error code on anything unknown.
 */
import closeWithGrace from 'close-with-grace'
import type { FastifyInstance } from 'fastify'
import { ConfigError } from './config.ts'
import { createLog, type Log } from './log.ts'

const STOP_MS_MAX = 20_000

export interface RunningService {
  http: FastifyInstance
  host: string
  port: number
  /** Variable to name where the port is in use. */
  portVariable: string
  /** Called before the HTTP server closes. */
  stop?: () => Promise<void>
}

/** Runs a service until a signal or a fatal error. `crash` ends the process with code 1, uncommitted work left as it is. */
export async function runService(
  name: string,
  start: (log: Log, crash: (error: unknown) => void) => Promise<RunningService>,
): Promise<void> {
  const log = createLog(name)
  const crash = (error: unknown) => {
    log.fatal({ err: error }, 'stopping: this is not a failure one can work around')
    process.exitCode = 1
    setTimeout(() => process.exit(1), 100)
  }
  try {
    const service = await start(log, crash)
    await service.http.listen({ host: service.host, port: service.port })
    log.info(`listening on http://${service.host}:${service.port}`)
    closeWithGrace({ delay: STOP_MS_MAX, logger: false }, async ({ err }) => {
      if (err !== undefined) log.fatal({ err }, 'unhandled error')
      await service.stop?.()
      await service.http.close()
    })
  } catch (error) {
    if (error instanceof ConfigError || isRefusal(error)) log.fatal((error as Error).message)
    else if (isAddressInUse(error))
      log.fatal(`port ${error.port} is in use; give another one in the variable that ends in _PORT for ${name}`)
    else log.fatal({ err: error }, 'could not start')
    process.exit(1)
  }
}

const isAddressInUse = (error: unknown): error is { port: number } =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === 'EADDRINUSE'

/** A server that a service refuses to work with has said why. */
const isRefusal = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === 'SERVER_REFUSED'
