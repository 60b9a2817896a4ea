/** The faults. Each says what it did and how it knows that it took effect. */

import { execFile } from 'node:child_process'
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { setPartitions } from '../../infra/partitions.ts'
import { type Fault, type Moment, type Stage, Unverified, Void } from './cell.ts'
import { ASSIGNED, ASSIGNED_MS_MAX, type Member, REQUEST_MS_MAX, SESSION_MS } from './stack.ts'
import type { WorkloadOptions } from './workload.ts'

const RETRIED = /ClickHouse does not take the batch/
const FENCED = /another writer has taken over/
const ENDED = /earlier inserts of these partitions are still under way/
const INSERT = 'INSERT+INTO+dossier_events'
const CLAIM = 'INSERT INTO partition_owners'

const POINTS: Partial<Record<Moment, string>> = { 'mid-batch': 'classified', 'before-commit': 'inserted' }
/** Between what is set aside and the insert. */
const POINTS_OF_DOORS: Partial<Record<Moment, string>> = { 'mid-batch': 'written', 'before-commit': 'inserted' }

/** Starts the first ingest process and comes back at the moment, with what lets it go on. */
async function atMoment(
  stage: Stage,
  points = POINTS,
  passing = stage.random.between(2, 3),
): Promise<{ member: Member; go: () => void }> {
  const point = points[stage.moment]
  const member = await stage.member(point === undefined ? {} : { [point]: passing })
  if (point !== undefined) {
    await member.held(point)
    return { member, go: () => member.go(point) }
  }
  await member.logged(ASSIGNED, ASSIGNED_MS_MAX)
  if (stage.moment === 'random') await sleep(stage.random.between(100, 2_500))
  return { member, go: () => undefined }
}

const assigned = (member: Member, from = 0) => member.logged(ASSIGNED, ASSIGNED_MS_MAX, from)
const demand = (holds: boolean, otherwise: string) => {
  if (!holds) throw new Void(otherwise)
}
/** A line that must come, or the fault was none. */
const demandLine = (member: Pick<Member, 'logged'>, pattern: RegExp, limit_ms = 20_000, from = 0) =>
  member.logged(pattern, limit_ms, from).catch(error => {
    throw new Void((error as Error).message)
  })

const killIngest: Fault = {
  name: 'kill-ingest',
  async run(stage) {
    const { member } = await atMoment(stage)
    const exit = await member.kill()
    demand(exit.signal === 'SIGKILL', `ingest ended by ${exit.signal ?? exit.code}, not by SIGKILL`)
    return 'SIGKILL of ingest'
  },
}

const killClickHouse: Fault = {
  name: 'kill-clickhouse',
  async run(stage) {
    const { stack, moment, random } = stage
    if (moment === 'start') {
      const member = await stage.member()
      await stack.control.hello(member.name, 20_000)
    } else {
      const { go } = await atMoment(stage)
      if (moment === 'mid-batch') {
        const sent = stack.clickhouseProxy.plan({ mark: INSERT, act: 'watch' })
        go()
        await within(sent, 10_000, 'no insert was sent')
        await sleep(random.between(0, 60))
      }
      if (moment === 'before-commit') setTimeout(go, 100)
    }
    const exit = await stack.engine.kill()
    demand(exit.signal === 'SIGKILL', 'ClickHouse was not killed')
    await sleep(random.between(300, 1_500))
    await stack.engine.start()
    return 'SIGKILL of ClickHouse'
  },
}

const killBroker: Fault = {
  name: 'kill-broker',
  async run(stage) {
    const { stack, moment, random } = stage
    let go: () => void = () => undefined
    if (moment === 'start') {
      const member = await stage.member()
      await stack.control.hello(member.name, 20_000)
    } else go = (await atMoment(stage)).go
    const exit = await stack.broker.kill()
    demand(exit.signal === 'SIGKILL', 'the broker was not killed')
    go()
    await sleep(random.between(100, 1_000))
    await stack.broker.start()
    return 'SIGKILL of the broker'
  },
}

/**
 * A sleeper: the first member is stopped, loses its partitions, another works on, and then it wakes in the middle of what it
 * was doing; at the moment of its insert the other one inserts the same dossiers.
 */
