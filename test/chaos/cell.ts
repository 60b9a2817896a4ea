/**
 * One cell of the matrix: a fault at a moment under a seeded stream, and then the truth. Passed: the fault took effect, and all
 * is exact. FAILED: something is not. Void: the fault did not take effect, the run shows nothing. Unverified: the surroundings
 * (broker, engine, machine) did not play along; never a pass.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { rowsOf } from '../../common/clickhouse.ts'
import { partitionCount } from '../../common/kafka.ts'
import { GROUP, TOPIC } from '../../common/progress.ts'
import { createRandom, type Random } from '../../infra/sample/random.ts'
import { MomentMissed } from './control.ts'
import { ASSIGNED, ASSIGNED_MS_MAX, type Member, type Stack } from './stack.ts'
import { allCommitted, topicEnds, uncommitted, verify } from './verify.ts'
import { createWorkload, type Delivery, type Workload, type WorkloadOptions } from './workload.ts'

export const MOMENTS = ['start', 'mid-batch', 'before-commit', 'random'] as const
export type Moment = (typeof MOMENTS)[number]

/** What a fault works with. */
export interface Stage {
  stack: Stack
  moment: Moment
  random: Random
  workload: Workload
  /** An ingest process, held at a fail point where told so; the first one reads at once what was sent before. */
  member(holds?: Record<string, number>): Promise<Member>
  members: readonly Member[]
  /** False in the control that takes the fence away: then nobody can be seen to be refused by it. */
  fenced: boolean
  /** The fault is over: from now on the first new rate is awaited. Called once; else the end of the fault's function. */
  over(): void
}

export interface Fault {
  name: string
  /** The stream goes on when so many have their partitions; 1 where nothing is said. */
  members?: number
  workload?: (moment: Moment) => WorkloadOptions
  /** Does it; resolves with the evidence that it took effect. Throws {@link Void} where it did not. */
  run(stage: Stage): Promise<string>
  /** What an operator does where ClickHouse still fails after the fault; resolves with a word for the evidence, and all is looked at again. */
  mend?: (stack: Stack) => Promise<string>
  /** Before and after the cells of this fault. Throws {@link Unverified} where this machine cannot. */
  prepare?: (stack: Stack) => Promise<() => Promise<void>>
}

/** A cell's own database or code, for the negative controls. */
export interface Change {
  /** Applied to the cell's ClickHouse before, and undone by the function returned. */
  database?: (stack: Stack) => Promise<() => Promise<void>>
  /** Where the services are that are run instead. */
  project?: string
}

export class Void extends Error {}
export class Unverified extends Error {}

export type Result = 'passed' | 'FAILED' | 'void' | 'unverified'
export interface Report {
  cell: string
  fault: string
  moment: Moment
  seed: number
  result: Result
  /** What took effect, or why the run shows nothing. */
  evidence: string
  differences: string[]
  events: number
  refused: number
  duplicates: number
  dead_letters: number
  rehomed: number
  kills: number
  rates_different: number
  events_lost: number
  /** From the fault's end to the first posting of a batch begun after it. */
  first_rate_ms: number | null
  seconds: number
}

export interface Cell {
  fault: Fault
  moment: Moment
}
export const cellName = ({ fault, moment }: Cell) => `${fault.name}/${moment}`

/** A cell of which nothing is known yet. */
export const blankReport = (cell: Cell, seed: number): Report => ({
  cell: cellName(cell),
  fault: cell.fault.name,
  moment: cell.moment,
  seed,
  result: 'unverified',
  evidence: '',
  differences: [],
  events: 0,
  refused: 0,
  duplicates: 0,
  dead_letters: 0,
  rehomed: 0,
  kills: 0,
  rates_different: 0,
  events_lost: 0,
  first_rate_ms: null,
  seconds: 0,
})

const SEND_ROWS = 40
const SEND_PAUSE_MS = 50
const BARRIER_MS_MAX = 60_000
/** Every wait of a cell has a limit; this one is for the mistake in it. */
const CELL_MS_MAX = 240_000

