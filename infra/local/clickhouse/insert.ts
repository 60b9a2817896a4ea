/**
 * The rows of an INSERT: body → file → INSERT … FROM INFILE. The engine sees nothing until the whole body is there, reads
 * it byte by byte as it came (binary formats included), and hands it to views as one block as far as the settings allow.
 * A body that breaks off inserts nothing. The file is always removed, leftovers of a killed process at the next start.
 */
import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { identifier, literal, type Session } from './engine.ts'
import { refuse } from './errors.ts'
import { type Request, unreadable, utf8 } from './request.ts'
import type { InsertData } from './statement.ts'

export async function spoolRows(request: Request, insert: InsertData, spoolDir: string): Promise<string> {
  const file = join(spoolDir, `rows-${randomUUID()}`)
  const begin = Buffer.from(request.head.slice(insert.dataStart), 'latin1')
  try {
    await pipeline(Readable.from(rows(begin, request.body)), createWriteStream(file, { flags: 'wx', mode: 0o600 }))
    return file
  } catch (cause) {
    await removeRows(file)
    // A full disk is this machine's trouble, all else the sender's.
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOSPC')
      throw refuse('NOT_ENOUGH_SPACE', `No space left on device for the rows: ${cause.message}`)
    return unreadable(cause)
  }
}

async function* rows(begin: Buffer, body: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  if (begin.length > 0) yield begin
  for (let next = await body.next(); !next.done; next = await body.next()) yield next.value
}

export function insertRows(session: Session, insert: InsertData, file: string) {
  const format = /^\w+$/.test(insert.format) ? insert.format : identifier(insert.format)
  return session.write(`${utf8(insert.target)} FROM INFILE ${literal(file)} COMPRESSION 'none' FORMAT ${format}`)
}

export async function removeRows(file: string): Promise<void> {
  await rm(file, { force: true })
}
