-- A dossier that was not accepted counts nowhere, so the ledger knows nothing of it: this folds the few that were ever refused.
CREATE VIEW not_accepted
(
    unit_code LowCardinality(String) COMMENT 'Code that the dossiers carry',
    day Date COMMENT 'Day on which they were turned away (+07:00)',
    source LowCardinality(String) COMMENT 'System that reported',
    not_accepted Int64 COMMENT 'Dossiers turned away'
)
AS
SELECT unit_code, day, d_source AS source, toInt64(count()) AS not_accepted
FROM
(
    SELECT dossier_id,
        argMaxIf(event_type, rank, bitTest(says, 17)) AS life,
        argMaxIf(source, rank, bitTest(says, 17)) AS d_source,
        toDate(argMaxIf(occurred_at, rank, bitTest(says, 17)) + toIntervalHour(7), 'UTC') AS day,
        argMaxIf(receiving_unit, rank, bitTest(says, 0)) AS d_receiving_unit,
        argMaxIf(processing_unit, rank, bitTest(says, 1)) AS d_processing_unit,
        if(d_processing_unit != '', d_processing_unit, d_receiving_unit) AS unit_code
    FROM dossier_events
    WHERE (slot, dossier_id) IN (SELECT slot, dossier_id FROM dossier_events WHERE event_type = 'NOT_ACCEPTED')
    GROUP BY dossier_id
)
WHERE life = 'NOT_ACCEPTED' AND unit_code != ''
GROUP BY unit_code, day, d_source
SETTINGS aggregate_functions_null_for_empty = 0, transform_null_in = 0
COMMENT 'Dossiers that were not accepted, per recorded unit code, day (+07:00) of the refusal and source; they count nowhere else'
