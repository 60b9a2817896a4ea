/** What the two commands of this folder share: connections, progress on the screen, and errors in plain words. */
import { ConfigError } from '../../common/config.ts'
import { type Connections, readEnvironment, withConnections } from '../../common/environment.ts'
import { ClockError, TableError } from './portal-table.ts'
import type { Progress } from './run.ts'
import { SampleError } from './state.ts'

export const say = (line: string) => process.stdout.write(`${line}\n`)

/** Runs a command; its number is the exit code. What one can do something about is told without a stack. */
export async function runCommand(
  command: (deps: Connections & { home: string; log: typeof say }) => Promise<number>,
): Promise<void> {
  try {
    const { config, home } = readEnvironment()
    process.exitCode = await withConnections(config, connections => command({ ...connections, home, log: say }))
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`)
    process.exitCode = 1
  }
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if ([ConfigError, TableError, ClockError, SampleError].some(kind => error instanceof kind)) return error.message
  if (error.name.startsWith('KafkaJS') || 'code' in error)
    return `${error.message}\nAre Kafka and ClickHouse running? npm start starts them; KAFKA_BROKERS and CLICKHOUSE_URL name others.`
  return error.stack ?? error.message
}

const BAR_WIDTH = 30
const LINE_MS = 5_000

/** A bar that moves on a terminal; elsewhere a line every few seconds. */
export function createProgress(out: NodeJS.WriteStream = process.stdout) {
  let lined_ms = performance.now()
  const started_ms = performance.now()
  return {
    show({ title, dossiers, of, events }: Progress) {
      const part = of === 0 ? 1 : dossiers / of
      const seconds = (performance.now() - started_ms) / 1000
      const text = `${dossiers.toLocaleString('en')} of ${of.toLocaleString('en')} dossiers, ${events.toLocaleString('en')} events, ${seconds.toFixed(0)} s`
      if (out.isTTY) {
        const full = Math.round(part * BAR_WIDTH)
        const line = `${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)} ${Math.floor(part * 100)} %  ${title}: ${text}`
        out.write(`\r\u001b[2K${line.slice(0, (out.columns ?? 120) - 1)}`)
        return
      }
      if (performance.now() - lined_ms < LINE_MS && part < 1) return
      lined_ms = performance.now()
      out.write(`${Math.floor(part * 100)} %  ${title}: ${text}\n`)
    },
    /** Only on a terminal: elsewhere the table comes soon enough. */
    wait({ arrived, sent }: { arrived: number; sent: number }) {
      if (out.isTTY)
        out.write(`\r\u001b[2KClickHouse has ${arrived.toLocaleString('en')} of ${sent.toLocaleString('en')} records …`)
    },
    end() {
      if (out.isTTY) out.write('\r\u001b[2K')
    },
  }
}
