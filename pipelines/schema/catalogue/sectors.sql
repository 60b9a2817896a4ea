-- Loaded with the procedures, all or nothing (pipelines/catalogue).
CREATE TABLE sectors
(
    sector_code LowCardinality(String) COMMENT 'Code of the sector (ours: no national code is published)',
    name_vi String COMMENT 'Name in Vietnamese as in the source',
    name_en String COMMENT 'Name in English (ours)',
    group_code LowCardinality(String) COMMENT 'Group of sectors'
)
ENGINE = MergeTree ORDER BY sector_code
COMMENT 'Sectors of administrative procedures; one row is a sector. Counted from the procedures'
