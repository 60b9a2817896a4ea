/**
 * One broker, one engine and all services for the tests in this folder: real processes, on ports and in a home of their own,
 * so that it works beside a running `npm start`. KAFKA_BROKERS and CLICKHOUSE_URL put it on others.
 */
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import type { TestProject } from 'vitest/node'
import { z } from 'zod'
import { freePort } from '../infra/ports.ts'
import { startRuntime } from '../infra/runtime.ts'
import { addressesOf, SERVICES, type Services, startServices } from '../infra/services.ts'
import { prepareDatabase } from '../pipelines/prepare.ts'
import { commonShape, readConfig } from '../services/common/config.ts'
import { createKafka, ensureTopics } from '../services/common/kafka.ts'

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

const HOST = '127.0.0.1'
const DEMO_KEY = 'test-key'

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const home = mkdtempSync(join(tmpdir(), 'motcua-test-'))
  const closing: (() => Promise<unknown>)[] = [() => rm(home, { recursive: true, force: true })]
  const close = async () => {
    for (const step of closing.reverse()) await step()
  }
  try {
    const runtime = await startRuntime({
      home,
      host: HOST,
      kafkaPort: await freePort(HOST),
      clickhousePort: await freePort(HOST),
      env: { ...process.env, MOTCUA_HOME: home },
      log: () => undefined,
      onExit: exit => console.error(`${exit.name} ended during the tests`),
    })
    closing.push(() => runtime.stop())
    const ports = Object.fromEntries(
      await Promise.all(SERVICES.map(async name => [name, await freePort(HOST)])),
    ) as Record<(typeof SERVICES)[number], number>
    const env = {
      ...process.env,
      ...addressesOf(runtime, ports),
      BIND_ADDRESS: HOST,
      MOTCUA_HOME: home,
      MOTCUA_DEMO_KEY: DEMO_KEY,
      ALERTS_CRON: '* * * * * *',
      AUDIT_CRON: '*/20 * * * * *',
    }
    const config = readConfig(z.object(commonShape), env)
    await Promise.all([
      ensureTopics(createKafka(config, 'motcua-test', pino({ level: 'error' }))),
      prepareDatabase(config),
    ])
    const services = await startServices({
      env,
      host: HOST,
      ports,
      logs: join(home, 'logs'),
      log: line => console.error(line),
    })
    closing.push(() => services.stop())
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
  } catch (error) {
    await close()
    throw error
  }
  return close
}
