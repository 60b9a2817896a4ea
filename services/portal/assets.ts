/**
 * The page's own files, read once at the start. Their addresses carry a hash of the content, so browsers may keep them for
 * good and a new version is a new address. htmx comes from its package, unchanged.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

export interface Asset {
  /** File name under /assets/. */
  name: string
  type: string
  body: Buffer
  /** Address with the hash of the content. */
  href: string
}

const { resolve } = createRequire(import.meta.url)
const own = (name: string) => new URL(`./assets/${name}`, import.meta.url)

const load = (name: string, type: string, file: string | URL): Asset => {
  const body = readFileSync(file)
  return { name, type, body, href: `/assets/${name}?v=${hashOf(body)}` }
}

/** Short hash of a text or file: the same content, the same hash. */
export const hashOf = (content: string | Buffer): string =>
  createHash('sha256').update(content).digest('base64url').slice(0, 16)

const SCRIPT = 'text/javascript; charset=utf-8'
export const ASSETS = {
  style: load('portal.css', 'text/css; charset=utf-8', own('portal.css')),
  script: load('portal.js', SCRIPT, own('portal.js')),
  /** Copy buttons of the page that tells how to connect. */
  copy: load('copy.js', SCRIPT, own('copy.js')),
  icon: load('icon.svg', 'image/svg+xml', own('icon.svg')),
  htmx: load('htmx.js', SCRIPT, resolve('htmx.org/dist/htmx.min.js')),
  /** Lets the server answer "nothing changed" to a poll. */
  ptag: load('hx-ptag.js', SCRIPT, resolve('htmx.org/dist/ext/hx-ptag.min.js')),
}
