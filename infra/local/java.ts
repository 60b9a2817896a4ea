// Promise: finds a Java of the version Kafka needs (17 or later; a runtime without compiler is enough), or none.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

export const JAVA_MAJOR_MIN = 17

export interface Java {
  readonly command: string
  readonly major: number
}

const LIMIT_MS = 10_000

/** The first Java that is new enough; where all are too old, the newest of them as `tooOld`. */
export async function findJava(env: NodeJS.ProcessEnv): Promise<{ java?: Java; tooOld?: Java }> {
  let tooOld: Java | undefined
  for (const command of candidates(env)) {
    const major = await javaMajor(command, env)
    if (major === undefined) continue
    if (major >= JAVA_MAJOR_MIN) return { java: { command, major } }
    if (tooOld === undefined || major > tooOld.major) tooOld = { command, major }
  }
  return { tooOld }
}

// Homebrew's OpenJDK is installed but not put on PATH; macOS has a `java` that only says where to get one.
function candidates(env: NodeJS.ProcessEnv): string[] {
  const home = env.JAVA_HOME
  return [
    ...(home ? [join(home, 'bin', 'java')] : []),
    'java',
    '/opt/homebrew/opt/openjdk/bin/java',
    '/usr/local/opt/openjdk/bin/java',
  ]
}

async function javaMajor(command: string, env: NodeJS.ProcessEnv): Promise<number | undefined> {
  try {
    const { stdout, stderr } = await promisify(execFile)(command, ['-version'], { env, timeout: LIMIT_MS })
    return parseJavaMajor(stderr + stdout)
  } catch {
    return undefined
  }
}

/** 17 of `openjdk version "17.0.15"`, 8 of `java version "1.8.0_401"`. */
export function parseJavaMajor(text: string): number | undefined {
  const match = /version "(?:1\.)?(\d+)/.exec(text)
  return match === null ? undefined : Number(match[1])
}

/** Maven's first line, `Apache Maven 3.8.7`, or undefined where there is none. */
export async function findMaven(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)('mvn', ['-version'], { env, timeout: LIMIT_MS })
    // Maven writes colours even into a pipe
    return /Apache Maven [\w.-]+/.exec(stdout)?.[0]
  } catch {
    return undefined
  }
}
