/** The state survives, is never half written, and a broken one is told with a way on. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { replaySamples } from './run.ts'
import { readState, SampleError, stateFile, updateState } from './state.ts'

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'motcua-sample-'))
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

test('a new home knows of nothing', () => {
  expect(readState(home)).toEqual({ version: 1, removed: false, removals: 0, samples: [] })
})

test('changes made at the same time all count', async () => {
  await Promise.all(
    Array.from({ length: 8 }, () => updateState(home, before => ({ ...before, removals: before.removals + 1 }))),
  )
  expect(readState(home).removals).toBe(8)
})

test.each(['', '{"version":1', '{"version":2,"removed":false,"removals":0,"samples":[]}'])(
  '%j is refused, with the way on',
  text => {
    writeFileSync(stateFile(home), text)
    expect(() => readState(home)).toThrow(SampleError)
    expect(() => readState(home)).toThrow(/--fresh begins anew/)
  },
)

test('once removed, a later start sends nothing and says so', async () => {
  await updateState(home, before => ({ ...before, removed: true }))
  const said: string[] = []
  const nothing = new Proxy({}, { get: () => expect.fail('nothing may be asked') })
  const report = await replaySamples(
    { kafka: nothing, registry: nothing, clickhouse: nothing, home, log: (line: string) => said.push(line) } as never,
    [],
  )
  expect(report).toMatchObject({ removed: true, sent: 0, lines: [] })
  expect(said.join()).toContain('--fresh')
})
