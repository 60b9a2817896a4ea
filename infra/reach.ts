// Promise: says whether a Kafka or a ClickHouse answers at an address, signed in as given, within a few seconds. Somebody's own
// brokers may well be registered with other ports than the one asked: only who started a broker can hold it to its port.

import { Kafka, logLevel, type SASLOptions } from 'kafkajs'
import type { ClickHouseAddress, KafkaAddress } from './config.ts'

const LIMIT_MS = 5000

/** The cluster has a broker: a port is open before its broker has registered with the controller. */
export async function kafkaAnswers(address: KafkaAddress): Promise<boolean> {
  return (await registeredPorts(address)).length > 0
}

/** The ports the cluster's brokers are registered with, as the one that answers has them; none where nobody does. */
export async function registeredPorts(address: KafkaAddress): Promise<number[]> {
  const kafka = new Kafka({
    clientId: 'motcua-reach',
    brokers: [...address.brokers],
    ssl: address.ssl,
    sasl: address.sasl as SASLOptions | undefined,
    logLevel: logLevel.NOTHING,
    connectionTimeout: LIMIT_MS,
    requestTimeout: LIMIT_MS,
    // kafkajs takes one of the addresses at a time: let it try each
    retry: { retries: address.brokers.length - 1, initialRetryTime: 50 },
  })
  const admin = kafka.admin()
  try {
    await admin.connect()
    return (await admin.describeCluster()).brokers.map(broker => broker.port)
  } catch {
    return []
  } finally {
    await admin.disconnect().catch(() => {})
  }
}

export async function clickHouseAnswers(address: ClickHouseAddress): Promise<boolean> {
  const headers: Record<string, string> = {}
  if (address.username !== undefined) headers['X-ClickHouse-User'] = address.username
  if (address.password !== undefined) headers['X-ClickHouse-Key'] = address.password
  const url = new URL(address.url)
  // fetch refuses a URL with a name in it
  if (url.username !== '') headers['X-ClickHouse-User'] = decodeURIComponent(url.username)
  if (url.password !== '') headers['X-ClickHouse-Key'] = decodeURIComponent(url.password)
  url.username = ''
  url.password = ''
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body: 'SELECT 1',
      signal: AbortSignal.timeout(LIMIT_MS),
    })
    return response.ok && (await response.text()).trim() === '1'
  } catch {
    return false
  }
}
