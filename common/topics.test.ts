// Promise: which settings of topics are put right, which are refused, and what a refusal tells to run.
import { expect, test } from 'vitest'
import { commandFor, deniedBy, needsOf } from './topics.ts'

const good = { 'cleanup.policy': 'delete', 'message.timestamp.type': 'LogAppendTime', 'max.message.bytes': '1048588' }
const letters = { ...good, 'max.message.bytes': '3145728' }

test('topics as they must be, and topics that are not there, need nothing', () => {
  expect(
    needsOf(
      new Map([
        ['dossier-events', good],
        ['dossier-events.dlq', letters],
      ]),
    ),
  ).toEqual([])
  expect(needsOf(new Map([['dossier-events', good]]))).toEqual([])
  expect(needsOf(new Map([['dossier-events.dlq', good]]))).toEqual([])
})

test("the producer's time on an input is put right; on dead letters it does not matter", () => {
  const settings = { ...good, 'message.timestamp.type': 'CreateTime' }
  const dead = { ...letters, 'message.timestamp.type': 'CreateTime' }
  const found = needsOf(
    new Map([
      ['indicator-reports', settings],
      ['indicator-reports.dlq', dead],
    ]),
  )
  const [need, ...more] = found
  expect(more).toEqual([])
  expect(need).toMatchObject({ topic: 'indicator-reports', is: 'CreateTime', ours: true })
  expect(need && commandFor(need, 'a:1,b:2')).toBe(
    'kafka-configs.sh --bootstrap-server a:1,b:2 --alter --entity-type topics --entity-name indicator-reports --add-config message.timestamp.type=LogAppendTime',
  )
})

test('dead letters get a mebibyte more than the input takes, within a 32-bit number', () => {
  const roomFor = (bytes: string) =>
    needsOf(
      new Map([
        ['dossier-events', { ...good, 'max.message.bytes': bytes }],
        ['dossier-events.dlq', letters],
      ]),
    )
  expect(roomFor('2097152')).toEqual([])
  expect(roomFor('2097153')).toMatchObject([
    { topic: 'dossier-events.dlq', setting: 'max.message.bytes', value: '3145729', is: '3145728', ours: true },
  ])
  expect(roomFor('2147483647')).toMatchObject([{ value: '2147483647' }])
})

test('compaction is for somebody to decide, alone or beside deletion', () => {
  for (const policy of ['compact', 'compact,delete'])
    for (const topic of ['dossier-events', 'dossier-events.dlq'])
      expect(needsOf(new Map([[topic, { ...letters, 'cleanup.policy': policy }]]))).toMatchObject([
        { topic, setting: 'cleanup.policy', value: 'delete', is: policy, ours: false },
      ])
})

test('what the broker will not do is told from what failed', () => {
  const denied = Object.assign(new Error('no'), { type: 'TOPIC_AUTHORIZATION_FAILED' })
  expect(deniedBy(new Error('wrapped', { cause: denied }))).toBe('TOPIC_AUTHORIZATION_FAILED')
  expect(deniedBy(Object.assign(new Error('gone'), { type: 'UNKNOWN_TOPIC_OR_PARTITION' }))).toBeUndefined()
  expect(deniedBy(Object.assign(new Error('old'), { name: 'KafkaJSServerDoesNotSupportApiKey' }))).toBe(
    'UNSUPPORTED_VERSION',
  )
})
