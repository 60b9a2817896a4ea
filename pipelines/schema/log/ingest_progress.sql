-- How far ingest has come, written by the owner of each partition after its commits and at least once a second. Every column
-- only grows within an epoch, so the maximum is right whatever order rows come in, and a merge keeps one row a partition.
CREATE TABLE ingest_progress
(
    topic LowCardinality(String) COMMENT 'Kafka topic',
    topic_epoch UInt32 COMMENT 'Life of the partition that the offset belongs to; see topic_epochs',
    partition Int32 COMMENT 'Kafka partition',
    next_offset SimpleAggregateFunction(max, Int64) COMMENT 'Every record before this offset is settled and committed: in the log, re-homed, or a dead letter',
    log_append_time SimpleAggregateFunction(max, DateTime64(3, 'UTC')) COMMENT 'Every record that Kafka appended until then is settled; Kafka''s time',
    complete_to SimpleAggregateFunction(max, DateTime64(3, 'UTC')) COMMENT 'No insert that runs or is to come has an earlier ingested_at',
    written_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) DEFAULT now64(3) COMMENT 'When the row was written'
)
ENGINE = AggregatingMergeTree ORDER BY (topic, topic_epoch, partition)
COMMENT 'How far ingest has come in a partition. Take the maximum of each column per topic, topic_epoch and partition; the highest topic_epoch is now'
