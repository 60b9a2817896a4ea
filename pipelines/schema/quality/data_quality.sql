-- Unit, sector and the known fields are those of the dossier as all its events give them, not those of the single event: most
-- events say only what has changed. A delivery is a repeat when the log had its event before, on whatever day, so that days
-- add up. Costs: one pass over `ingested_at`, then a fold of the dossiers with news in the period.
CREATE VIEW data_quality AS
SELECT day, source, unit_code, sector_code,
    sum(deliveries) AS events, sum(first_deliveries) AS distinct_events, events - distinct_events AS repeats,
    sum(n_corrections) AS corrections, sum(n_voids) AS voids,
    count() AS dossiers, countIf(unknown_procedure) AS unknown_procedures,
    mapFromArrays(
        ['receiving_unit', 'processing_unit', 'procedure_code', 'sector_code', 'channel', 'service_level', 'received_at', 'due_at', 'settled_at', 'returned_at',
            'supplement_pause_ms', 'supplement_requests', 'fee_due', 'paid_online', 'digital_result', 'digitised', 'data_reused'],
        arrayMap(n -> n / dossiers, sumForEach(known_fields))) AS known,
    if(distinct_events = 0, NULL, quantileExactWeightedArray(0.5)(delays_ms, delay_weights) / 1000) AS delay_p50_s,
    if(distinct_events = 0, NULL, quantileExactWeightedArray(0.95)(delays_ms, delay_weights) / 1000) AS delay_p95_s
FROM
(
    SELECT e.day AS day, e.source AS source, d.unit_code AS unit_code, if(p.newest_sector != '', p.newest_sector, d.sector_code) AS sector_code,
        e.deliveries AS deliveries, e.first_deliveries AS first_deliveries, e.n_corrections AS n_corrections, e.n_voids AS n_voids, e.delays_ms AS delays_ms,
        arrayMap(ms -> toUInt64(1), e.delays_ms) AS delay_weights,
        d.known_fields AS known_fields, d.procedure_code != '' AND p.code = '' AS unknown_procedure
    FROM
    (
        SELECT day, source, dossier_id,
            count() AS deliveries, countIf(delivery = 1) AS first_deliveries,
            countIf(delivery = 1 AND event_type = 'CORRECTED') AS n_corrections, countIf(delivery = 1 AND event_type = 'VOIDED') AS n_voids,
            groupArrayIf(toUnixTimestamp64Milli(ingested_at) - toUnixTimestamp64Milli(occurred_at), delivery = 1) AS delays_ms
        FROM
        (
            SELECT dossier_id, source, event_type, occurred_at, ingested_at, toDate(ingested_at + toIntervalHour(7), 'UTC') AS day,
                row_number() OVER (PARTITION BY dossier_id, event_id ORDER BY ingested_at, topic, partition, offset) AS delivery
            FROM dossier_events
            WHERE (slot, dossier_id) IN
            (
                SELECT slot, dossier_id FROM dossier_events
                WHERE ingested_at >= toDateTime64({from:Date}, 3, 'UTC') - toIntervalHour(7) AND ingested_at < toDateTime64({to:Date}, 3, 'UTC') + toIntervalHour(17)
            )
        )
        WHERE day BETWEEN {from:Date} AND {to:Date} AND {{from_to}}
        GROUP BY day, source, dossier_id
    ) AS e
    INNER JOIN
    (
        SELECT dossier_id,
            argMaxIf(receiving_unit, rank, bitTest(says, 0)) AS n_receiving_unit,
            argMaxIf(processing_unit, rank, bitTest(says, 1)) AS n_processing_unit,
            if(n_processing_unit != '', n_processing_unit, n_receiving_unit) AS unit_code,
            argMaxIf(procedure_code, rank, bitTest(says, 2)) AS procedure_code,
            argMaxIf(sector_code, rank, bitTest(says, 3)) AS sector_code,
            [
                argMaxIf(NOT has(cleared, 'receiving_unit'), rank, bitTest(says, 0)),
                argMaxIf(NOT has(cleared, 'processing_unit'), rank, bitTest(says, 1)),
                argMaxIf(NOT has(cleared, 'procedure_code'), rank, bitTest(says, 2)),
                argMaxIf(NOT has(cleared, 'sector_code'), rank, bitTest(says, 3)),
                argMaxIf(NOT has(cleared, 'channel'), rank, bitTest(says, 4)),
                argMaxIf(NOT has(cleared, 'service_level'), rank, bitTest(says, 5)),
                argMaxIf(NOT has(cleared, 'received_at'), rank, bitTest(says, 6)),
                argMaxIf(NOT has(cleared, 'due_at'), rank, bitTest(says, 7)),
                argMaxIf(NOT has(cleared, 'settled_at'), rank, bitTest(says, 8)),
                argMaxIf(NOT has(cleared, 'returned_at'), rank, bitTest(says, 9)),
                argMaxIf(NOT has(cleared, 'supplement_pause_ms'), rank, bitTest(says, 10)),
                argMaxIf(NOT has(cleared, 'supplement_requests'), rank, bitTest(says, 11)),
                argMaxIf(NOT has(cleared, 'fee_due'), rank, bitTest(says, 12)),
                argMaxIf(NOT has(cleared, 'paid_online'), rank, bitTest(says, 13)),
                argMaxIf(NOT has(cleared, 'digital_result'), rank, bitTest(says, 14)),
                argMaxIf(NOT has(cleared, 'digitised'), rank, bitTest(says, 15)),
                argMaxIf(NOT has(cleared, 'data_reused'), rank, bitTest(says, 16))
            ] AS known_fields
        FROM dossier_events
        WHERE (slot, dossier_id) IN
        (
            SELECT slot, dossier_id FROM dossier_events
            WHERE ingested_at >= toDateTime64({from:Date}, 3, 'UTC') - toIntervalHour(7) AND ingested_at < toDateTime64({to:Date}, 3, 'UTC') + toIntervalHour(17)
        )
        GROUP BY dossier_id
    ) AS d ON e.dossier_id = d.dossier_id
    LEFT ANY JOIN procedures_on_day(day={to:Date}) AS p ON d.procedure_code = p.code
)
GROUP BY day, source, unit_code, sector_code
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0, transform_null_in = 0
COMMENT 'data_quality(from=, to=): per day of ingestion (+07:00), source of the events, recorded unit and sector of the dossier (empty: not known): deliveries (events), first ones (distinct_events), repeats; of the first ones corrections, voids, seconds from happening to ingestion (delay_p50_s, delay_p95_s); dossiers touched, of them with a procedure that the catalogue does not have (unknown_procedures), and the share that knows each field (known)'
