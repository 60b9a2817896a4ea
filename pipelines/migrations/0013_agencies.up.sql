CREATE TABLE agencies
(
    agency_code LowCardinality(String) COMMENT 'Code of the agency (MaDinhDanh), e.g. H21.227; not the code of a unit',
    name String COMMENT 'Name as on the portal',
    kind LowCardinality(String) COMMENT 'PROVINCE, DEPARTMENT or COMMUNE',
    parent_code LowCardinality(String) COMMENT 'Agency above it; empty: none',
    unit_code LowCardinality(String) COMMENT 'Administrative unit it answers for; empty: none or not known'
)
ENGINE = MergeTree ORDER BY agency_code
COMMENT 'Agencies and their administrative units; one row is an agency. From duynghiaqn/Crawler-766'
