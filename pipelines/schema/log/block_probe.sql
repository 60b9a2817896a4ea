-- Keeps nothing. Ingest inserts into it at start, the way it inserts batches, to see that a batch stays one block here.
CREATE TABLE block_probe
(
    n Int64 COMMENT 'Number of the row',
    probe_rows Int64 COMMENT 'Rows of the whole insert'
)
ENGINE = Null
COMMENT 'Where ingest tries at start whether an insert stays one block; keeps nothing'
