/**
 * Every metric of the project in one list: what it counts, its unit, and what to do when it looks wrong.
 * https://prometheus.io/docs/practices/naming/
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** Metrics of one process. */
export function createMetrics(service: string) {
  const registry = new Registry()
  registry.setDefaultLabels({ service })
  collectDefaultMetrics({ register: registry })
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name, help, labelNames, registers: [registry] })
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name, help, labelNames, registers: [registry] })
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({ name, help, buckets, registers: [registry] })
  return {
    registry,
    /** Events accepted into ClickHouse, redelivered ones included. */
    events_ingested: counter(
      'motcua_events_ingested_total',
      'Events inserted into dossier_events, redelivered ones included',
    ),
    /** Refused records; look at the reason, then at `npm run dlq -- list`. */
    dead_letters: counter('motcua_dead_letters_total', 'Records refused and written to a dead-letter topic', [
      'reason',
    ]),
    /** Copies for people that could not be made; the topic still has the record. */
    copies_left_out: counter('motcua_copies_left_out_total', 'Records of which no copy could be written', ['table']),
    /** Records that lay in the wrong partition; a producer that does not partition like Kafka's Java client. */
    rehomed: counter('motcua_rehomed_total', 'Records produced again into the partition where they belong'),
    /** Inserts, one per batch. */
    batches: counter('motcua_batches_total', 'Batches inserted'),
    batch_rows: histogram('motcua_batch_rows', 'Rows per inserted batch', [1, 10, 100, 1_000, 10_000, 50_000, 100_000]),
    insert_seconds: histogram(
      'motcua_insert_seconds',
      'Seconds from sending a batch to its acknowledgement, ledger included',
      [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30],
    ),
    /** Where ingest's own time goes; what is left of its CPU is Kafka's client. */
    busy_seconds: counter('motcua_ingest_busy_seconds_total', 'CPU seconds of ingest, by step', ['step']),
    /** Inserts that failed and will be tried again; rising: ClickHouse is not reachable or overloaded. */
    insert_retries: counter(
      'motcua_insert_retries_total',
      'Batches that failed with a transient error and are read again',
    ),
    /** Partitions that wait because ClickHouse does not take their rows; above 0 for long: see insert_retries. */
    partitions_paused: gauge('motcua_partitions_paused', 'Partitions paused until ClickHouse takes rows again'),
    /** Records still to be read, per partition. */
    lag_records: gauge('motcua_lag_records', 'Records behind the end of the partition', ['partition']),
    /** Age of the newest event when it was counted. */
    event_delay_seconds: gauge(
      'motcua_event_delay_seconds',
      'Seconds from the Kafka time of the newest record of a batch to its acknowledged insert',
    ),
    /** Unix time of the last progress: a batch settled, or nothing to do. */
    last_progress: gauge(
      'motcua_last_progress_timestamp_seconds',
      'Unix time at which ingest last moved on or had nothing to read',
    ),
    /** Events accepted over HTTP. */
    intake_accepted: counter('motcua_intake_accepted_total', 'Events accepted over HTTP and acknowledged by Kafka'),
    intake_refused: counter('motcua_intake_refused_total', 'Events refused over HTTP', ['reason']),
    /** Alerts: evaluations and changes of state. */
    alert_evaluations: counter('motcua_alert_evaluations_total', 'Evaluations of alert rules', ['rule', 'outcome']),
    alert_changes: counter('motcua_alert_changes_total', 'Alerts that changed their state', ['rule', 'state']),
    alerts_open: gauge('motcua_alerts_open', 'Alerts that are not resolved'),
    /** What the last audit found; anything above 0: `npm run audit` names it, `-- --repair` makes it right. */
    audit_differences: gauge(
      'motcua_audit_differences',
      'Found by the last audit: dossiers and sums that differ, records missing from the log, conflicting event ids',
      ['kind'],
    ),
    /** Unix time of the last audit that could be done, whatever it found; not growing: its log says why. */
    audit_last_success: gauge(
      'motcua_audit_last_success_timestamp_seconds',
      'Unix time at which an audit last came to its end',
      ['kind'],
    ),
    audit_seconds: gauge('motcua_audit_seconds', 'How long the last audit took', ['kind']),
    /** Dossiers whose events contradict each other, as the last whole audit saw them; ask the source. */
    quarantined_dossiers: gauge(
      'motcua_quarantined_dossiers',
      'Dossiers whose events contradict each other; they count as the contract says',
      ['reason'],
    ),
  }
}
export type Metrics = ReturnType<typeof createMetrics>
