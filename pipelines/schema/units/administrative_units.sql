CREATE TABLE administrative_units
(
    unit_code LowCardinality(String) COMMENT 'Code of the unit: 2 digits a province, 3 a district, 5 a commune. A code alone names no place: 24 is Bắc Giang until 2025-06-30 and Bắc Ninh from then on',
    level LowCardinality(String) COMMENT 'province, district or commune',
    kind LowCardinality(String) COMMENT 'Kind of unit, e.g. Tỉnh, Thành phố, Huyện, Xã, Phường',
    name String COMMENT 'Full name in Vietnamese',
    province_code LowCardinality(String) COMMENT 'Province it belongs to',
    district_code LowCardinality(String) COMMENT 'District it belongs to; empty: none',
    valid_from Date COMMENT 'First day of this row',
    valid_to Date COMMENT 'Last day of this row, included; 2149-06-06: open',
    latitude Nullable(Float64) COMMENT 'Centre point, degrees north; known for communes and provinces from 2025-07-01 only',
    longitude Nullable(Float64) COMMENT 'Centre point, degrees east',
    area_km2 Nullable(Float64) COMMENT 'Area in square kilometres; known for communes from 2025-07-01 only, and not for all of them'
)
ENGINE = MergeTree ORDER BY (unit_code, valid_from)
COMMENT 'Administrative units of all times; one row is a unit over its validity. From tranngocminhhieu/vietnamadminunits (MIT)'
