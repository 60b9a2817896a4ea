// Promise: a child started here is its own process group (a terminal's Ctrl-C does not reach it), ends when this process
// ends for whatever reason, is observed when it ends by itself, and is stopped within a limit.
//
// Not promised: that a child which is cut off from a dead parent's pipe (`onLine`) can still write; give it a log file.
// On failure: ProcessError, with a code and the last lines the child wrote.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import {
  closeSync,
  createWriteStream,
  existsSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  type WriteStream,
  writeFileSync,
} from 'node:fs'
import { open, readdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type Deathwatch, watchOver } from './deathwatch.mjs'

export type ProcessErrorCode = 'not_started' | 'ended_before_ready' | 'not_ready_in_time'

export class ProcessError extends Error {
  readonly code: ProcessErrorCode
  readonly child: string
  constructor(code: ProcessErrorCode, child: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ProcessError'
    this.code = code
    this.child = child
  }
}

export interface ChildExit {
  readonly name: string
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** true when stop() had been called before */
  readonly expected: boolean
}

export interface ChildOptions {
  /** for messages: 'Kafka', 'ingest' */
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  /** the child's whole environment; default: this process's */
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  /** stdout and stderr go here; what an earlier run left is kept once, as `NAME.previous.log` */
  readonly logFile?: string
  /** called for each line of stdout and stderr, instead of or beside the log file */
  readonly onLine?: (line: string) => void
  /** says which process this is while it runs, for the next run to find what a killed one left: see leftovers.ts */
  readonly pidFile?: string
  /** called once, however the child ended */
  readonly onExit?: (exit: ChildExit) => void
  /** how long stop(), and the watchdog, wait between SIGTERM and SIGKILL; default 15 s */
  readonly stopWaitMs?: number
}

export interface ReadyOptions {
  readonly limitMs: number
  readonly everyMs?: number
}

export interface Child {
  readonly name: string
  readonly pid: number
  readonly exited: Promise<ChildExit>
  running(): boolean
  /** Resolves when `check` answers true. A check that throws or answers false is asked again. A child not ready in time is stopped. */
  ready(check: () => Promise<boolean>, options: ReadyOptions): Promise<void>
  lastLines(count?: number): Promise<string>
  /** SIGTERM, wait, SIGKILL to the whole group. May be called again and after the end. */
  stop(): Promise<ChildExit>
}

const STOP_WAIT_MS = 15_000
const KEPT_LINES = 50

export async function startChild(options: ChildOptions): Promise<Child> {
  const output = openOutput(options)
  const child = spawn(options.command, [...options.args], {
    cwd: options.cwd,
    env: options.env ?? process.env,
    detached: true,
    stdio: output.stdio,
  })
  try {
    await spawned(child)
  } catch (cause) {
    throw new ProcessError('not_started', options.name, `${options.name} could not be started: ${describe(cause)}`, {
      cause,
    })
  } finally {
    output.handedOver()
  }
  output.follow(child)
  return observe(child, options, output)
}