const zombie: Fault = {
  name: 'zombie',
  workload: () => ({ hot: 60 }),
  async run(stage) {
    const { moment, random } = stage
    const { member: sleeper, go } = await atMoment(stage, POINTS_OF_DOORS, 2)
    sleeper.signal('SIGSTOP')
    const since = Date.now()
    await sleep(20)
    demand(sleeper.stopped(), 'the process is not stopped')
    const atInsert = moment === 'mid-batch'
    const other = await stage.member(atInsert ? { written: 1 } : {})
    await assigned(other)
    const taken_ms = Date.now() - since
    demand(
      taken_ms > SESSION_MS * 0.7,
      `the other member had partitions after ${taken_ms} ms: the session had not ended`,
    )
    if (atInsert) await other.held('written')
    else await sleep(random.between(200, 1_500))
    const from = sleeper.lines.length
    demand(sleeper.stopped(), 'the process woke by itself')
    sleeper.signal('SIGCONT')
    stage.over()
    if (atInsert) {
      // The other one claims the partitions first: the two inserts are to come at about the same time.
      other.go('written')
      await sleep(random.between(100, 250))
    }
    go()
    const text = `SIGSTOP for ${Date.now() - since} ms, its partitions taken over after ${taken_ms} ms`
    if (!atInsert) return text
    if (!stage.fenced) return text
    // Either it came first and was ended by the claim of the other, or it came later and the ledger refused it; or it had to
    // claim a partition itself, and came last.
    const how = await Promise.any([
      sleeper.logged(FENCED, 10_000, from).then(() => 'its insert was refused by the ledger'),
      other.logged(ENDED, 10_000).then(() => 'its insert was ended by the other one'),
      other
        .logged(FENCED, 10_000)
        .then(() => 'it claimed a partition last, and the insert of the other one was refused'),
      sleeper
        .logged(ENDED, 10_000, from)
        .then(() => 'it claimed a partition last, and ended the insert of the other one'),
    ]).catch(() => undefined)
    if (how === undefined) throw new Void('no insert of the sleeper met the fence')
    return `${text}; ${how}`
  },
}

const joinLeave: Fault = {
  name: 'join-leave',
  async run(stage) {
    const { member: first, go } = await atMoment(stage)
    const [second, third] = [await stage.member(), await stage.member()]
    // A rebalance waits for what runs, within its limit.
    setTimeout(go, stage.random.between(200, 2_000))
    const from = first.lines.length
    await Promise.all([assigned(second), assigned(third)])
    await sleep(stage.random.between(200, 1_500))
    await second.stop()
    await sleep(stage.random.between(100, 1_000))
    if (stage.moment === 'random') await third.kill()
    else await third.stop()
    await demandLine(first, ASSIGNED, 20_000, from)
    return `two joined, one left${stage.moment === 'random' ? ', one was killed' : ', then the other'}`
  },
}

const reset: Fault = {
  name: 'reset',
  async run(stage) {
    const { stack, moment, random } = stage
    const act = moment === 'mid-batch' || (moment === 'random' && random.chance(0.5)) ? 'reset-sent' : 'reset-answered'
    const skip = moment === 'start' ? 0 : random.between(1, 4)
    // An insert takes some tens of milliseconds: a reset in its midst.
    const ms = moment === 'mid-batch' ? random.between(0, 40) : 0
    const plans = [stack.clickhouseProxy.plan({ mark: INSERT, act, skip, ms })]
    if (random.chance(0.5)) plans.push(stack.clickhouseProxy.plan({ mark: INSERT, act, ms }))
    const member = await stage.member()
    const [what] = await within(Promise.all(plans), 25_000, 'no insert was reset')
    stage.over()
    await demandLine(member, RETRIED)
    return `${plans.length} × ${what}`
  },
}

const delay: Fault = {
  name: 'delay',
  async run(stage) {
    const { stack, moment, random } = stage
    const late = moment === 'mid-batch'
    const ms = REQUEST_MS_MAX + random.between(1_000, 2_500)
    const took = stack.clickhouseProxy.plan({
      mark: moment === 'start' ? CLAIM : INSERT,
      act: late ? 'hold-request' : 'hold-answer',
      ms,
      skip: moment === 'start' ? 0 : random.between(1, 4),
    })
    const member = await stage.member()
    const what = await within(took, 40_000, 'no answer was delayed')
    stage.over()
    demand(what.includes('gone'), `the client waited for it: ${what}`)
    await demandLine(member, RETRIED)
    if (late) demand(FENCED.test(what), `the late request was not refused by the ledger: ${what}`)
    return late ? `a request came ${ms} ms late, after the next one, and was refused by the ledger` : what
  },
}

