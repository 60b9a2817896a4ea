-- What one gets without a ledger: count the events. Kept beside the rates for comparison, and wrong as soon as anything is
-- delivered twice, corrected or voided.
CREATE VIEW plain_count
(
    month Date COMMENT 'Month of reception or settlement (+07:00)',
    unit_code LowCardinality(String) COMMENT 'Unit code as the event gives it',
    source LowCardinality(String) COMMENT 'System that speaks',
    received UInt64 COMMENT 'RECEIVED events',
    received_online UInt64 COMMENT 'RECEIVED events with channel ONLINE',
    settled UInt64 COMMENT 'SETTLED events',
    settled_late UInt64 COMMENT 'SETTLED events after their due day'
)
AS SELECT
    toStartOfMonth(toDate(if(event_type = 'RECEIVED', received_at, settled_at), 'Asia/Ho_Chi_Minh')) AS month,
    if(processing_unit != '', processing_unit, receiving_unit) AS unit_code, source,
    countIf(event_type = 'RECEIVED') AS received,
    countIf(event_type = 'RECEIVED' AND channel = 'ONLINE') AS received_online,
    countIf(event_type = 'SETTLED') AS settled,
    countIf(event_type = 'SETTLED' AND bitTest(says, 7) AND toDate(settled_at, 'Asia/Ho_Chi_Minh') > toDate(due_at, 'Asia/Ho_Chi_Minh')) AS settled_late
FROM dossier_events
WHERE event_type IN ('RECEIVED', 'SETTLED')
GROUP BY month, unit_code, source
COMMENT 'Wrong on purpose: an ordinary counting view over the same events, for comparison with the rates'
