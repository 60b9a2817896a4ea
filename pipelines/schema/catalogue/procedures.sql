-- A procedure may have several rows, one after the other in time. Its sector is the same in all of them (the load refuses
-- anything else), so that a sector needs no day.
CREATE TABLE procedures
(
    procedure_code LowCardinality(String) COMMENT 'Code of the procedure (MaTTHC)',
    valid_from Date COMMENT 'First day on which the row holds; 1970-01-01: not known, always before',
    valid_to Date COMMENT 'Last day on which the row holds; 2149-06-06: not known, open',
    name_vi String COMMENT 'Name in Vietnamese',
    name_en String COMMENT 'Name in English; empty: not known',
    sector_code LowCardinality(String) COMMENT 'Sector of the procedure; goes before the one an event carries; empty: not known',
    ministry_vi LowCardinality(String) COMMENT 'Ministry in charge; empty: not known',
    tier LowCardinality(String) COMMENT 'Who carries it out: MINISTRY, PROVINCE, DISTRICT, COMMUNE, OTHER, several with a bar between; empty: not known',
    channels LowCardinality(String) COMMENT 'How it can be filed: ONLINE, COUNTER, POSTAL, several with a bar between; empty: not known. Not the service level',
    service_level LowCardinality(String) COMMENT 'FULL, PARTIAL or INFORMATION; empty: not known',
    has_fee LowCardinality(String) COMMENT 'yes, no, unclear; empty: not known',
    time_min Nullable(Float64) COMMENT 'Shortest statutory time in time_unit; NULL: not known',
    time_max Nullable(Float64) COMMENT 'Longest statutory time in time_unit, over channels and cases; NULL: not known',
    time_unit LowCardinality(String) COMMENT 'HOUR, DAY, WORKING_DAY or MONTH; empty: not known'
)
ENGINE = MergeTree ORDER BY (procedure_code, valid_from)
COMMENT 'Administrative procedures of 2025-26; one row is a procedure as it holds from a day to a day. From public copies of the national portal, see pipelines/reference/README.md'
