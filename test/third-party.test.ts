/**
 * A third-party producer (librdkafka from Python, fastavro, its own CRC32 partitioner) feeds the topic beside kafkajs, both
 * speaking of the same dossiers. Its records land in other partitions than ours; the rates stay exact all the same.
 */
import { execFile, execFileSync, spawn } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { rowsOf } from '../common/clickhouse.ts'
import type { DossierEvent } from '../schemas/dossier-event/event.ts'
import { allIngested, clickhouseOfTests, eventJson, eventOf, messageOf, producerOfTests } from './events.ts'

const run = promisify(execFile)
const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const requirements = path('third-party/requirements.txt')
const venv = path(
  `../node_modules/.cache/motcua/python-${createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12)}`,
)

const hasPython = (() => {
  try {
    execFileSync('python3', ['-c', 'import venv, ensurepip'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()

beforeAll(async () => {
  if (!hasPython || existsSync(`${venv}/ready`)) return
  await rm(venv, { recursive: true, force: true })
  await run('python3', ['-m', 'venv', venv])
  await run(`${venv}/bin/pip`, ['install', '--quiet', '--disable-pip-version-check', '-r', requirements])
  await run('touch', [`${venv}/ready`])
}, 180_000)

const clickhouse = clickhouseOfTests('analyst')
const producer = await producerOfTests()
afterAll(() => producer.disconnect())

/** Sends events through librdkafka; resolves when all are acknowledged. */
function sendByLibrdkafka(events: DossierEvent[]): Promise<number> {
  const child = spawn(
    `${venv}/bin/python`,
    [path('third-party/producer.py'), inject('kafkaBrokers'), path('../schemas/dossier-event/v1.avsc'), '1'],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  let output = ''
  child.stdout.on('data', chunk => {
    output += chunk
  })
  child.stdin.end(
    events
      .map(event => JSON.stringify(event, (_, value) => (typeof value === 'bigint' ? Number(value) : value)))
      .join('\n'),
  )
  return new Promise((resolve, reject) =>
    child.on('exit', code =>
      code === 0 ? resolve(Number(output)) : reject(new Error(`producer.py ended with ${code}`)),
    ),
  )
}

test.skipIf(!hasPython)(
  'librdkafka and kafkajs speak of the same dossiers at once, with repeats; every count is exact',
  async () => {
    const dossiers = Array.from({ length: 400 }, (_, at) => `PY-${randomUUID().slice(0, 13)}-${at}`)
    // A month that no other test touches.
    const received = dossiers.map((dossier_id, at) =>
      eventOf(
        eventJson({
          dossier_id,
          channel: at % 4 === 0 ? 'COUNTER' : 'ONLINE',
          received_at: '2020-02-03T09:00:00+07:00',
          due_at: '2020-02-10T17:00:00+07:00',
        }),
      ),
    )
    const settled = dossiers.map((dossier_id, at) =>
      eventOf(
        eventJson({
          dossier_id,
          revision: 2,
          event_type: 'SETTLED',
          processing_unit: undefined,
          channel: undefined,
          received_at: undefined,
          settled_at: at % 5 === 0 ? '2020-02-12T09:00:00+07:00' : '2020-02-07T09:00:00+07:00',
        }),
      ),
    )
    const before = await rehomed()
    const [count] = await Promise.all([
      sendByLibrdkafka([...received, ...received.slice(0, 50), ...settled.filter((_, at) => at % 2 === 0)]),
      producer.send({
        topic: 'dossier-events',
        acks: -1,
        messages: [...settled.filter((_, at) => at % 2 === 1), ...received.slice(100, 150)].map(messageOf),
      }),
    ])
    expect(count).toBe(650)
    await allIngested()
    await allIngested()
    const rows = await rowsOf(
      clickhouse,
      "SELECT unit_code, received, received_online, settled, settled_early, settled_late FROM rates(from='2020-02-01', to='2020-02-29', tier='commune')",
    )
    expect(rows).toEqual([
      { unit_code: '08746', received: 400, received_online: 300, settled: 400, settled_early: 320, settled_late: 80 },
    ])
    // Not by luck: most of its records did lie elsewhere.
    expect((await rehomed()) - before).toBeGreaterThan(300)
  },
)

async function rehomed(): Promise<number> {
  const text = await (await fetch(`${inject('stack').urls.ingest}/metrics`)).text()
  return Number(/^motcua_rehomed_total\{[^}]*\} (\d+)$/m.exec(text)?.[1] ?? 0)
}
