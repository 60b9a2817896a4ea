ALTER TABLE dossier_events
    ADD COLUMN topic_epoch UInt32 COMMENT 'Life of the partition that the offset belongs to; see topic_epochs' AFTER topic,
    ADD COLUMN log_append_time DateTime64(3, 'UTC') COMMENT 'Kafka''s time of the record; 1970: not kept' AFTER offset,
    ADD COLUMN count_epoch UInt64 COMMENT 'Partition count under which the batch was classified; see partition_counts' AFTER writer
