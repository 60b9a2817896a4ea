// What `npm start` says when everything runs: the first figures, how long it took and how much memory it holds, and every
// address. Figures are printed, never asserted.

import type { z } from 'zod'
import { createClickHouse, rowsOf } from '../common/clickhouse.ts'
import type { commonShape } from '../common/config.ts'
import { residentBytes } from './processes.ts'
import { SERVICES, type ServiceName } from './services.ts'

export interface Summary {
  readonly services: z.output<z.ZodObject<typeof commonShape>>
  readonly urls: Readonly<Record<ServiceName, string>>
  readonly runtime: {
    readonly kafka: { readonly pid?: number }
    readonly clickhouse: { readonly pid?: number; readonly url: string }
  }
  /** resident bytes of each service */
  readonly memory: Partial<Record<ServiceName, number>>
  readonly demoKey: string
  /** seconds from the command to the first rates; undefined where no sample was sent */
  readonly firstRates_s: string | undefined
  readonly ready_s: string
  readonly live: boolean
}

const MIB = 2 ** 20
const count = new Intl.NumberFormat('en')
const percent = (rate: number | null) => (rate === null ? '–' : `${(rate * 100).toFixed(2)} %`)

export async function summaryOf(summary: Summary): Promise<string[]> {
  const { services, urls, runtime, demoKey } = summary
  return [
    ...(await countryLines(services)),
    summary.firstRates_s === undefined
      ? `  Ready after ${summary.ready_s} s.`
      : `  First rates after ${summary.firstRates_s} s, all of them after ${summary.ready_s} s.`,
    await memoryLine(summary),
    '',
    `  Page        ${urls.portal}/`,
    `  Rates API   ${urls.portal}/api/rates?tier=province&from=2023-01-01&to=2023-06-30`,
    `  Intake      ${urls.intake}/v1/dossier-events   (Authorization: Bearer ${demoKey})`,
    `  SQL         ${runtime.clickhouse.url}/   (user analyst, database motcua)`,
    `  Kafka       ${services.KAFKA_BROKERS.join(',')}`,
    `  Metrics     ${SERVICES.map(name => `${urls[name]}/metrics`).join('  ')}`,
    '',
    ...(summary.live
      ? ['  A slow live stream of sample events (Phú Thọ) keeps the figures moving; npm run sample -- remove ends it.']
      : []),
    '  Ctrl-C stops everything.',
  ]
}

interface Country {
  received: number
  settled: number
  online_rate: number | null
  on_time_rate: number | null
  sources: string[]
}

async function countryLines(services: Summary['services']): Promise<string[]> {
  const clickhouse = createClickHouse(services, 'analyst')
  try {
    const rows = await rowsOf<Country>(
      clickhouse,
      "SELECT * FROM rates(from = '1990-01-01', to = '2100-01-01', tier = 'country')",
    )
    return rows.map(
      row =>
        `  Country, whole time: ${count.format(row.received)} received, ${percent(row.online_rate)} online; ${count.format(row.settled)} settled, ${percent(row.on_time_rate)} on time${row.sources.includes('sample') ? ' (with sample data)' : ''}.`,
    )
  } finally {
    await clickhouse.close()
  }
}

async function memoryLine({ runtime, memory }: Summary): Promise<string> {
  const bytesOf = async (pid: number | undefined) => (pid === undefined ? undefined : residentBytes(pid))
  const parts: [string, number | undefined][] = [
    ['Kafka', await bytesOf(runtime.kafka.pid)],
    ['ClickHouse', await bytesOf(runtime.clickhouse.pid)],
    ...SERVICES.map((name): [string, number | undefined] => [name, memory[name]]),
    ['npm start itself', process.memoryUsage.rss()],
  ]
  const known = parts.filter((part): part is [string, number] => part[1] !== undefined)
  const total = known.reduce((sum, [, bytes]) => sum + bytes, 0)
  const list = known.map(([name, bytes]) => `${name} ${Math.round(bytes / MIB)}`).join(', ')
  return `  Resident memory: ${count.format(Math.round(total / MIB))} MiB (${list}).`
}
