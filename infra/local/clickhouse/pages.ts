/**
 * What a person sees: `GET /` in a browser, and `/play`, a page to ask in SQL. Files of pages/, read at start; nothing from
 * other places, nothing inline, so that the policy below can forbid both.
 */
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"

const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  '/': ['home.html', 'text/html; charset=UTF-8'],
  '/play': ['play.html', 'text/html; charset=UTF-8'],
  '/play.mjs': ['play.mjs', 'text/javascript; charset=UTF-8'],
  '/page.css': ['page.css', 'text/css; charset=UTF-8'],
}

/** Answers and returns true where a page is asked for. `GET /` is one for a browser only: programs wait for `Ok.` */
export function createPages(version: string) {
  const texts = Object.fromEntries(
    Object.values(FILES).map(([file]) => [file, readFileSync(join(import.meta.dirname, 'pages', file), 'utf8')]),
  )
  return function page(path: string, message: IncomingMessage, response: ServerResponse): boolean {
    const found = FILES[path]
    if (!found || (path === '/' && !message.headers.accept?.includes('text/html'))) return false
    const [file, type] = found
    response.writeHead(200, { 'Content-Type': type, 'Content-Security-Policy': POLICY, Vary: 'Accept' })
    const text = texts[file] ?? ''
    response.end(path === '/' ? fill(text, { version, ...addressOf(message) }) : text)
    return true
  }
}

/** Where the browser found us. The header is the client's text: anything but a name and a port is not repeated. */
function addressOf(message: IncomingMessage): { host: string; name: string; port: string } {
  const [, name, port] = /^([\w.-]+|\[[\da-f:]+\])(?::(\d+))?$/i.exec(message.headers.host ?? '') ?? []
  const known = { name: name ?? '127.0.0.1', port: port ?? '80' }
  return { ...known, host: `${known.name}:${known.port}` }
}

function fill(text: string, values: Record<string, string>): string {
  return text.replaceAll(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole)
}
