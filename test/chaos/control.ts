/** The harness's end of the fail points: hears which member stands where, and tells it to go on. See hook.ts. */
import { EventEmitter, once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'

export interface Control {
  port: number
  /** Resolves when that member stands at that point; at once where it already does. */
  held(member: string, point: string, limit_ms: number): Promise<void>
  /** Resolves when a process of that member has begun. */
  hello(member: string, limit_ms: number): Promise<void>
  hold(member: string, point: string, passing?: number): void
  go(member: string, point: string): void
  forget(): void
  close(): void
}

export async function createControl(): Promise<Control> {
  const sockets = new Map<string, Socket>()
  const heard = new Set<string>()
  const events = new EventEmitter().setMaxListeners(100)
  const server = createServer(socket => {
    socket.on('error', () => undefined)
    createInterface({ input: socket }).on('line', line => {
      const said = JSON.parse(line) as { member: string; hello?: number; held?: string }
      if (said.hello !== undefined) sockets.set(said.member, socket)
      const word = `${said.member} ${said.held ?? 'hello'}`
      heard.add(word)
      events.emit(word)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  async function hear(word: string, limit_ms: number): Promise<void> {
    if (heard.has(word)) return
    await once(events, word, { signal: AbortSignal.timeout(limit_ms) }).catch(() => {
      throw new MomentMissed(`"${word}" was not reached within ${limit_ms} ms`)
    })
  }
  const tell = (member: string, message: object) => sockets.get(member)?.write(`${JSON.stringify(message)}\n`)
  return {
    port: (server.address() as AddressInfo).port,
    held: (member, point, limit_ms) => hear(`${member} ${point}`, limit_ms),
    hello: (member, limit_ms) => hear(`${member} hello`, limit_ms),
    hold: (member, point, passing = 1) => tell(member, { hold: point, passing }),
    go(member, point) {
      heard.delete(`${member} ${point}`)
      tell(member, { go: point })
    },
    forget() {
      heard.clear()
      sockets.clear()
    },
    close() {
      for (const socket of sockets.values()) socket.destroy()
      server.close()
    },
  }
}

/** The moment for the fault did not come: the run shows nothing. */
export class MomentMissed extends Error {}
