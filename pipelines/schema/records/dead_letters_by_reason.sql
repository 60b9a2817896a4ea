CREATE VIEW dead_letters_by_reason AS
SELECT toDate(failed_at + toIntervalHour(7), 'UTC') AS day, topic, reason, field,
    count() AS dead_letters, countIf(attempt > 1) AS replayed, min(first_failed_at) AS first_failed_at, max(failed_at) AS last_failed_at
FROM dead_letters FINAL
WHERE failed_at >= toDateTime64({from:Date}, 3, 'UTC') - toIntervalHour(7) AND failed_at < toDateTime64({to:Date}, 3, 'UTC') + toIntervalHour(17) AND {{from_to}}
GROUP BY day, topic, reason, field
COMMENT 'dead_letters_by_reason(from=, to=): refused records per day (+07:00) on which they came to the dead-letter topic, topic, reason and field (empty: the record as a whole); replayed: of them, refused again after a replay'
