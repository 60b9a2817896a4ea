-- Made before anything else, by pipelines/changes.ts.
CREATE TABLE schema_changes
(
    name LowCardinality(String) COMMENT 'File in pipelines/changes, or the mark of a rebuild',
    step UInt16 COMMENT 'Statement of the file, from 0',
    done_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was done'
)
ENGINE = MergeTree ORDER BY (name, step)
COMMENT 'Changes of tables that were done; a database that was made anew has them all from the start'