const cutBroker: Fault = {
  name: 'cut-broker',
  async run(stage) {
    const { stack, moment, random } = stage
    const { go } = await atMoment(stage)
    const silent = moment === 'random'
    const connections = silent ? stack.kafkaProxy.hole() : stack.kafkaProxy.cut()
    demand(connections > 0, 'there was no connection to cut')
    setTimeout(go, 200)
    // Longer than the session in some, so that the member loses its partitions meanwhile.
    const ms = moment === 'before-commit' ? random.between(1_000, 2_500) : SESSION_MS + random.between(500, 2_000)
    await sleep(ms)
    stack.kafkaProxy.heal()
    return `${connections} connections to the broker ${silent ? 'silent' : 'reset and refused'} for ${ms} ms`
  },
}

const run = promisify(execFile)
const DISK_MB = 320

const diskFull: Fault = {
  name: 'disk-full',
  // A merge that met the full disk can leave a part that cannot be read; ClickHouse puts it aside when it starts.
  async mend(stack) {
    await stack.engine.stop()
    await stack.engine.start()
    return 'ClickHouse restarted'
  },
  async prepare(stack) {
    const disk = join(stack.home, 'disk')
    await mkdir(disk, { recursive: true })
    await run('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MB}m`, 'tmpfs', disk]).catch(error => {
      throw new Unverified(`no small disk can be mounted here: ${String(error.stderr ?? error.message).trim()}`)
    })
    const unmount = () => run('umount', [disk])
    try {
      const back = await stack.useEngineIn(join(disk, 'clickhouse'))
      return async () => {
        await back()
        await unmount()
      }
    } catch (error) {
      await unmount().catch(() => undefined)
      throw error
    }
  },
  async run(stage) {
    const { stack, random } = stage
    const disk = join(stack.home, 'disk')
    const filler = join(disk, 'filler')
    const { member, go } = await atMoment(stage)
    const from = member.lines.length
    const { bavail, bsize } = await statfs(disk)
    // To the last byte: the write that does not fit says so.
    await writeFile(filler, Buffer.alloc(bavail * bsize + 1_048_576)).catch(error => {
      if (error.code !== 'ENOSPC') throw error
    })
    try {
      const left = (await statfs(disk)).bavail
      demand(left === 0, `there was still room: ${left} blocks`)
      go()
      const line = await demandLine(
        member,
        /No space left|NOT_ENOUGH_SPACE|reserve|ClickHouse does not take/i,
        20_000,
        from,
      )
      await sleep(random.between(200, 2_000))
      return `${/No space left|NOT_ENOUGH_SPACE|Cannot reserve/i.exec(line)?.[0] ?? 'an insert failed'}; ${member.exits.length} ends of ingest`
    } finally {
      await rm(filler, { force: true })
    }
  },
}

const poison: Fault = {
  name: 'poison',
  workload: (moment): WorkloadOptions => (moment === 'start' ? { poison: 0.02, poison_first: 0.06 } : { poison: 0.15 }),
  async run(stage) {
    const { member } = await atMoment(stage, POINTS_OF_DOORS)
    const kill = stage.moment === 'mid-batch' || stage.moment === 'before-commit'
    if (kill) await member.kill()
    return `${stage.workload.refused.size} refused records${kill ? ', ingest killed once their letters were written' : ''}`
  },
}

const crc32: Fault = {
  name: 'crc32',
  members: 2,
  workload: () => ({ crc32: true, hot: 40 }),
  async run(stage) {
    const { stack, moment, random, workload } = stage
    const point = POINTS_OF_DOORS[moment]
    const [first, second] = [await stage.member(), await stage.member()]
    await Promise.all([assigned(first), assigned(second)])
    if (point !== undefined) {
      // Held sooner it would keep the second one from its partitions.
      stack.control.hold(first.name, point, random.between(1, 2))
      await first.held(point)
      await first.kill()
    } else if (moment === 'random') await sleep(random.between(100, 2_500))
    demand(workload.misplaced > 100, 'hardly a record lies elsewhere')
    return `${workload.misplaced} records in other partitions than ours, two members${point ? ', one killed after it re-homed some' : ''}`
  },
}

