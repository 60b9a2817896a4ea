/** One broker, one engine and all services for the tests in this folder. */
import type { TestProject } from 'vitest/node'
import { SERVICES, type Services } from '../infra/services.ts'
import { startOwnStack } from './own-stack.ts'

/** Where the tests find everything. */
export interface Stack {
  kafkaBrokers: string
  clickhouseUrl: string
  urls: Services['urls']
  pids: Partial<Record<string, number>>
  home: string
  demoKey: string
}

declare module 'vitest' {
  export interface ProvidedContext {
    stack: Stack
    clickhouseUrl: string
    kafkaBrokers: string
  }
}

const DEMO_KEY = 'test-key'

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { home, runtime, services, close } = await startOwnStack({
    more: { MOTCUA_DEMO_KEY: DEMO_KEY, ALERTS_CRON: '* * * * * *', AUDIT_CRON: '*/20 * * * * *' },
  })
  const stack: Stack = {
    kafkaBrokers: runtime.kafka.brokers.join(','),
    clickhouseUrl: runtime.clickhouse.url,
    urls: services.urls,
    pids: Object.fromEntries(SERVICES.map(name => [name, services.pid(name)])),
    home,
    demoKey: DEMO_KEY,
  }
  project.provide('stack', stack)
  project.provide('clickhouseUrl', stack.clickhouseUrl)
  project.provide('kafkaBrokers', stack.kafkaBrokers)
  return close
}
