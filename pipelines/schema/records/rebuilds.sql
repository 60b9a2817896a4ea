CREATE TABLE rebuilds
(
    rebuild String COMMENT 'Name of the rebuild: when it began',
    phase LowCardinality(String) COMMENT 'planned: slices are computed; exchanging: the new ledger is put in the place of the old; done',
    shadow UUID COMMENT 'The table with the new ledger: where dossier_postings has this UUID, the exchange has happened',
    schema UInt64 COMMENT 'Hash of log, ledger and the view between them: an interrupted rebuild goes on only under the schema it began with',
    cut DateTime64(3, 'UTC') COMMENT 'Batches ingested before are older than the rebuild, and none may be added to them',
    events UInt64 COMMENT 'Rows of the log that were ingested before the cut',
    written_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the phase began'
)
ENGINE = MergeTree ORDER BY (rebuild, written_at)
COMMENT 'One row is a phase of a rebuild of the ledger (npm run rebuild)'
