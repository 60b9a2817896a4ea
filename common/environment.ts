/** What commands read from the environment: as a service does, but beside a running `npm start` nothing need be set. */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ClickHouseClient } from '@clickhouse/client'
import type { Kafka } from 'kafkajs'
import { pino } from 'pino'
import { z } from 'zod'
import { openRegistry, type SchemaRegistry } from '../schemas/registry.ts'
import { createClickHouse } from './clickhouse.ts'
import { type CommonConfig, commonShape, type Environment, port, readConfig } from './config.ts'
import { createKafka } from './kafka.ts'
import type { Log } from './log.ts'

const PROJECT = fileURLToPath(new URL('..', import.meta.url))

export interface CommandEnvironment {
  config: CommonConfig
  /** MOTCUA_HOME, absolute. */
  home: string
}

/** Throws {@link ConfigError}. */
export function readEnvironment(env: Environment = process.env): CommandEnvironment {
  const { KAFKA_PORT, CLICKHOUSE_PORT, MOTCUA_HOME, KAFKA_BROKERS, CLICKHOUSE_URL, ...rest } = readConfig(
    z.object({
      ...commonShape,
      KAFKA_BROKERS: commonShape.KAFKA_BROKERS.optional(),
      CLICKHOUSE_URL: commonShape.CLICKHOUSE_URL.optional(),
      KAFKA_PORT: port(9092),
      CLICKHOUSE_PORT: port(8123),
      MOTCUA_HOME: z.string().default('.motcua'),
    }),
    env,
  )
  return {
    home: resolve(PROJECT, MOTCUA_HOME),
    config: {
      ...rest,
      KAFKA_BROKERS: KAFKA_BROKERS ?? [`127.0.0.1:${KAFKA_PORT}`],
      CLICKHOUSE_URL: CLICKHOUSE_URL ?? `http://127.0.0.1:${CLICKHOUSE_PORT}`,
    },
  }
}

export interface Connections {
  kafka: Kafka
  registry: SchemaRegistry
  clickhouse: ClickHouseClient
}

/** Clients for the time of one call. Only errors of the Kafka client are logged. */
export async function withConnections<T>(
  config: CommonConfig,
  use: (connections: Connections) => Promise<T>,
  log: Log = pino({ level: 'error' }, pino.destination(2)),
): Promise<T> {
  const clickhouse = createClickHouse(config, 'analyst')
  try {
    return await use({
      kafka: createKafka(config, 'motcua-command', log),
      registry: openRegistry(config.SCHEMA_REGISTRY_URL),
      clickhouse,
    })
  } finally {
    await clickhouse.close()
  }
}