export async function runCell(
  stack: Stack,
  fault: Fault,
  moment: Moment,
  seed: number,
  change: Change = {},
): Promise<Report> {
  const began_ms = Date.now()
  const cell = cellName({ fault, moment })
  const random = createRandom(`chaos ${cell} ${seed}`)
  const partitions = await partitionCount(stack.kafka, TOPIC)
  const workload = createWorkload(`stream ${cell} ${seed}`, fault.workload?.(moment), partitions)
  const kills = stack.kills
  const report: Report = {
    ...blankReport({ fault, moment }, seed),
    events: workload.accepted.length,
    refused: workload.refused.size,
  }
  const members: Member[] = []
  let doing = 'cleaning up'
  const watchdog = setTimeout(() => {
    console.error(`${cell} seed ${seed} does not end: it is ${doing} after ${CELL_MS_MAX / 1000} s. Giving up.`)
    process.exit(1)
  }, CELL_MS_MAX)
  let undo: (() => Promise<void>) | undefined
  try {
    await cleanUp(stack)
    undo = await change.database?.(stack)
    const begin = await topicEnds(stack)
    let sent = await send(stack, workload.parts[0], 0)
    let sending = Promise.resolve(0)
    let watching: Promise<number | null> | undefined
    const over = () => {
      watching ??= firstRate(stack, Date.now())
    }
    const member = async (holds?: Record<string, number>) => {
      const started = await stack.member(`ingest-${members.length + 1}`, holds, change.project)
      // The stream goes on while it works, not while it starts.
      if (members.push(started) === (fault.members ?? 1))
        sending = Promise.all(members.map(each => each.logged(ASSIGNED, ASSIGNED_MS_MAX)))
          .catch(() => undefined)
          .then(() => send(stack, workload.parts[1], SEND_PAUSE_MS))
      return started
    }
    doing = 'the fault'
    report.evidence = await fault.run({ stack, moment, random, workload, member, members, fenced: true, over })
    over()
    doing = 'sending'
    sent += await sending
    sent += await send(stack, workload.parts[2], SEND_PAUSE_MS / 5)
    doing = 'waiting for the commits'
    let stuck = await allCommitted(stack, BARRIER_MS_MAX)
    doing = 'verifying'
    const look = () => verify(stack, workload, begin, sent)
    const { differences, ...figures } = await look().catch(async error => {
      if (fault.mend === undefined) throw error
      report.evidence += `; ${await fault.mend(stack)}, because of: ${(error as Error).message.slice(0, 120)}`
      stuck = await allCommitted(stack, BARRIER_MS_MAX)
      return look()
    })
    report.first_rate_ms = stuck === undefined ? ((await watching) ?? null) : null
    Object.assign(report, figures)
    report.differences = [...(stuck === undefined ? [] : [stuck]), ...differences]
    report.result = report.differences.length === 0 ? 'passed' : 'FAILED'
  } catch (error) {
    report.result = error instanceof Void || error instanceof MomentMissed ? 'void' : 'unverified'
    report.evidence = `${(error as Error).message}${members.map(lastWords).join('')}`
  } finally {
    doing = 'stopping'
    stack.kafkaProxy.heal()
    stack.clickhouseProxy.heal()
    await Promise.all([stack.broker.start(), stack.engine.start()]).catch(() => undefined)
    await Promise.all(members.map(member => member.stop()))
    await undo?.().catch(error => Object.assign(report, { result: 'unverified', evidence: (error as Error).message }))
    stack.control.forget()
    clearTimeout(watchdog)
  }
  report.kills = stack.kills - kills
  report.seconds = (Date.now() - began_ms) / 1000
  return report
}

const lastWords = (member: Member) => `\n  ${member.name}: ${(member.lines.at(-1) ?? 'said nothing').slice(0, 400)}`

/**
 * Nothing of an earlier cell is left: tables empty, no member, nothing to be read. `partition_counts` and `topic_epochs` stay:
 * they say what the broker has, and the topics are not made again between cells. The epoch also keeps the dead letters of two
 * lives of a partition apart.
 */
async function cleanUp(stack: Stack): Promise<void> {
  for (const table of ['dossier_events', 'dossier_postings', 'partition_owners', 'dead_letters', 'ingest_progress'])
    await stack.clickhouse.command({ query: `TRUNCATE TABLE ${table}` })
  if ((await uncommitted(stack)) === 0) return
  for (let turn = 0; turn < 150; turn++) {
    const { groups } = await stack.admin.describeGroups([GROUP])
    if (groups[0]?.state === 'Empty' || groups[0]?.state === 'Dead') break
    await sleep(100)
  }
  const ends = await stack.admin.fetchTopicOffsets('dossier-events')
  await stack.admin.setOffsets({
    groupId: GROUP,
    topic: 'dossier-events',
    partitions: ends.map(({ partition, high }) => ({ partition, offset: high })),
  })
}

/** Sends until everything is acknowledged; what a producer is not told is accepted it sends again. How many were sent. */
async function send(stack: Stack, deliveries: readonly Delivery[], pause_ms: number): Promise<number> {
  let sent = 0
  for (let at = 0; at < deliveries.length; at += SEND_ROWS) {
    const messages = deliveries.slice(at, at + SEND_ROWS)
    for (let left = 5; ; left--) {
      try {
        sent += messages.length
        await stack.producer.send({ topic: 'dossier-events', acks: -1, messages })
        break
      } catch (error) {
        if (left === 0) throw new Unverified(`the harness could not send: ${(error as Error).message}`)
      }
    }
    if (pause_ms > 0) await sleep(pause_ms)
  }
  return sent
}

/** Milliseconds from a moment to the first posting of a batch that began after it. */
async function firstRate(stack: Stack, from_ms: number): Promise<number | null> {
  while (Date.now() < from_ms + BARRIER_MS_MAX) {
    const rows = await rowsOf<{ n: number }>(
      stack.clickhouse,
      `SELECT count() AS n FROM dossier_postings WHERE posted_at > fromUnixTimestamp64Milli(${from_ms})`,
    ).catch(() => [])
    if ((rows[0]?.n ?? 0) > 0) return Date.now() - from_ms
    await sleep(50)
  }
  return null
}
