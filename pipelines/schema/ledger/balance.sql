-- The idea of the project. For every dossier in the inserted block: fold all its events (the block and the history),
-- reverse what the ledger has standing, post what the fold says. What nets to zero is not posted, so a redelivered event
-- posts nothing, order does not matter, and whatever was half done is made right by the next touch.
--
-- It leans on: one batch = one block (`guard` throws otherwise); one writer per dossier (partitioning, re-homing, and
-- `fence`, which throws for a writer that has lost its partition); the settings at the end, which a hostile session could
-- otherwise change under it. Where it throws, the log has the rows and the ledger has not: the next touch makes it right.
CREATE MATERIALIZED VIEW balance TO dossier_postings AS
WITH
    (SELECT throwIf(count() != any(batch_rows) OR uniqExact(batch) != 1, 'a batch must reach the ledger as one block') FROM dossier_events) AS guard,
    (
        SELECT throwIf(count() != 0, 'another writer has taken over a partition of this batch')
        FROM (SELECT topic, partition, any(writer) AS writer FROM dossier_events GROUP BY topic, partition) AS block
        INNER JOIN (SELECT topic, partition, argMax(writer, (epoch, writer)) AS owner FROM partition_owners GROUP BY topic, partition) AS claims
            ON block.topic = claims.topic AND block.partition = claims.partition
        WHERE block.writer != claims.owner
    ) AS fence,
    (
        -- Ingest reads the count again and classifies the records under it.
        SELECT throwIf(count() != 0, 'the partition count has changed', toInt16(733))
        FROM (SELECT topic, any(count_epoch) AS count_epoch FROM dossier_events GROUP BY topic) AS block
        INNER JOIN (SELECT topic, max(epoch) AS epoch FROM partition_counts GROUP BY topic) AS counts ON block.topic = counts.topic
        WHERE block.count_epoch != counts.epoch
    ) AS count_fence,
    (
        -- 733 is one of the codes on which ingest waits and tries again; those of the two above end it.
        SELECT throwIf(count() != 0, 'the ledger is paused for a moment', toInt16(733))
        FROM (SELECT argMax(until, (epoch, holder)) AS paused_until FROM leases WHERE name = 'pause' GROUP BY name)
        WHERE paused_until > now64(3)
    ) AS pause,
    (SELECT any(batch) FROM dossier_events) AS this_batch,
    (SELECT any(ingested_at) FROM dossier_events) AS this_time
SELECT
    id AS dossier_id,
    toInt32(sum(weight)) AS sign,
    any(f_unit) AS unit_code,
    any(f_receiving) AS receiving_unit,
    any(f_source) AS source,
    any(f_procedure) AS procedure_code,
    any(f_sector) AS sector_code,
    any(f_channel) AS channel,
    any(f_level) AS service_level,
    any(f_received) AS received_on,
    any(f_due) AS due_on,
    any(f_settled) AS settled_on,
    any(f_compared) AS compared_on,
    any(f_returned) AS returned_on,
    any(f_ended) AS ended_on,
    any(f_ended_as) AS ended_as,
    any(f_overdue) AS overdue_on,
    any(f_waiting) AS waiting_on,
    any(f_requests) AS supplement_requests,
    any(f_fee_due) AS fee_due,
    any(f_paid_online) AS paid_online,
    any(f_digital_result) AS digital_result,
    any(f_digitised) AS digitised,
    any(f_data_reused) AS data_reused,
    hash AS facts,
    this_batch AS batch,
    this_time AS posted_at
