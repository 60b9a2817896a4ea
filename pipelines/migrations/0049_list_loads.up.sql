CREATE TABLE list_loads
(
    list LowCardinality(String) COMMENT 'calendar or catalogue',
    checksum String COMMENT 'SHA-256 of the files and of the code that makes rows of them',
    source String COMMENT 'Folder a catalogue was loaded from with npm run catalogue; empty: the files of this project',
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was loaded'
)
ENGINE = MergeTree ORDER BY (list, loaded_at)
COMMENT 'One row is a load of the calendar or of the catalogue; the newest of a list stands'
