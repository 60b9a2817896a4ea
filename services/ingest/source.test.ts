// Promise: a member that the group has gone on without is told so by its commit, in kafkajs's own words, and joins again.
import kafkajs from 'kafkajs'
import { expect, test } from 'vitest'
import { isKafkaError, memberError } from './source.ts'

const protocol = (type: string) => Object.assign(new kafkajs.KafkaJSError(type), { name: 'KafkaJSProtocolError', type })
const wrapped = (cause: Error) => Object.assign(new Error('wrapped', { cause }), { name: 'KafkaJSNonRetriableError' })

test.each(['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'REBALANCE_IN_PROGRESS'])(
  '%s is taken out of its wrapper',
  type => {
    const cause = protocol(type)
    expect(memberError(wrapped(cause))).toBe(cause)
    expect(isKafkaError(cause)).toBe(true)
  },
)

test('other errors stay what they are', () => {
  for (const error of [
    wrapped(protocol('TOPIC_AUTHORIZATION_FAILED')),
    new Error('x'),
    protocol('UNKNOWN_MEMBER_ID'),
    7,
  ])
    expect(memberError(error)).toBe(error)
})
