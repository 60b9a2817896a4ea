/**
 * Loaded before an ingest process by the fault tests alone (`node --import …/hook.ts services/ingest/main.ts`): puts a function
 * behind the fail points of `services/ingest/fail-point.ts`. It stops where the harness told it to, says so, and goes on when
 * it is told to. CHAOS_CONTROL_PORT: where the harness listens; CHAOS_MEMBER: who this is; CHAOS_HOLDS: `{"inserted": 2}`, hold
 * there at the second passing.
 */
import { connect } from 'node:net'
import { createInterface } from 'node:readline'

const holds = new Map<string, number>(Object.entries(JSON.parse(process.env.CHAOS_HOLDS ?? '{}')))
const waiting = new Map<string, () => void>()

const socket = connect(Number(process.env.CHAOS_CONTROL_PORT), '127.0.0.1')
socket.on('error', () => undefined)
// The service must be able to end although the harness listens.
socket.unref()
const say = (message: object) => socket.write(`${JSON.stringify({ member: process.env.CHAOS_MEMBER, ...message })}\n`)
say({ hello: process.pid })

createInterface({ input: socket }).on('line', line => {
  const told = JSON.parse(line) as { hold?: string; passing?: number; go?: string }
  if (told.hold !== undefined) holds.set(told.hold, told.passing ?? 1)
  if (told.go === undefined) return
  holds.delete(told.go)
  waiting.get(told.go)?.()
  waiting.delete(told.go)
})

const failPoint = async (name: string): Promise<void> => {
  const left = holds.get(name)
  if (left === undefined) return
  if (left > 1) {
    holds.set(name, left - 1)
    return
  }
  // Whoever else passes here while the point is held waits too: nothing slips by.
  const before = waiting.get(name)
  await new Promise<void>(resolve => {
    waiting.set(name, () => {
      before?.()
      resolve()
    })
    say({ held: name })
  })
}
;(globalThis as Record<symbol, unknown>)[Symbol.for('motcua.fail-point')] = failPoint
