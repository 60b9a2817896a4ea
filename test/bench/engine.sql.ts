/**
 * The yardstick: ClickHouse's own Kafka engine reading the same topic with `AvroConfluent` into the same tables and views. It
 * validates nothing, knows no dead letters, claims or counts, and leaves three columns of the log empty (`topic_epoch`,
 * `log_append_time`, `count_epoch`); for the batch it needs window functions. The rest that it writes per event is the same.
 */
import { NULLABLE_FIELDS } from '../../schemas/dossier-event/event.ts'
import { bitOf, LIFE, LIFE_BIT, WAITING, WAITING_BIT } from '../../schemas/dossier-event/says.ts'

const TYPES: Record<string, string> = {
  received_at: "Nullable(DateTime64(3, 'UTC'))",
  due_at: "Nullable(DateTime64(3, 'UTC'))",
  settled_at: "Nullable(DateTime64(3, 'UTC'))",
  returned_at: "Nullable(DateTime64(3, 'UTC'))",
  supplement_pause_ms: 'Nullable(Int64)',
  supplement_requests: 'Nullable(Int32)',
  fee_due: 'Nullable(Bool)',
  paid_online: 'Nullable(Bool)',
  digital_result: 'Nullable(Bool)',
  digitised: 'Nullable(Bool)',
  data_reused: 'Nullable(Bool)',
}
const quoted = (types: Iterable<string>) => [...types].map(type => `'${type}'`).join(', ')

export const engineTable = (options: {
  brokers: string
  group: string
  registry: string
  consumers: number
}): string => `
  CREATE TABLE topic
  (
    event_id UUID, dossier_id String, revision Int64, event_type String, occurred_at DateTime64(3, 'UTC'), source String,
    ${NULLABLE_FIELDS.map(field => `${field} ${TYPES[field] ?? 'Nullable(String)'}`).join(', ')},
    cleared Array(String)
  )
  ENGINE = Kafka
  SETTINGS kafka_broker_list = '${options.brokers}', kafka_topic_list = 'dossier-events', kafka_group_name = '${options.group}',
    kafka_format = 'AvroConfluent', format_avro_schema_registry_url = '${options.registry}', kafka_num_consumers = ${options.consumers},
    kafka_thread_per_consumer = 1, kafka_max_block_size = 65536, kafka_poll_max_batch_size = 65536, kafka_flush_interval_ms = 500,
    kafka_handle_error_mode = 'stream'`

/** Each block names itself a batch: its rows are counted over the block, as the guard of the ledger wants it. */
export const engineView = (): string => `
  CREATE MATERIALIZED VIEW topic_to_events TO dossier_events AS
  SELECT
    event_id, dossier_id, revision, event_type, occurred_at, source,
    ${NULLABLE_FIELDS.map(field => `ifNull(${field}, defaultValueOfTypeName('${(TYPES[field] ?? 'Nullable(String)').replace(/^Nullable\((.*)\)$/s, '$1').replaceAll("'", "\\'")}')) AS ${field}`).join(',\n    ')},
    cleared,
    toUInt32(${NULLABLE_FIELDS.map(field => `if(isNotNull(t.${field}) OR has(t.cleared, '${field}'), ${bitOf(field)}, 0)`).join(' + ')}
      + if(event_type IN (${quoted(LIFE)}), ${LIFE_BIT}, 0)
      + if(event_type IN (${quoted(WAITING)}), ${WAITING_BIT}, 0)) AS says,
    _topic AS topic, toInt32(_partition) AS partition, toInt64(_offset) AS offset, '' AS writer,
    concat('engine-', toString(min(_partition) OVER ()), '-', toString(min(_offset) OVER ()), '-', toString(count() OVER ())) AS batch,
    toUInt32(count() OVER ()) AS batch_rows,
    toDateTime64(max(_timestamp) OVER (), 3, 'UTC') AS ingested_at
  FROM topic AS t
  WHERE _error = ''`
