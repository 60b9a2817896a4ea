import { expect, test } from 'vitest'
import { type DoorContext, judge, judgeJson, type Reason } from './door.ts'
import { dossierEventJson } from './event.ts'

const NOW = Date.parse('2025-08-05T00:00:00Z')
const context: DoorContext = { now_ms: NOW, knownUnit: code => code === '08746' }
const good = {
  event_id: '00000000-0000-4000-8000-000000000001',
  dossier_id: 'H44.12.17-250804-0001',
  revision: 1,
  event_type: 'RECEIVED',
  occurred_at: '2025-08-04T09:00:00+07:00',
  source: 'test',
  processing_unit: '08746',
  received_at: '2025-08-04T09:00:00+07:00',
}

/** One row per rule of the contract: what is changed, the reason, and the field it must name. */
const REFUSED: [string, object, Reason, string][] = [
  ['a field nobody knows', { applicant: 'A' }, 'unknown_field', 'applicant'],
  ['no event_id', { event_id: undefined }, 'missing_field', 'event_id'],
  ['null where a value is needed', { source: null }, 'missing_field', 'source'],
  ['an id that is no UUID', { event_id: '123' }, 'wrong_type', 'event_id'],
  ['a time without offset', { occurred_at: '2025-08-04T09:00:00' }, 'wrong_type', 'occurred_at'],
  ['a time finer than milliseconds', { occurred_at: '2025-08-04T09:00:00.0001Z' }, 'wrong_type', 'occurred_at'],
  ['a day that does not exist', { received_at: '2025-02-30T09:00:00Z' }, 'wrong_type', 'received_at'],
  ['a number as text', { supplement_requests: '1' }, 'wrong_type', 'supplement_requests'],
  ['a fraction', { revision: 1.5 }, 'wrong_type', 'revision'],
  ['a number that JSON cannot carry', { revision: 2 ** 53 }, 'wrong_type', 'revision'],
  ['more than 64 bits', { revision: '9223372036854775808' }, 'wrong_type', 'revision'],
  ['an unknown event type', { event_type: 'received' }, 'not_allowed_value', 'event_type'],
  ['an unknown channel', { channel: 'FAX' }, 'not_allowed_value', 'channel'],
  ['an empty string', { procedure_code: '' }, 'not_allowed_value', 'procedure_code'],
  ['an empty id', { event_id: '' }, 'not_allowed_value', 'event_id'],
  ['an empty time', { due_at: '' }, 'not_allowed_value', 'due_at'],
  ['half a character', { source: '\ud800' }, 'not_allowed_value', 'source'],
  ['white space at the end of an id', { dossier_id: 'W-240210-0001\u00a0' }, 'not_allowed_value', 'dossier_id'],
  ['a format character in a code', { procedure_code: '1.0\u200b12766' }, 'not_allowed_value', 'procedure_code'],
  ['a source that is not in NFC', { source: 'So\u031b\u0309 Tu phap' }, 'not_allowed_value', 'source'],
  ['an unknown name in cleared', { cleared: ['dossier_id'] }, 'not_allowed_value', 'cleared'],
  ['more names than there are', { cleared: Array(18).fill('due_at') }, 'too_long', 'cleared'],
  ['65 characters of dossier_id', { dossier_id: 'x'.repeat(65) }, 'too_long', 'dossier_id'],
  ['33 characters of a code', { sector_code: 'x'.repeat(33) }, 'too_long', 'sector_code'],
  ['before 1990', { occurred_at: '1989-12-31T23:59:59.999Z' }, 'time_out_of_range', 'occurred_at'],
  ['2100', { due_at: '2100-01-01T00:00:00Z' }, 'time_out_of_range', 'due_at'],
  ['received more than 24 h ahead', { received_at: '2025-08-06T00:00:00.001Z' }, 'received_in_future', 'received_at'],
  ['due before received', { due_at: '2025-08-04T08:59:59+07:00' }, 'due_before_received', 'due_at'],
  ['settled before received', { settled_at: '2025-08-04T08:59:59+07:00' }, 'settled_before_received', 'settled_at'],
  ['a negative revision', { revision: -1 }, 'negative_value', 'revision'],
  ['a negative pause', { supplement_pause_ms: -1 }, 'negative_value', 'supplement_pause_ms'],
  ['a unit in no list', { receiving_unit: '99999' }, 'unknown_unit', 'receiving_unit'],
  ['set and cleared', { cleared: ['received_at'] }, 'set_and_cleared', 'received_at'],
]

test.each(REFUSED)('refused: %s', (_, change, reason, field) => {
  const { refusals } = judgeJson({ ...good, ...change }, context)
  expect(refusals).toHaveLength(1)
  expect(refusals?.[0]).toMatchObject({ reason, field })
  // The message names the field or the value, and says what is allowed.
  expect(refusals?.[0]?.message).toMatch(/must|allowed|leave it out|only be one|whole characters/)
})

