-- Inside a materialized view every reference to its source table reads the inserted block only. Reading the same table
-- through a Merge table reads all of it: the past next to the block.
CREATE TABLE history AS dossier_events
ENGINE = Merge('{{database}}', '^dossier_events$')
COMMENT 'dossier_events again, for the ledger: what is stored, beside the block being inserted. Query dossier_events instead'
