CREATE TABLE audits
(
    started_at DateTime64(3, 'UTC') COMMENT 'When the audit began; the next one of what changed goes back to the last clean one''s',
    finished_at DateTime64(3, 'UTC') COMMENT 'When it ended',
    kind LowCardinality(String) COMMENT 'whole, or changed: only dossiers with news since changed_since',
    changed_since DateTime64(3, 'UTC') COMMENT 'See kind; 1970: everything',
    clean Bool COMMENT 'Nothing differs, nothing is missing, everything could be verified',
    events UInt64 COMMENT 'Rows of the log looked at',
    dossiers UInt64 COMMENT 'Dossiers looked at',
    differing_dossiers UInt64 COMMENT 'Dossiers whose postings are not what their events say',
    differing_sums UInt64 COMMENT 'Sums that differ between the roll-ups and the postings',
    missing_records UInt64 COMMENT 'Records of the topic that should be in the log and are not',
    unverified_records UInt64 COMMENT 'Offsets of which nobody can say any more what they held',
    conflicting_events UInt64 COMMENT 'event_ids under which two different events came',
    quarantined_dossiers UInt64 COMMENT 'Dossiers whose events contradict each other, as quarantined_dossiers lists them'
)
ENGINE = MergeTree ORDER BY started_at
COMMENT 'One row is an audit: what npm run audit, or the service on its schedule, found'
