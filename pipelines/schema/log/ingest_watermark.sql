-- A partition that is in force and was never reported holds the watermark at the time since which it is in force.
CREATE VIEW ingest_watermark
(
    topic LowCardinality(String) COMMENT 'Kafka topic',
    complete_to DateTime64(3, 'UTC') COMMENT 'No insert that runs or is to come has an earlier ingested_at: figures of postings until then are final',
    log_append_time DateTime64(3, 'UTC') COMMENT 'Every record that Kafka appended until then is settled; Kafka''s time',
    partitions UInt32 COMMENT 'Partitions that have reported'
)
AS
SELECT p.topic AS topic,
    if(any(c.counted) > count(), least(min(p.complete_to), any(c.written_at)), min(p.complete_to)) AS complete_to,
    if(any(c.counted) > count(), least(min(p.log_append_time), any(c.written_at)), min(p.log_append_time)) AS log_append_time,
    toUInt32(count()) AS partitions
FROM
(
    SELECT topic, topic_epoch, partition, max(i.log_append_time) AS log_append_time, max(i.complete_to) AS complete_to
    FROM ingest_progress AS i
    GROUP BY topic, topic_epoch, partition
    ORDER BY topic_epoch DESC
    LIMIT 1 BY topic, partition
) AS p
LEFT JOIN
(
    SELECT topic, bitAnd(epoch, 65535) AS counted, min(n.written_at) AS written_at
    FROM partition_counts AS n
    GROUP BY topic, epoch
    ORDER BY epoch DESC
    LIMIT 1 BY topic
) AS c ON p.topic = c.topic
WHERE c.counted = 0 OR p.partition < c.counted
GROUP BY p.topic
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT 'One row is a topic, and how far ingest has come in all its partitions'
