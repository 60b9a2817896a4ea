-- Kafka counts offsets from 0 again when a topic is deleted and made again. The first record tells one life of a partition
-- from the next; the epoch joins topic, partition and offset as the coordinates of a record.
CREATE TABLE topic_epochs
(
    topic LowCardinality(String) COMMENT 'Kafka topic',
    partition Int32 COMMENT 'Kafka partition',
    epoch UInt32 COMMENT 'Grows when the partition turns out to be another one than before: made again, or cut off at its end',
    first_offset Int64 COMMENT 'Offset of the noted record; -1: the partition was empty',
    first_hash UInt64 COMMENT 'Hash of the noted record: its time, key and value',
    noted_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was noted'
)
ENGINE = MergeTree ORDER BY (topic, partition, epoch, noted_at)
COMMENT 'One row is a record by which a partition is recognised; of a partition the one of the highest (epoch, noted_at) holds'