const UNDER_A_BATCH = /the partition count has changed under a batch/
const COUNT_MS_MAX = 60_000

/** An operator's command: one partition more than the producer knows. It cannot be taken back, so each cell adds one. */
const partitionCount: Fault = {
  name: 'partition-count',
  members: 2,
  workload: () => ({ raised: true, hot: 40 }),
  async run(stage) {
    const { stack, moment, random, workload } = stage
    const point = POINTS[moment]
    const [first, second] = [await stage.member(), await stage.member()]
    if (moment === 'start') await stack.control.hello(first.name, 20_000)
    else await Promise.all([assigned(first), assigned(second)])
    if (point !== undefined) {
      // Held sooner it would keep the second one from its partitions.
      stack.control.hold(first.name, point, random.between(1, 3))
      await first.held(point)
    }
    if (moment === 'random') await sleep(random.between(100, 2_500))
    const partitions = workload.partitions + 1
    const raised = await setPartitions({ ...stack, say: () => undefined }, partitions)
    demand(raised.in_force_after_ms !== null, 'the new count did not come into force')
    const inForce = new RegExp(`"partitions":${partitions},.*partition count in force`)
    await demandLine(second, inForce, COUNT_MS_MAX)
    stage.over()
    // What it inserted under the old count is read again under the new one.
    if (moment === 'before-commit') await first.kill()
    else if (point !== undefined) first.go(point)
    await demandLine(first, inForce, COUNT_MS_MAX)
    if (moment === 'mid-batch') await demandLine(first, UNDER_A_BATCH)
    const how = {
      'mid-batch': ', a batch of the old count refused by the ledger',
      'before-commit': ', one killed with a batch of the old count',
    }
    return `${workload.partitions} → ${partitions} partitions, in force after ${raised.in_force_after_ms} ms, in both members${how[moment as keyof typeof how] ?? ''}`
  },
}

const PAUSING = /^pausing ingest/
const REBUILT = /ingest was paused for (\d+) ms/
/** A killed one's right to rebuild ends by itself after half a minute. */
const REBUILD_MS_MAX = 60_000

/** No fault, but what a damage calls for: the ledger exchanged under the stream. At a seeded moment it is killed, and done again. */
const rebuild: Fault = {
  name: 'rebuild',
  workload: () => ({ dossiers: 600 }),
  async run(stage) {
    const { stack, moment, random } = stage
    const { member, go } = await atMoment(stage)
    let rebuild = await stack.rebuild()
    if (moment === 'random') {
      await sleep(random.between(600, 2_500))
      demand(rebuild.running(), 'it was done before it could be killed')
      await rebuild.kill()
    }
    // A classified batch comes to the ledger while that is being exchanged.
    if (moment === 'mid-batch') {
      await demandLine(rebuild, PAUSING)
      go()
    }
    const end = Date.now() + REBUILD_MS_MAX
    while ((await rebuild.exited).code !== 0) {
      if (Date.now() > end) throw new Void(`no rebuild came to its end: ${rebuild.lines.at(-1)}`)
      await sleep(1_000)
      rebuild = await stack.rebuild()
    }
    stage.over()
    // What was inserted before the exchange is committed after it.
    go()
    const told = await demandLine(rebuild, REBUILT)
    const refused = member.lines.filter(line => RETRIED.test(line)).length
    return `the ledger exchanged under the stream${moment === 'random' ? ', after a rebuild that was killed' : ''}; ingest paused for ${REBUILT.exec(told)?.[1]} ms, ${refused} inserts refused`
  },
}

async function within<T>(promise: Promise<T>, limit_ms: number, otherwise: string): Promise<T> {
  const late = sleep(limit_ms, undefined, { ref: false }).then(() => {
    throw new Void(`${otherwise} within ${limit_ms} ms`)
  })
  return Promise.race([promise, late])
}

export const FAULTS: readonly Fault[] = [
  killIngest,
  killClickHouse,
  killBroker,
  zombie,
  joinLeave,
  reset,
  delay,
  cutBroker,
  poison,
  crc32,
  partitionCount,
  rebuild,
  diskFull,
]
