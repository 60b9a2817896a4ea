CREATE MATERIALIZED VIEW block_probe_view TO block_probe_result
AS SELECT throwIf(count() != any(probe_rows), 'this server cuts an insert into blocks') AS one_block
FROM block_probe
COMMENT 'Throws when an insert into block_probe does not arrive as one block'
