import type { ClickHouseClient } from '@clickhouse/client'
import { describe, expect, it } from 'vitest'
import { createFigures, FiguresError } from './figures.ts'

/** A client that counts what it is asked, and answers nothing or fails. */
function countingClient(failure?: Error) {
  const asked: { query: string; query_params: Record<string, unknown> }[] = []
  const query = async (question: { query: string; query_params: Record<string, unknown> }) => {
    asked.push(question)
    if (failure !== undefined) throw failure
    return { json: async () => [] }
  }
  return { asked, client: { query } as unknown as ClickHouseClient }
}

const whole = { from: '1970-01-01', to: '2149-06-06' }
const evil = "58' OR 1 = 1 --"

describe('questions to ClickHouse', () => {
  it('cost one set for a hundred viewers of the same page', async () => {
    const { asked, client } = countingClient()
    const figures = createFigures(client)
    const look = () =>
      Promise.all([
        figures.parts(whole),
        figures.calendar(),
        figures.samples(),
        figures.moment(),
        figures.lastEvents(),
        figures.deadLetters(),
        figures.openAlerts(),
      ])
    await Promise.all(Array.from({ length: 100 }, look))
    expect(asked).toHaveLength(7)
    await figures.parts({ ...whole, unit: { code: '58', valid_from: '1970-01-01', level: 'province' } })
    expect(asked).toHaveLength(8)
  })

  it('carry values as parameters, never as text', async () => {
    const { asked, client } = countingClient()
    const figures = createFigures(client)
    await figures.rates({ tier: 'commune', ...whole, unit: { code: evil, level: 'province' } })
    await figures.rates({ tier: 'province', ...whole, unit: { code: evil, level: 'province' } })
    await figures.parts({ ...whole, unit: { code: evil, valid_from: evil, level: 'district' } })
    expect(asked).toHaveLength(3)
    for (const { query, query_params } of asked) {
      expect(query).not.toContain('OR 1')
      expect(query_params.unit).toBe(evil)
    }
  })

  it('say that ClickHouse is away, with the cause', async () => {
    const cause = new Error('connect ECONNREFUSED')
    const { client } = countingClient(cause)
    const error = await createFigures(client)
      .moment()
      .catch(reason => reason)
    expect(error).toBeInstanceOf(FiguresError)
    expect([error.code, error.statusCode, error.cause]).toEqual(['FIGURES_UNAVAILABLE', 503, cause])
  })
})
