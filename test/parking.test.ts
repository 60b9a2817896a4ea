/**
 * A record at which ingest fails, dies or hangs is parked, and nothing else is: ingest processes of their own run from a copy of
 * the sources whose decoder fails at marked records. What fails everywhere parks nothing, and neither do kills from outside.
 */
import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Message } from 'kafkajs'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { rowsOf } from '../common/clickhouse.ts'
import { partitionOf } from '../common/partition.ts'
import { caughtUp, TOPIC, topicEnds, untilNow } from '../common/progress.ts'
import { accountFor, type Ends } from './accounting.ts'
import { copyProject } from './chaos/project.ts'
import { type Member, type Stack, startStack, temporaryHome } from './chaos/stack.ts'
import { avroOf, eventJson, eventOf, eventually } from './events.ts'

/** Kills from outside at one batch; ten in the long form. */
const KILLS = Number(process.env.PARKING_KILLS ?? 4)
const RESTART_MS = 20_000

let stack: Stack
let faulty: string
const closing: (() => Promise<unknown>)[] = []
const members: Member[] = []

beforeAll(async () => {
  const { home, remove } = await temporaryHome(tmpdir())
  closing.push(remove)
  stack = await startStack(home)
  closing.push(() => stack.close())
  faulty = await copyProject(join(home, 'faulty'), [
    {
      file: 'schemas/dossier-event/codec.ts',
      from: '  function judgeRecord(record: RecordToJudge): Verdict {\n',
      to: `  function judgeRecord(record: RecordToJudge): Verdict {
    if (record.value?.includes('FAIL-HERE')) throw new TypeError('a fault of the program')
    if (record.value?.includes('DIE-HERE')) process.kill(process.pid, 'SIGKILL')
    if (record.value?.includes('HANG-HERE')) for (;;);
`,
    },
    {
      file: 'schemas/dossier-event/scanner.ts',
      from: '      body.start(bytes, at, end)\n',
      to: `      body.start(bytes, at, end)
    const value = bytes.subarray(at, end)
    if (value.includes('FAIL-HERE')) throw new TypeError('a fault of the program')
    if (value.includes('DIE-HERE')) process.kill(process.pid, 'SIGKILL')
    if (value.includes('HANG-HERE')) for (;;);
`,
    },
    {
      file: 'services/ingest/container.ts',
      from: '  return { file: containerFile(STORED_HEADER',
      to: `  if (memory.subarray(0, at).includes('DIE-LATE')) process.kill(process.pid, 'SIGKILL')
  return { file: containerFile(STORED_HEADER`,
    },
  ])
  closing.push(() => rm(faulty, { recursive: true, force: true }))
}, 180_000)
afterAll(async () => {
  for (const step of closing.reverse()) await step()
})

let from: Ends
let before: number
beforeEach(async () => {
  await Promise.all(members.splice(0).map(member => member.stop()))
  stack.control.forget()
  from = await topicEnds(stack.kafka)
  before = await counted()
})

const counted = async () =>
  (await rowsOf<{ n: number }>(stack.clickhouse, 'SELECT count() AS n FROM dossiers WHERE counted'))[0]?.n ?? 0
async function member(name: string, options: { project?: string; holds?: Record<string, number> } = {}) {
  const started = await stack.member(name, options.holds, options.project)
  members.push(started)
  return started
}
/** A good event whose dossier is marked, in partition 3 unless told otherwise. */
function record(mark = '', partition = 3): Message {
  for (;;) {
    const dossier_id = `P-250804-${mark}-${randomUUID().slice(0, 13)}`
    if (partitionOf(Buffer.from(dossier_id), 8) === partition)
      return { key: dossier_id, value: avroOf(eventOf(eventJson({ dossier_id }))) }
  }
}
const records = (count: number, partition?: number) => Array.from({ length: count }, () => record('', partition))
const send = (...messages: Message[]) => stack.producer.send({ topic: TOPIC, acks: -1, messages })
const settled = async (limit_ms: number) =>
  expect(await caughtUp({ clickhouse: stack.clickhouse }, await untilNow({ kafka: stack.kafka }), limit_ms)).toBe(true)
const account = () => accountFor(stack.kafka, stack.clickhouse, from)
const readiness = async (of: Member) =>
  (await fetch(`http://127.0.0.1:${of.port}/health/ready`)).json() as Promise<{ reason?: string }>

test('a record for which the program throws is parked, in the same process, and its neighbours count', async () => {
  // Refused records on both sides: each half writes its own dead letters.
  const refused = (at: number): Message => ({ key: `r${at}`, value: Buffer.from('x'), partition: 3 })
  await send(refused(1), ...records(150), record('FAIL-HERE'), refused(2), ...records(150), refused(3))
  await send(...records(50, 4), record('FAIL-HERE', 4))
  const one = await member('throws', { project: faulty })
  await settled(30_000)
  expect(await account()).toMatchObject({ wrong: [], in_log: 350, reasons: { undecodable: 2, unknown_magic: 3 } })
  expect(await counted()).toBe(before + 350)
  expect(one.exits).toEqual([])
}, 60_000)

