-- What no door can see, because each event is fine by itself. These dossiers count exactly as the contract says; they stand
-- here so that somebody asks the source. Filters on slot and dossier_id reach the primary key.
CREATE OR REPLACE VIEW quarantined_dossiers
(
    slot UInt32 COMMENT 'yymmdd inside the dossier number, 0 where there is none',
    dossier_id String COMMENT 'Number of the dossier',
    reasons Array(String) COMMENT 'What contradicts: settled_before_received, due_before_received, returned_before_settled, pause_longer_than_life (the pause is longer than the time from reception to settlement)',
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
        if(received_at IS NOT NULL AND settled_at IS NOT NULL AND settled_at < received_at, 'settled_before_received', ''),
        if(received_at IS NOT NULL AND due_at IS NOT NULL AND due_at < received_at, 'due_before_received', ''),
        if(settled_at IS NOT NULL AND returned_at IS NOT NULL AND returned_at < settled_at, 'returned_before_settled', ''),
        if(received_at IS NOT NULL AND settled_at IS NOT NULL AND settled_at >= received_at
            AND supplement_pause_ms > toUnixTimestamp64Milli(assumeNotNull(settled_at)) - toUnixTimestamp64Milli(assumeNotNull(received_at)), 'pause_longer_than_life', '')
    ]) AS reasons,
    q_source AS source, unit_code, received_at, due_at, settled_at, returned_at, supplement_pause_ms
FROM
(
    SELECT slot, dossier_id, q_source,
        if(q_processing_unit != '', q_processing_unit, q_receiving_unit) AS unit_code,
        nullIf(q_received_at, toDateTime64(0, 3, 'UTC')) AS received_at, nullIf(q_due_at, toDateTime64(0, 3, 'UTC')) AS due_at,
        nullIf(q_settled_at, toDateTime64(0, 3, 'UTC')) AS settled_at, nullIf(q_returned_at, toDateTime64(0, 3, 'UTC')) AS returned_at,
        q_supplement_pause_ms AS supplement_pause_ms
    FROM
    (
        SELECT e.slot AS slot, e.dossier_id AS dossier_id,
            argMaxIf(e.event_type, e.rank, bitTest(e.says, 17)) AS q_life,
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
    WHERE q_life NOT IN ('VOIDED', 'NOT_ACCEPTED')
)
WHERE notEmpty(reasons)
SETTINGS aggregate_functions_null_for_empty = 0, join_use_nulls = 0, transform_null_in = 0
COMMENT 'One row is a dossier whose events contradict each other. It counts as the contract says; ask its source'