FROM
(
    -- What the events say now.
    SELECT
        id, f_unit, f_receiving, f_source, f_procedure, f_sector, f_channel, f_level, f_received, f_due, f_settled, f_compared, f_returned,
        f_ended, f_ended_as, f_overdue, f_waiting, f_requests, f_fee_due, f_paid_online, f_digital_result, f_digitised, f_data_reused,
        cityHash64(f_unit, f_receiving, f_source, f_procedure, f_sector, f_channel, f_level, f_received, f_due, f_settled, f_compared, f_returned,
            f_ended, f_ended_as, f_overdue, f_waiting, f_requests, f_fee_due, f_paid_online, f_digital_result, f_digitised, f_data_reused) AS hash,
        toInt64(1) AS weight
    FROM
    (
        SELECT
            id,
            n_life AS f_life,
            n_source AS f_source,
            if(n_processing_unit != '', n_processing_unit, n_receiving_unit) AS f_unit,
            n_receiving_unit AS f_receiving,
            n_procedure AS f_procedure,
            n_sector AS f_sector,
            n_channel AS f_channel,
            n_level AS f_level,
            if(n_received_ms = 0, toDate(0), toDate(intDiv(n_received_ms + 25200000, 86400000))) AS f_received,
            if(n_due_ms = 0, toDate(0), toDate(intDiv(n_due_ms + 25200000, 86400000))) AS f_due,
            if(n_settled_ms = 0, toDate(0), toDate(intDiv(n_settled_ms + 25200000, 86400000))) AS f_settled,
            if(n_settled_ms = 0, toDate(0), toDate(greatest(intDiv(n_settled_ms - n_pause_ms + 25200000, 86400000), 0))) AS f_compared,
            if(n_returned_ms = 0, toDate(0), toDate(intDiv(n_returned_ms + 25200000, 86400000))) AS f_returned,
            multiIf(n_settled_ms != 0, n_settled_ms, n_returned_ms != 0, n_returned_ms, n_life IN ('SETTLED', 'RETURNED', 'WITHDRAWN', 'STOPPED'), n_life_ms, 0) AS end_ms,
            if(end_ms = 0, toDate(0), greatest(toDate(intDiv(end_ms + 25200000, 86400000)), f_received)) AS f_ended,
            multiIf(n_settled_ms != 0, 'SETTLED', n_returned_ms != 0, 'RETURNED', end_ms != 0, toString(n_life), '') AS f_ended_as,
            if(n_due_ms = 0, toDate(0), greatest(toDate(least(toInt64(toUInt16(f_due)) + 1 + intDiv(n_pause_ms, 86400000), 65535)), f_received)) AS f_overdue,
            if(n_waiting = 'SUPPLEMENT_REQUESTED' AND end_ms = 0, toDate(intDiv(n_waiting_ms + 25200000, 86400000)), toDate(0)) AS f_waiting,
            n_requests AS f_requests,
            n_fee_due AS f_fee_due,
            n_paid_online AS f_paid_online,
            n_digital_result AS f_digital_result,
            n_digitised AS f_digitised,
            n_data_reused AS f_data_reused
        FROM
        (
            SELECT
                e.dossier_id AS id,
                argMaxIf(e.event_type, e.rank, bitTest(e.says, 17)) AS n_life,
                argMaxIf(e.source, e.rank, bitTest(e.says, 17)) AS n_source,
                argMaxIf(e.occurred_ms, e.rank, bitTest(e.says, 17)) AS n_life_ms,
                argMaxIf(e.event_type, e.rank, bitTest(e.says, 18)) AS n_waiting,
                argMaxIf(e.occurred_ms, e.rank, bitTest(e.says, 18)) AS n_waiting_ms,
                argMaxIf(e.receiving_unit, e.rank, bitTest(e.says, 0)) AS n_receiving_unit,
                argMaxIf(e.processing_unit, e.rank, bitTest(e.says, 1)) AS n_processing_unit,
                argMaxIf(e.procedure_code, e.rank, bitTest(e.says, 2)) AS n_procedure,
                argMaxIf(e.sector_code, e.rank, bitTest(e.says, 3)) AS n_sector,
                argMaxIf(e.channel, e.rank, bitTest(e.says, 4)) AS n_channel,
                argMaxIf(e.service_level, e.rank, bitTest(e.says, 5)) AS n_level,
                argMaxIf(e.received_ms, e.rank, bitTest(e.says, 6)) AS n_received_ms,
                argMaxIf(e.due_ms, e.rank, bitTest(e.says, 7)) AS n_due_ms,
                argMaxIf(e.settled_ms, e.rank, bitTest(e.says, 8)) AS n_settled_ms,
                argMaxIf(e.returned_ms, e.rank, bitTest(e.says, 9)) AS n_returned_ms,
                argMaxIf(e.supplement_pause_ms, e.rank, bitTest(e.says, 10)) AS n_pause_ms,
                argMaxIf(e.supplement_requests, e.rank, bitTest(e.says, 11)) AS n_requests,
                argMaxIf(e.fee_due, e.rank, bitTest(e.says, 12)) AS n_fee_due,
                argMaxIf(e.paid_online, e.rank, bitTest(e.says, 13)) AS n_paid_online,
                argMaxIf(e.digital_result, e.rank, bitTest(e.says, 14)) AS n_digital_result,
                argMaxIf(e.digitised, e.rank, bitTest(e.says, 15)) AS n_digitised,
                argMaxIf(e.data_reused, e.rank, bitTest(e.says, 16)) AS n_data_reused
            FROM
            (
                SELECT dossier_id, rank, says, event_type, toUnixTimestamp64Milli(occurred_at) AS occurred_ms, source, receiving_unit, processing_unit, procedure_code, sector_code,
                    channel, service_level, toUnixTimestamp64Milli(received_at) AS received_ms, toUnixTimestamp64Milli(due_at) AS due_ms,
                    toUnixTimestamp64Milli(settled_at) AS settled_ms, toUnixTimestamp64Milli(returned_at) AS returned_ms,
                    supplement_pause_ms, supplement_requests, fee_due, paid_online, digital_result, digitised, data_reused
                FROM dossier_events
                UNION ALL
                SELECT dossier_id, rank, says, event_type, toUnixTimestamp64Milli(occurred_at) AS occurred_ms, source, receiving_unit, processing_unit, procedure_code, sector_code,
                    channel, service_level, toUnixTimestamp64Milli(received_at) AS received_ms, toUnixTimestamp64Milli(due_at) AS due_ms,
                    toUnixTimestamp64Milli(settled_at) AS settled_ms, toUnixTimestamp64Milli(returned_at) AS returned_ms,
                    supplement_pause_ms, supplement_requests, fee_due, paid_online, digital_result, digitised, data_reused
                FROM history
                WHERE slot IN (SELECT slot FROM dossier_events) AND dossier_id IN (SELECT dossier_id FROM dossier_events)
            ) AS e
            GROUP BY e.dossier_id
        )
    )
    WHERE f_unit != '' AND f_received != toDate(0) AND f_life NOT IN ('VOIDED', 'NOT_ACCEPTED')

    UNION ALL

    -- What the ledger has standing, reversed.
    SELECT
        dossier_id AS id, unit_code AS f_unit, receiving_unit AS f_receiving, source AS f_source, procedure_code AS f_procedure, sector_code AS f_sector,
        channel AS f_channel, service_level AS f_level, received_on AS f_received, due_on AS f_due, settled_on AS f_settled,
        compared_on AS f_compared, returned_on AS f_returned,
        ended_on AS f_ended, ended_as AS f_ended_as, overdue_on AS f_overdue, waiting_on AS f_waiting, supplement_requests AS f_requests, fee_due AS f_fee_due,
        paid_online AS f_paid_online, digital_result AS f_digital_result, digitised AS f_digitised, data_reused AS f_data_reused,
        cityHash64(unit_code, receiving_unit, source, procedure_code, sector_code, channel, service_level, received_on, due_on, settled_on, compared_on, returned_on,
            ended_on, ended_as, overdue_on, waiting_on, supplement_requests, fee_due, paid_online, digital_result, digitised, data_reused) AS hash, toInt64(-sign) AS weight
    FROM ledger
    WHERE slot IN (SELECT slot FROM dossier_events) AND dossier_id IN (SELECT dossier_id FROM dossier_events)
)
WHERE guard = 0 AND fence = 0 AND count_fence = 0 AND pause = 0
GROUP BY id, hash
HAVING sign != 0
ORDER BY dossier_id, sign
SETTINGS allow_custom_error_code_in_throwif = 1, join_use_nulls = 0, aggregate_functions_null_for_empty = 0, transform_null_in = 0, limit = 0, offset = 0, final = 0,
    additional_result_filter = '', max_rows_to_read = 0, max_bytes_to_read = 0, read_overflow_mode = 'throw', max_rows_to_group_by = 0, group_by_overflow_mode = 'throw',
    max_rows_in_set = 0, max_bytes_in_set = 0, set_overflow_mode = 'throw', max_rows_in_join = 0, max_bytes_in_join = 0, join_overflow_mode = 'throw',
    max_rows_to_sort = 0, max_bytes_to_sort = 0, sort_overflow_mode = 'throw', max_result_rows = 0, max_result_bytes = 0, result_overflow_mode = 'throw', timeout_overflow_mode = 'throw'
COMMENT 'Balances the ledger at every insert into dossier_events: reverses what stands, posts what the events say now'
