/** One ClickHouse for tests that make a database of their own and need nothing else. CLICKHOUSE_URL puts them on another. */
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { startClickHouseAlone } from '../infra/runtime.ts'
import { prepareDatabase } from '../pipelines/prepare.ts'
import { clickhouseOptions } from './own-stack.ts'

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const home = mkdtempSync(join(tmpdir(), 'motcua-test-clickhouse-'))
  const { clickhouse, stop } = await startClickHouseAlone(await clickhouseOptions(home))
  // Its lists are copied into the databases of tests (own-database.ts).
  await prepareDatabase({ CLICKHOUSE_URL: clickhouse.url })
  project.provide('clickhouseUrl', clickhouse.url)
  return async () => {
    await stop()
    await rm(home, { recursive: true, force: true })
  }
}
