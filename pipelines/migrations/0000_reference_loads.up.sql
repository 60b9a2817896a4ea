CREATE TABLE reference_loads
(
    checksum String COMMENT 'SHA-256 of the files that were loaded',
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When they were loaded'
)
ENGINE = MergeTree ORDER BY loaded_at
COMMENT 'One row is a load of the reference data'