const ACCEPTED: [string, object][] = [
  ['as it is', {}],
  ['null for what is not said', { channel: null, cleared: null }],
  ['the highest revision', { revision: '9223372036854775807' }],
  ['an upper-case id', { event_id: 'F0000000-0000-0000-0000-00000000000A' }],
  ['64 characters beyond the basic plane', { dossier_id: '𝒳'.repeat(64) }],
  ['received 24 h ahead', { received_at: '2025-08-06T00:00:00Z', processing_unit: null }],
  ['due at the moment of reception', { due_at: '2025-08-04T09:00:00+07:00' }],
  ['settled long after another event received it', { received_at: null, settled_at: '1990-01-01T00:00:00Z' }],
  ['cleared', { cleared: ['settled_at', 'channel'] }],
  ['a blank for the T and a small z', { occurred_at: '2025-08-04 02:00:00z' }],
]

test.each(ACCEPTED)('accepted: %s', (_, change) => {
  expect(judgeJson({ ...good, ...change }, context).refusals).toBeUndefined()
})

test('a row that is no object', () => {
  for (const value of [5, 'text', null, [good]])
    expect(judgeJson(value, context).refusals?.[0]?.reason).toBe('wrong_type')
})

test('everything that is wrong with a row is told at once', () => {
  const { refusals } = judgeJson({ ...good, channel: 'FAX', revision: 'x', extra: 1 }, context)
  expect(refusals?.map(refusal => refusal.field).sort()).toEqual(['channel', 'extra', 'revision'])
})

/** What the door says about an event that any producer can send, and how long that took. */
function timed(change: object) {
  const begin = performance.now()
  const event = { ...dossierEventJson.parse(good), ...change }
  const refusals = judge(event, context)
  return { refusals, ms: performance.now() - begin, bytes: JSON.stringify(refusals).length }
}

test('a hostile event costs little to refuse, and little to tell', () => {
  const names = Array.from({ length: 1_000_000 }, (_, n) => `x${n % 1_000}`)
  const huge = '\u{1d4b3}'.repeat(4_000_000)
  for (const change of [
    { cleared: names },
    { cleared: names.map(() => 'received_at') },
    { cleared: [huge, huge] },
    { dossier_id: huge, source: huge, event_id: huge, receiving_unit: huge, processing_unit: huge },
  ]) {
    const { refusals, ms, bytes } = timed(change)
    expect(refusals.length).toBeGreaterThan(0)
    expect(refusals.length).toBeLessThanOrEqual(20)
    expect(bytes).toBeLessThan(20_000)
    expect(ms).toBeLessThan(1_000)
  }
  expect(timed({ cleared: ['b', 'a', 'b'] }).refusals).toHaveLength(2)
  expect(timed({ dossier_id: huge }).refusals[0]?.message).toContain('4000000 characters')
})

test('hostile JSON costs little to refuse: many unknown fields, a value of great depth, a long list', () => {
  const fields = Object.fromEntries(Array.from({ length: 100_000 }, (_, n) => [`x${n}`, n]))
  const deep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)
  for (const value of [fields, { ...good, source: deep }, deep, { ...good, channel: Array(100_000).fill('x') }]) {
    const refusals = judgeJson(value, context).refusals ?? []
    expect(refusals.length).toBeGreaterThan(0)
    expect(refusals.length).toBeLessThanOrEqual(20)
    expect(JSON.stringify(refusals).length).toBeLessThan(20_000)
  }
})

test('values are shown whole where they are short, else their beginning', () => {
  const message = (channel: unknown) => judgeJson({ ...good, channel }, context).refusals?.[0]?.message ?? ''
  expect(message('FAX')).toContain('channel is "FAX";')
  expect(message({ a: [1, { b: 'x' }] })).toContain('channel is {"a":[1,{"b":"x"}]};')
  expect(message(`${'x'.repeat(77)}\u{1d4b3}`)).toMatch(/channel is "x{77}\ufffd?…;/)
})

test.each([
  ['the same text', 'Hồ sơ', Buffer.from('Hồ sơ'), true],
  ['ASCII', 'H44', Buffer.from('H44'), true],
  ['a longer key', 'H44', Buffer.from('H44x'), false],
  ['a shorter key', 'H44', Buffer.from('H4'), false],
  ['an empty key', 'H44', Buffer.alloc(0), false],
  ['bytes that decode to the same text', 'H\ufffd', Buffer.from([0x48, 0xff]), false],
  ['a key of 8 MB', 'H44', Buffer.alloc(2 ** 23, 0x48), false],
  ['a key of 8 MB that is no text', 'H44', Buffer.alloc(2 ** 23, 0xff), false],
])('the key: %s', (_, dossier_id, key, same) => {
  const event = { ...dossierEventJson.parse(good), dossier_id }
  const refusals = judge(event, { ...context, key })
  expect(refusals.map(refusal => refusal.reason)).toEqual(same ? [] : ['key_mismatch'])
  expect(JSON.stringify(refusals).length).toBeLessThan(400)
})
