-- Who may write the dossiers of a partition: the writer of the highest (epoch, writer). A consumer claims its partitions
-- before it inserts; whoever was there before, even one that slept through its own removal, is refused by the ledger.
CREATE TABLE partition_owners
(
    topic LowCardinality(String) COMMENT 'Kafka topic',
    partition Int32 COMMENT 'Kafka partition',
    epoch UInt64 COMMENT 'Grows with every claim',
    writer LowCardinality(String) COMMENT 'The ingest process that claimed it',
    claimed_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was claimed'
)
ENGINE = MergeTree ORDER BY (topic, partition, epoch)
COMMENT 'One row is a claim of a partition by an ingest process; the highest one holds'
