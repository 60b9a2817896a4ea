/** Which errors pass by themselves: who meets one waits and tries again. Any other needs somebody to change something. */
import { ClickHouseError } from '@clickhouse/client'
import { RegistryUnavailable } from '../schemas/registry.ts'
import { UnacknowledgedError } from './send.ts'

/** ClickHouse's transient error codes: time-outs, too much at once, no memory, network, read-only, shutting down. */
const TRANSIENT_CODES = new Set([
  '159',
  '160',
  '164',
  '198',
  '201',
  '202',
  '203',
  '209',
  '210',
  '241',
  '242',
  '243',
  '252',
  '279',
  '319',
  '394',
  '425',
  '439',
  '473',
  '516',
  '733',
])
/** Comes under many codes, as the one or other system call met it. */
const DISK_FULL = /No space left on device|errno: 28\b/i
const NETWORK = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_SOCKET',
])

/** Whether a failed insert may succeed later without anybody changing anything. */
export function isTransient(error: unknown): boolean {
  if (error instanceof RegistryUnavailable || error instanceof UnacknowledgedError) return true
  if (error instanceof ClickHouseError) return TRANSIENT_CODES.has(error.code) || DISK_FULL.test(error.message)
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ('code' in at && NETWORK.has(String(at.code))) return true
    // @clickhouse/client has no class and no code for these two.
    if (at.message === 'Timeout error.' || at.message === 'socket hang up') return true
  }
  return false
}
