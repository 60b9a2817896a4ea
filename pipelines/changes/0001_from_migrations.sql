-- From numbered migrations (0073 to 0081, the last ones there were) to declarations.
ALTER TABLE dossier_events
    ADD COLUMN IF NOT EXISTS topic_epoch UInt32 COMMENT 'Life of the partition that the offset belongs to; see topic_epochs' AFTER topic,
    ADD COLUMN IF NOT EXISTS log_append_time DateTime64(3, 'UTC') COMMENT 'Kafka''s time of the record; 1970: not kept' AFTER offset,
    ADD COLUMN IF NOT EXISTS count_epoch UInt64 COMMENT 'Partition count under which the batch was classified; see partition_counts' AFTER writer;
ALTER TABLE dead_letters
    ADD COLUMN IF NOT EXISTS topic_epoch UInt32 COMMENT 'Life of the partition that the refused record lay in; see topic_epochs' AFTER topic;
-- It had a hidden table behind it, which stood in every client's list.
DROP TABLE IF EXISTS block_probe_view SYNC;
DROP TABLE IF EXISTS schema_migrations SYNC;
