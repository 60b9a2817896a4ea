/**
 * A SELECT's bytes, exactly as the engine writes them, while it writes them, without holding them: the engine writes INTO
 * OUTFILE, and the file is a named pipe that this process reads. A slow reader makes the engine wait.
 *
 * chDB's own streaming is not used: it formats every chunk as a document of its own (one JSON after another), and begins
 * a query on the event loop's thread, where a scalar subquery of seconds stops everything else.
 */
import { execFile } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { literal, type Session } from './engine.ts'
import { utf8 } from './request.ts'
import type { Statement } from './statement.ts'

/** One per query that may run at a time; they are used over and over. */
export async function createPipes(directory: string, count: number): Promise<string[]> {
  const pipes = Array.from({ length: count }, (_, i) => join(directory, `answer-${i}`))
  await promisify(execFile)('mkfifo', ['-m', '600', ...pipes])
  return pipes
}

export type Result = { rows: number; bytes: number; elapsedS: number }
export type Running = { output: Socket; done: Promise<Result> }

/**
 * `output` must be read to its end, also when nobody wants it any more. A descriptor of both ways stays open while the
 * query runs: the engine opens the file again after some errors, and would wait for ever for a reader that has gone.
 */
export function startSelect(session: Session, statement: Statement, format: string, pipe: string): Running {
  const both = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK)
  const fd = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
  const output = new Socket({ fd, readable: true, writable: false })
  const done = session
    .query(intoFile(statement, format, pipe))
    // The last writer closes: the reader comes to the end of what was written.
    .finally(() => closeSync(both))
    .then(answer => ({ rows: answer.rowsRead, bytes: answer.bytesRead, elapsedS: answer.elapsed }))
  // After a failure the engine may keep its end open until the session closes: nothing more is to come.
  done.catch(() => output.destroy())
  return { output, done }
}

export function intoFile(statement: Statement, format: string, file: string): string {
  const { sql, output } = statement
  const [query, clause] = output ? [sql.slice(0, output.at), sql.slice(output.at)] : [sql, `FORMAT ${format}`]
  return `${utf8(query)} INTO OUTFILE ${literal(file)} TRUNCATE ${utf8(clause)}`
}
