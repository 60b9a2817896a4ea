/**
 * A TCP proxy that fails on request: cuts every connection, swallows bytes for a while, and for single HTTP requests resets the
 * connection or holds back the request or its answer. Says when it has done so; what was not said did not happen.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** What is done to the next request whose bytes contain `mark`; `skip` of them pass before it. */
export interface Plan {
  mark: string
  skip?: number
  /** `reset-sent`: once the request is through; `reset-answered`: once the answer begins; `watch`: nothing, only say it is sent. */
  act: 'reset-sent' | 'reset-answered' | 'hold-answer' | 'hold-request' | 'watch'
  ms?: number
}
type Pending = Plan & { took: (what: string) => void }
type Link = { client: Socket; upstream: Socket; plan?: Pending; held: Buffer[]; tail: Buffer }

const END = Buffer.from('0\r\n\r\n')

export interface FaultyProxy {
  readonly port: number
  /** The port behind; may change at any time, for new connections. */
  target: number
  /** Resolves with a sentence when the plan has taken effect. */
  plan(plan: Plan): Promise<string>
  /** Resets all connections and refuses new ones; how many there were. */
  cut(): number
  /** From now on no byte passes in either direction, and nobody is told. */
  hole(): number
  /** Lets everything pass again, swallowed bytes too, and forgets all plans. */
  heal(): void
  close(): void
}

export async function createProxy(target: number): Promise<FaultyProxy> {
  const links = new Set<Link>()
  const sockets = () => [...links].flatMap(({ client, upstream }) => [client, upstream])
  let plans: Pending[] = []
  let mode: 'forward' | 'cut' | 'hole' = 'forward'

  const server = createServer({ allowHalfOpen: true }, client => {
    if (mode === 'cut') return void client.resetAndDestroy()
    const upstream = connect({ port: proxy.target, host: '127.0.0.1', allowHalfOpen: true })
    const link: Link = { client, upstream, held: [], tail: Buffer.alloc(0) }
    links.add(link)
    if (mode === 'hole') for (const socket of [client, upstream]) socket.pause()
    client.on('data', chunk => fromClient(link, chunk))
    upstream.on('data', chunk => fromUpstream(link, chunk))
    // A request that is held back arrives although its sender has gone.
    client.on('close', () => link.held.length === 0 && upstream.destroy())
    client.on('end', () => link.held.length === 0 && upstream.end())
    client.on('error', () => undefined)
    upstream.on('end', () => client.end())
    upstream.on('error', () => client.resetAndDestroy())
    upstream.on('close', () => links.delete(link) && client.destroy())
  })

  function fromClient(link: Link, chunk: Buffer) {
    link.plan ??= planFor(chunk)
    const { plan } = link
    if (plan?.act === 'hold-request') {
      if (link.held.push(chunk) === 1) setTimeout(() => deliver(link, plan), plan.ms)
      return
    }
    link.upstream.write(chunk)
    // The end of a chunked body, which may come in pieces: the whole request is on its way.
    link.tail = Buffer.concat([link.tail, chunk]).subarray(-END.length)
    if (plan === undefined || !link.tail.equals(END)) return
    if (plan.act === 'watch') took(link, 'the request was sent')
    if (plan.act === 'reset-sent') setTimeout(() => reset(link, 'reset after the request was sent'), plan.ms ?? 0)
  }
  function fromUpstream(link: Link, chunk: Buffer) {
    if (link.plan?.act === 'reset-answered') return reset(link, 'reset before the answer went through')
    if (link.plan?.act !== 'hold-answer') return void (link.client.destroyed || link.client.write(chunk))
    const { ms } = link.plan
    setTimeout(() => {
      took(link, `answer held back for ${ms} ms, ${whereabouts(link.client)}`)
      if (!link.client.destroyed) link.client.write(chunk)
    }, ms)
  }
  function deliver({ client, upstream, held }: Link, plan: Pending) {
    const where = whereabouts(client)
    upstream.write(Buffer.concat(held))
    upstream.once('data', answer => {
      plan.took(`request delivered ${plan.ms} ms late, ${where}; answer: ${answer}`)
      upstream.destroy()
    })
  }
  const whereabouts = (client: Socket) => (client.readableEnded || client.destroyed ? 'the client gone' : 'in time')
  function planFor(chunk: Buffer): Pending | undefined {
    const plan = plans.find(({ mark }) => chunk.includes(mark))
    if (plan === undefined) return undefined
    plan.skip = (plan.skip ?? 0) - 1
    if (plan.skip >= 0) return undefined
    plans = plans.filter(other => other !== plan)
    return plan
  }
  function took(link: Link, what: string) {
    link.plan?.took(what)
    link.plan = undefined
  }
  function reset(link: Link, what: string) {
    took(link, what)
    for (const socket of [link.client, link.upstream]) socket.resetAndDestroy()
  }

  const proxy = {
    port: 0,
    target,
    plan: (plan: Plan) => new Promise<string>(took => plans.push({ ...plan, took })),
    cut() {
      mode = 'cut'
      return sockets().map(socket => socket.resetAndDestroy()).length / 2
    },
    hole() {
      mode = 'hole'
      return sockets().map(socket => socket.pause()).length / 2
    },
    heal() {
      mode = 'forward'
      plans = []
      for (const socket of sockets()) socket.resume()
    },
    close() {
      for (const socket of sockets()) socket.destroy()
      server.close()
    },
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxy.port = (server.address() as AddressInfo).port
  return proxy
}
