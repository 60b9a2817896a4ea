-- Which commune, district and province a dossier recorded under a code counts for, from a day on until the next row of the
-- code. Computed from the two lists above by pipelines/units/on-days.ts (contract: "Unit on a day") whenever they are loaded, and
-- joined at reading time, so that a corrected list corrects all figures.
CREATE TABLE unit_on_day
(
    unit_code LowCardinality(String) COMMENT 'Code that a dossier carries',
    from_day Date COMMENT 'First day on which this row holds',
    commune_code LowCardinality(String) COMMENT 'Commune it counts for; empty: none',
    commune_valid_from Date COMMENT 'valid_from of that commune',
    commune_name String COMMENT 'Name of that commune',
    district_code LowCardinality(String) COMMENT 'District it counts for; empty: none',
    district_valid_from Date COMMENT 'valid_from of that district',
    district_name String COMMENT 'Name of that district',
    province_code LowCardinality(String) COMMENT 'Province it counts for',
    province_valid_from Date COMMENT 'valid_from of that province',
    province_name String COMMENT 'Name of that province'
)
ENGINE = MergeTree ORDER BY (unit_code, from_day)
COMMENT 'Unit on a day: where a dossier with this code counts from this day on. Derived, do not edit'
