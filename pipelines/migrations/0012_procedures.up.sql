CREATE TABLE procedures
(
    procedure_code LowCardinality(String) COMMENT 'Code of the procedure (MaTTHC)',
    name_vi String COMMENT 'Name in Vietnamese',
    sector_code LowCardinality(String) COMMENT 'Sector of the procedure; goes before the one an event carries',
    ministry_vi LowCardinality(String) COMMENT 'Ministry in charge; empty: not known',
    tier LowCardinality(String) COMMENT 'MINISTRY, PROVINCE, COMMUNE, OTHER, several with a bar between; empty: not known',
    service_level LowCardinality(String) COMMENT 'FULL, PARTIAL or INFORMATION; empty: not known',
    has_fee LowCardinality(String) COMMENT 'yes, no, unclear; empty: not known'
)
ENGINE = MergeTree ORDER BY procedure_code
COMMENT 'Administrative procedures of 2025-26; one row is a procedure. From public copies of the national portal, see pipelines/reference/README.md'
