CREATE TABLE agencies
(
    agency_code LowCardinality(String) COMMENT 'Code of the agency (MaDinhDanh), e.g. H21.227; not the code of a unit',
    name String COMMENT 'Name as on the portal',
    kind LowCardinality(String) COMMENT 'PROVINCE, DEPARTMENT or COMMUNE',
    parent_code LowCardinality(String) COMMENT 'Agency above it; empty: none',
    unit_code LowCardinality(String) COMMENT 'Administrative unit it answers for; empty: none or not known',
    unit_valid_from Date COMMENT 'valid_from of that unit (the newest of the code); with unit_code it is the key of the rates. 1970-01-01: none',
    unit_name String COMMENT 'Name of that unit; empty: none',
    province_code LowCardinality(String) COMMENT 'Province in which it lies, by its unit, else by the agency above it; empty: not known',
    province_valid_from Date COMMENT 'valid_from of that province; 1970-01-01: not known',
    province_name String COMMENT 'Name of that province; empty: not known'
)
ENGINE = MergeTree ORDER BY agency_code
COMMENT 'Agencies and their administrative units; one row is an agency. From duynghiaqn/Crawler-766'
