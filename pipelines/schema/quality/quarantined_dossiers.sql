-- What no door can see, because each event is fine by itself, or only implausible. These dossiers count exactly as the contract
-- says; they stand here so that somebody asks the source. Filters on slot and dossier_id reach the primary key.
-- Rows from before `log_append_time` was kept have none; then the time of their batch stands for it.
CREATE VIEW quarantined_dossiers
(
    slot UInt32 COMMENT 'yymmdd inside the dossier number, 0 where there is none',
    dossier_id String COMMENT 'Number of the dossier',
    reasons Array(String) COMMENT 'What contradicts: settled_before_received, due_before_received, returned_before_settled, pause_longer_than_life (the pause is longer than the time from reception to settlement, or to Kafka''s time of its newest event where it is not settled), revision_in_future (a revision, read as microseconds since 1970, lies more than 48 h after Kafka''s time of its event), voided_for_good (VOIDED at the highest revision there is, so that no event can bring it back)',
    source LowCardinality(String) COMMENT 'System whose event decided the life; sample: synthetic data',
    unit_code LowCardinality(String) COMMENT 'Unit it counts for: the processing unit, else the receiving one; empty: not known',
    received_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was received; NULL: not known',
    due_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Due date in force; NULL: none',
    settled_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was settled; NULL: not settled',
    returned_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the result was handed over; NULL: not yet',
    supplement_pause_ms Int64 COMMENT 'Time waited for supplements, milliseconds'
)
AS SELECT slot, dossier_id,
    arrayFilter(reason -> reason != '', [
        if(counted AND received_at IS NOT NULL AND settled_at IS NOT NULL AND settled_at < received_at, 'settled_before_received', ''),
        if(counted AND received_at IS NOT NULL AND due_at IS NOT NULL AND due_at < received_at, 'due_before_received', ''),
        if(counted AND settled_at IS NOT NULL AND returned_at IS NOT NULL AND returned_at < settled_at, 'returned_before_settled', ''),
        if(counted AND received_at IS NOT NULL AND supplement_pause_ms > 0 AND ifNull(settled_at, greatest(q_newest, assumeNotNull(received_at))) >= received_at
            AND supplement_pause_ms > toUnixTimestamp64Milli(ifNull(settled_at, greatest(q_newest, assumeNotNull(received_at)))) - toUnixTimestamp64Milli(assumeNotNull(received_at)), 'pause_longer_than_life', ''),
        if(q_in_future, 'revision_in_future', ''),
        if(q_life = 'VOIDED' AND q_life_revision = 9223372036854775807, 'voided_for_good', '')
    ]) AS reasons,
    q_source AS source, unit_code, received_at, due_at, settled_at, returned_at, supplement_pause_ms
FROM
(
    SELECT slot, dossier_id, q_source, q_life, q_life_revision, q_newest, q_in_future,
        q_life NOT IN ('VOIDED', 'NOT_ACCEPTED') AS counted,
        if(q_processing_unit != '', q_processing_unit, q_receiving_unit) AS unit_code,
        nullIf(q_received_at, toDateTime64(0, 3, 'UTC')) AS received_at, nullIf(q_due_at, toDateTime64(0, 3, 'UTC')) AS due_at,
        nullIf(q_settled_at, toDateTime64(0, 3, 'UTC')) AS settled_at, nullIf(q_returned_at, toDateTime64(0, 3, 'UTC')) AS returned_at,
        q_supplement_pause_ms AS supplement_pause_ms
    FROM
    (
        SELECT e.slot AS slot, e.dossier_id AS dossier_id,
            max(if(e.log_append_time = toDateTime64(0, 3, 'UTC'), e.ingested_at, e.log_append_time)) AS q_newest,
            max(intDiv(e.revision, 1000) > toUnixTimestamp64Milli(if(e.log_append_time = toDateTime64(0, 3, 'UTC'), e.ingested_at, e.log_append_time)) + 172800000) AS q_in_future,
            argMaxIf(e.event_type, e.rank, bitTest(e.says, 17)) AS q_life,
            argMaxIf(e.revision, e.rank, bitTest(e.says, 17)) AS q_life_revision,
            argMaxIf(e.source, e.rank, bitTest(e.says, 17)) AS q_source,
            argMaxIf(e.receiving_unit, e.rank, bitTest(e.says, 0)) AS q_receiving_unit,
            argMaxIf(e.processing_unit, e.rank, bitTest(e.says, 1)) AS q_processing_unit,
            argMaxIf(e.received_at, e.rank, bitTest(e.says, 6)) AS q_received_at,
            argMaxIf(e.due_at, e.rank, bitTest(e.says, 7)) AS q_due_at,
            argMaxIf(e.settled_at, e.rank, bitTest(e.says, 8)) AS q_settled_at,
            argMaxIf(e.returned_at, e.rank, bitTest(e.says, 9)) AS q_returned_at,
            argMaxIf(e.supplement_pause_ms, e.rank, bitTest(e.says, 10)) AS q_supplement_pause_ms
        FROM dossier_events AS e
        GROUP BY e.slot, e.dossier_id
    )
)
WHERE notEmpty(reasons)
SETTINGS aggregate_functions_null_for_empty = 0, join_use_nulls = 0, transform_null_in = 0
COMMENT 'One row is a dossier whose events contradict each other or are implausible. It counts as the contract says; ask its source'
