CREATE TABLE reference_loads
(
    checksum String COMMENT 'SHA-256 of the files of the project, as they were then',
    units_source String COMMENT 'Path of the list of units that npm run units -- load brought in; empty: the one of the project',
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When they were loaded'
)
ENGINE = MergeTree ORDER BY loaded_at
COMMENT 'One row is a load of the reference data'
