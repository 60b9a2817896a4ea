// Promise: says whether a TCP port can be listened on, and names the variable to change where it cannot.
// Not promised: that it is still free a moment later; the service's own listen decides.

import { createServer, connect as tcpConnect } from 'node:net'

export class PortInUseError extends Error {
  readonly code = 'port_in_use'
  readonly variable: string
  readonly port: number
  constructor(variable: string, host: string, port: number) {
    super(
      `${hostAndPort(host, port)} is in use by another program. Set ${variable} to a free port, or end that program.`,
    )
    this.name = 'PortInUseError'
    this.variable = variable
    this.port = port
  }
}

export async function portIsFree(host: string, port: number): Promise<boolean> {
  // A listener on all addresses does not everywhere stop us from listening on one of them: knock first.
  return !(await answers(host, port)) && (await canListen(host, port))
}

export async function requireFreePort(variable: string, host: string, port: number): Promise<void> {
  if (!(await portIsFree(host, port))) throw new PortInUseError(variable, host, port)
}

/** A port that is free now, chosen by the system. */
export function freePort(host = '127.0.0.1'): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, host, () => {
      const address = server.address()
      server.close(() => (address !== null && typeof address === 'object' ? resolve(address.port) : reject(address)))
    })
  })
}

export function answers(host: string, port: number, limitMs = 500): Promise<boolean> {
  return new Promise(resolve => {
    const socket = tcpConnect({ host: reachable(host), port })
    const done = (result: boolean) => {
      socket.destroy()
      resolve(result)
    }
    socket.setTimeout(limitMs, () => done(false))
    socket.once('connect', () => done(true))
    socket.once('error', () => done(false))
  })
}

/** An address one can connect to, for an address one listens on. */
export function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  return host === '::' ? '::1' : host
}

/** `host:port`, with an IPv6 address in brackets. */
export function hostAndPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function canListen(host: string, port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)))
  })
}
