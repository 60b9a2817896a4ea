/** Who may send: the bearer keys of service centres. For now there is the demo key of a local run. */
import { createHash, timingSafeEqual } from 'node:crypto'

const digest = (text: string) => createHash('sha256').update(text).digest()
const LOOPBACK = new Set(['127.0.0.1', '::1', '::ffff:127.0.0.1'])

/** Checks `Authorization: Bearer KEY`. The demo key is good from this machine only. */
export function createKeyCheck(demoKey: string) {
  const expected = digest(demoKey)
  return (authorization: string | undefined, address: string): boolean => {
    const key = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1]
    return key !== undefined && LOOPBACK.has(address) && timingSafeEqual(digest(key), expected)
  }
}
