CREATE TABLE indicators
(
    indicator_code LowCardinality(String) COMMENT 'Code of the indicator',
    version UInt16 COMMENT 'Version of its definition',
    valid_from Date32 COMMENT 'First day of this version; the last day of a period decides which one is meant',
    valid_to Nullable(Date32) COMMENT 'Last day of this version; NULL: still valid',
    name_vi String COMMENT 'Name in Vietnamese',
    name_en String COMMENT 'Name in English',
    numerator String COMMENT 'What is summed above the line',
    denominator String COMMENT 'What is summed below the line',
    zero LowCardinality(String) COMMENT 'Value where the denominator is 0: null, zero (0) or full (1)',
    source String COMMENT 'Where the definition comes from, and what it leaves out'
)
ENGINE = MergeTree ORDER BY (indicator_code, version)
COMMENT 'The indicator catalogue (pipelines/indicators); one row is a version of an indicator'