function writePidFile(file: string, pid: number): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify({ pid, parent: process.pid })}\n`)
}

function spawned(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', reject)
  })
}

function observe(child: ChildProcess, options: ChildOptions, output: Output): Child {
  const pid = child.pid as number
  const stopWaitMs = options.stopWaitMs ?? STOP_WAIT_MS
  const watchdog: Deathwatch = watchOver(pid, Math.ceil(stopWaitMs / 1000))
  let stopping: Promise<ChildExit> | undefined
  let ended = false
  child.on('error', () => {})
  if (options.pidFile !== undefined) writePidFile(options.pidFile, pid)

  const exited = new Promise<ChildExit>(resolve => {
    child.once('exit', (code, signal) => {
      ended = true
      watchdog.dismiss()
      killGroup(pid)
      if (options.pidFile !== undefined) rmSync(options.pidFile, { force: true })
      const exit = { name: options.name, code, signal, expected: stopping !== undefined }
      resolve(exit)
      options.onExit?.(exit)
    })
  })

  const stop = async (): Promise<ChildExit> => {
    if (!ended) child.kill('SIGTERM')
    const late = setTimeout(() => killGroup(pid), stopWaitMs)
    const exit = await exited
    clearTimeout(late)
    return exit
  }

  const self: Child = {
    name: options.name,
    pid,
    exited,
    running: () => !ended,
    lastLines: count => output.lastLines(count ?? 20),
    stop() {
      stopping ??= stop()
      return stopping
    },
    ready: (check, limits) => waitUntilReady(self, check, limits),
  }
  return self
}

async function waitUntilReady(child: Child, check: () => Promise<boolean>, options: ReadyOptions): Promise<void> {
  const end = Date.now() + options.limitMs
  while (child.running()) {
    const ok = await check().catch(() => false)
    if (ok && child.running()) return
    if (Date.now() >= end) {
      const lines = await child.lastLines()
      await child.stop()
      throw new ProcessError(
        'not_ready_in_time',
        child.name,
        `${child.name} was not ready within ${Math.round(options.limitMs / 1000)} s${quoted(lines)}`,
      )
    }
    await Promise.race([sleep(options.everyMs ?? 100), child.exited])
  }
  const exit = await child.exited
  throw new ProcessError(
    'ended_before_ready',
    child.name,
    `${child.name} ended while starting (${describeExit(exit)})${quoted(await child.lastLines())}`,
  )
}

export function describeExit(exit: Pick<ChildExit, 'code' | 'signal'>): string {
  return exit.signal === null ? `exit code ${exit.code}` : `signal ${exit.signal}`
}

function quoted(lines: string): string {
  return lines === '' ? '' : `; its last lines:\n${lines.replace(/^/gm, '  | ')}`
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // nobody is left in it
  }
}

// --- output ---------------------------------------------------------------------------------------------------------

interface Output {
  readonly stdio: ['ignore', 'pipe' | number, 'pipe' | number]
  /** the child has its own copy of the log file's descriptor now */
  handedOver(): void
  follow(child: ChildProcess): void
  lastLines(count: number): Promise<string>
}

function openOutput(options: ChildOptions): Output {
  if (options.logFile !== undefined) rotate(options.logFile)
  if (options.onLine === undefined && options.logFile !== undefined) return fileOutput(options.logFile)
  return lineOutput(options)
}

/** The child writes into the file itself, so it can go on writing when this process is gone. */
function fileOutput(file: string): Output {
  const descriptor = openSync(file, 'a')
  return {
    stdio: ['ignore', descriptor, descriptor],
    handedOver: () => closeSync(descriptor),
    follow: () => {},
    lastLines: count => lastLinesOfFile(file, count),
  }
}

function lineOutput(options: ChildOptions): Output {
  const kept: string[] = []
  const file: WriteStream | undefined =
    options.logFile === undefined ? undefined : createWriteStream(options.logFile, { flags: 'a' })
  const take = (line: string) => {
    kept.push(line)
    if (kept.length > KEPT_LINES) kept.shift()
    file?.write(`${line}\n`)
    options.onLine?.(line)
  }
  return {
    stdio: ['ignore', 'pipe', 'pipe'],
    handedOver: () => {},
    follow(child) {
      for (const stream of [child.stdout, child.stderr]) {
        if (stream !== null) createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', take)
      }
      child.once('close', () => file?.end())
    },
    lastLines: async count => kept.slice(-count).join('\n'),
  }
}

function rotate(file: string): void {
  mkdirSync(dirname(file), { recursive: true })
  if (existsSync(file)) renameSync(file, file.replace(/(\.log)?$/, '.previous.log'))
}

export async function lastLinesOfFile(file: string, count: number): Promise<string> {
  const handle = await open(file, 'r').catch(() => null)
  if (handle === null) return ''
  try {
    const { size } = await handle.stat()
    const length = Math.min(size, 32_768)
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length)
    return buffer.toString('utf8').trimEnd().split('\n').slice(-count).join('\n')
  } finally {
    await handle.close()
  }
}

// --- memory ---------------------------------------------------------------------------------------------------------

interface ProcessRow {
  readonly pid: number
  readonly parent: number
  readonly bytes: number
}

/** Resident memory of a process and all its descendants, in bytes; 0 when it is gone. */
export async function residentBytes(pid: number): Promise<number> {
  const rows = existsSync('/proc/self/stat') ? await rowsFromProc() : await rowsFromPs()
  const wanted = new Set([pid])
  for (let size = 0; size !== wanted.size; ) {
    size = wanted.size
    for (const row of rows) if (wanted.has(row.parent)) wanted.add(row.pid)
  }
  return rows.filter(row => wanted.has(row.pid)).reduce((sum, row) => sum + row.bytes, 0)
}

async function rowsFromProc(): Promise<ProcessRow[]> {
  const names = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  const texts = await Promise.all(names.map(name => readFile(`/proc/${name}/status`, 'utf8').catch(() => '')))
  return texts
    .filter(text => text !== '')
    .map(text => ({
      pid: numberAfter(text, 'Pid'),
      parent: numberAfter(text, 'PPid'),
      bytes: numberAfter(text, 'VmRSS') * 1024,
    }))
}

function numberAfter(status: string, key: string): number {
  return Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0)
}

async function rowsFromPs(): Promise<ProcessRow[]> {
  const { stdout } = await promisify(execFile)('ps', ['-axo', 'pid=,ppid=,rss='])
  return stdout
    .trim()
    .split('\n')
    .map(line => line.trim().split(/\s+/).map(Number))
    .map(([pid = 0, parent = 0, kilobytes = 0]) => ({ pid, parent, bytes: kilobytes * 1024 }))
}
