CREATE TABLE dossier_alerts
(
    alert_id UUID COMMENT 'One per rule, unit, sector and window',
    rule LowCardinality(String) COMMENT 'Name of the rule',
    state LowCardinality(String) COMMENT 'PENDING, FIRING, ACKNOWLEDGED, RESOLVED, NO_DATA or ERROR',
    reason LowCardinality(String) COMMENT 'Why the state changed',
    severity LowCardinality(String) COMMENT 'info, warning or critical',
    unit_code LowCardinality(String) COMMENT 'Unit concerned',
    sector_code LowCardinality(String) COMMENT 'Sector concerned; empty: none',
    indicator_code LowCardinality(String) COMMENT 'Indicator judged',
    value Nullable(Float64) COMMENT 'The rate, 0 to 1',
    numerator Nullable(Float64) COMMENT 'Dossiers in the numerator',
    denominator Nullable(Float64) COMMENT 'Dossiers in the denominator',
    threshold Nullable(Float64) COMMENT 'Rate below which the rule fires, 0 to 1',
    window_from DateTime64(3, 'UTC') COMMENT 'First moment of the window judged',
    window_to DateTime64(3, 'UTC') COMMENT 'Last moment of the window judged',
    watermark DateTime64(3, 'UTC') COMMENT 'Everything ingested up to this moment was judged',
    changed_at DateTime64(3, 'UTC') COMMENT 'When the state changed',
    text_vi String COMMENT 'The alert in Vietnamese',
    text_en String COMMENT 'The alert in English'
)
ENGINE = ReplacingMergeTree ORDER BY (alert_id, changed_at, state)
COMMENT 'One row is a change of state of an alert, copied from the topic dossier-alerts. Read with FINAL'
