CREATE TABLE list_loads
(
    list LowCardinality(String) COMMENT 'units, calendar or catalogue',
    checksum String COMMENT 'SHA-256 of the files and of the code that makes rows of them',
    source String COMMENT 'File or folder it was brought in from with npm run units or npm run catalogue; empty: the files of this project',
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was loaded'
)
ENGINE = MergeTree ORDER BY (list, loaded_at)
COMMENT 'One row is a load of the units, the calendar or the catalogue; the newest of a list stands'
