-- Where a dossier recorded under a code counts on the units of another day. Computed from administrative_units and
-- unit_successors by pipelines/units/rebase.ts whenever they are loaded. A query reads one period and one tier of it.
CREATE TABLE unit_rebased
(
    units_from Date COMMENT 'First day of the period in which the target units hold; the period of a day is the last one that begins until then',
    tier LowCardinality(String) COMMENT 'commune, district or province',
    unit_code LowCardinality(String) COMMENT 'Code that a dossier carries',
    from_day Date COMMENT 'First day of reception or settlement for which this row holds, until the next row of the same period, tier and code',
    fit LowCardinality(String) COMMENT 'exact: it lies in the one target; split: its unit was divided among the targets; none: it lies in one of the targets and nobody knows in which, or there is none on that day',
    targets Array(Tuple(code LowCardinality(String), valid_from Date, name String, share Decimal(18, 9))) COMMENT 'Units of that day: code, valid_from, name, and the share of the dossiers from 0 to 1 by the area of the successors; shares add up to 1, or are all 0 where an area is not known or fit is none. First stands the successor that keeps the code, else the lowest code',
    recorded Tuple(code LowCardinality(String), valid_from Date, name String) COMMENT 'Unit in which it stays as long as it is not placed; empty code: it is placed, or counts nowhere at this tier'
)
ENGINE = MergeTree ORDER BY (units_from, tier, unit_code, from_day)
COMMENT 'Re-basing: where a dossier with this code counts on the units of another day. Derived, do not edit'
