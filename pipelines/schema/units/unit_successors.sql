CREATE TABLE unit_successors
(
    level LowCardinality(String) COMMENT 'province, district or commune: the level of the predecessor',
    predecessor_code LowCardinality(String) COMMENT 'Unit that ended',
    successor_code LowCardinality(String) COMMENT 'Unit that took over all or a part of it',
    effective_date Date COMMENT 'First day of the successor',
    successor_count UInt8 COMMENT 'Successors of this predecessor; more than 1: it was split'
)
ENGINE = MergeTree ORDER BY (predecessor_code, effective_date, successor_code)
COMMENT 'Which unit became which; one row is a pair. From tranngocminhhieu/vietnamadminunits (MIT)'