test('one that comes alone waits until others pass, and is parked then', async () => {
  const one = await member('alone', { project: faulty })
  await one.logged(/"topic":"dossier-events","partitions":\[\d/, 30_000)
  await send(record('FAIL-HERE', 6))
  await one.logged(/a record fails alone/, 15_000)
  expect((await readiness(one)).reason).toMatch(/fails alone/)
  expect((await account()).dead).toBe(0)
  await send(...records(1, 2))
  await settled(30_000)
  expect(await account()).toMatchObject({ wrong: [], in_log: 1, reasons: { undecodable: 1 } })
  expect((await readiness(one)).reason).toBeUndefined()
}, 90_000)

test('more than ten are a bad program: it stops, is not ready, parks none of them; a mended one takes all in', async () => {
  await send(...records(60), ...Array.from({ length: 11 }, () => record('FAIL-HERE')), ...records(60))
  const one = await member('stops', { project: faulty })
  await eventually(
    () => readiness(one).catch(() => ({ reason: '' })),
    ({ reason }) => /more than 10 records/.test(reason ?? ''),
    30_000,
  )
  expect((await account()).dead).toBe(0)
  await one.stop()
  await member('mended')
  await settled(30_000)
  expect(await account()).toMatchObject({ wrong: [], in_log: 131, dead: 0 })
}, 90_000)

test('where everything fails nothing is parked: the process ends, and a mended one takes all in', async () => {
  await send(...Array.from({ length: 6 }, () => record('FAIL-HERE', 1)))
  const one = await member('all', { project: faulty })
  await eventually(
    async () => one.exits.length,
    exits => exits >= 1,
    30_000,
  )
  await one.stop()
  expect((await account()).dead).toBe(0)
  await member('mended-all')
  await settled(30_000)
  expect(await account()).toMatchObject({ wrong: [], in_log: 6, dead: 0 })
}, 90_000)

test('a record at which the process dies is parked after some deaths; its neighbours count once', async () => {
  // The very first records of a partition: nothing was ever committed of it.
  await send(...records(40, 7), record('DIE-HERE', 7), ...records(40, 7), ...records(20, 5))
  const one = await member('dies', { project: faulty })
  await settled(150_000)
  expect(await account()).toMatchObject({ wrong: [], in_log: 100, reasons: { undecodable: 1 } })
  expect(await counted()).toBe(before + 100)
  expect(one.exits.length).toBeGreaterThanOrEqual(5)
  expect(one.exits.every(({ signal }) => signal === 'SIGKILL')).toBe(true)
}, 180_000)

test('so is one that can be decoded and kills what comes after', async () => {
  await send(...records(10, 2), record('DIE-LATE', 2), ...records(10, 2), ...records(10, 4))
  const one = await member('dies-late', { project: faulty })
  await settled(150_000)
  expect(await account()).toMatchObject({ wrong: [], in_log: 30, reasons: { undecodable: 1 } })
  expect(await counted()).toBe(before + 30)
  expect(one.exits.length).toBeGreaterThanOrEqual(5)
}, 180_000)

/** Four hangs of ten seconds each: in the long form only. */
if (KILLS >= 10)
  test('so is one at which it hangs: a watchdog ends the process', async () => {
    await send(...records(20, 0), record('HANG-HERE', 0), ...records(20, 0))
    const one = await member('hangs', { project: faulty })
    await one.logged(/the event loop has stood still/, 40_000)
    await settled(240_000)
    expect(await account()).toMatchObject({ wrong: [], in_log: 40, reasons: { undecodable: 1 } })
  }, 300_000)

/** Held once the dead letters are acknowledged, so that each restart meets letters that are there already. */
test(
  `control: ${KILLS} kills from outside at one batch park nothing, and no dead letter is written twice`,
  async () => {
    const refused = Array.from(
      { length: 1_000 },
      (_, n): Message => ({ key: `refused ${n}`, value: Buffer.from('x'), partition: n % 8 }),
    )
    await send(...records(30), ...refused, ...records(30))
    const one = await member('killed', { holds: { written: 1 } })
    for (let kill = 1; kill <= KILLS; kill++) {
      await stack.control.held('killed', 'written', RESTART_MS)
      await one.kill()
      stack.control.forget()
      if (kill === KILLS) break
      await stack.control.hello('killed', RESTART_MS)
      stack.control.hold('killed', 'written')
    }
    await settled(40_000)
    const { wrong, in_log, reasons } = await account()
    expect({ wrong, in_log, reasons }).toEqual({ wrong: [], in_log: 60, reasons: { unknown_magic: 1_000 } })
    expect(one.exits).toHaveLength(KILLS)
  },
  60_000 + KILLS * 25_000,
)
