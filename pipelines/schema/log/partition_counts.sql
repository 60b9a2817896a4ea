-- Which partition count a dossier's partition is computed from. Two members of ingest that count differently would write one
-- dossier from two partitions at once, so every batch names the epoch it was classified under, and `balance` refuses another.
CREATE TABLE partition_counts
(
    topic LowCardinality(String) COMMENT 'Kafka topic',
    epoch UInt64 COMMENT 'Grows with every change of the count; its lower 16 bits are the count itself. The highest of a topic is in force',
    written_by LowCardinality(String) COMMENT 'The ingest process that saw the change first',
    written_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was seen'
)
ENGINE = MergeTree ORDER BY (topic, epoch)
COMMENT 'One row is a partition count of a topic; the one of the highest epoch is in force'
