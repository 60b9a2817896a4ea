-- A copy of the dead-letter topic for people and reports; the topic is the truth and keeps key and value byte for byte.
CREATE TABLE dead_letters
(
    topic LowCardinality(String) COMMENT 'Topic the record was refused on',
    topic_epoch UInt32 COMMENT 'Life of the partition that the refused record lay in; see topic_epochs',
    partition Int32 COMMENT 'Partition of the refused record',
    offset Int64 COMMENT 'Offset of the refused record',
    reason LowCardinality(String) COMMENT 'Why it was refused: the closed list of the contract',
    field LowCardinality(String) COMMENT 'Field that was refused; empty: the record as a whole',
    message String COMMENT 'What was wrong and what is allowed',
    schema_id Nullable(UInt32) COMMENT 'Schema id the record names; NULL: none',
    key String COMMENT 'Key of the record as text',
    value_bytes UInt32 COMMENT 'Length of the value in bytes',
    attempt UInt16 COMMENT '1 at first, one more after each replay',
    first_failed_at DateTime64(3, 'UTC') COMMENT 'When it was refused the first time',
    failed_at DateTime64(3, 'UTC') COMMENT 'When it came to the dead-letter topic',
    dlq_partition Int32 COMMENT 'Partition of the dead letter',
    dlq_offset Int64 COMMENT 'Offset of the dead letter'
)
ENGINE = ReplacingMergeTree ORDER BY (topic, dlq_partition, dlq_offset)
COMMENT 'One row is a refused record in a dead-letter topic. Read with FINAL'
