CREATE VIEW rates_by_district
(
    month Date COMMENT 'First day of the month (+07:00)',
    unit_code String COMMENT 'Code of the unit',
    unit_valid_from Date COMMENT 'First day of the unit under this code: with the code it names the place',
    unit_name String COMMENT 'Name of the unit',
    received Int64 COMMENT 'Dossiers received',
    received_online Int64 COMMENT 'Of these, filed online',
    online_rate Nullable(Float64) COMMENT 'received_online / received, 0 to 1; NULL where nothing was received',
    settled Int64 COMMENT 'Dossiers settled',
    settled_early Int64 COMMENT 'Of these, before the due day',
    settled_on_time Int64 COMMENT 'Of these, on the due day, or without a due date',
    settled_late Int64 COMMENT 'Of these, after the due day',
    on_time_rate Nullable(Float64) COMMENT '(settled_early + settled_on_time) / settled, 0 to 1; NULL where nothing was settled',
    sources Array(String) COMMENT 'Systems whose dossiers are in the figures; sample: synthetic data'
)
AS SELECT month, unit_code, unit_valid_from, unit_name, received, received_online, online_rate, settled, settled_early, settled_on_time, settled_late, on_time_rate, sources
FROM rates_by_month(tier='district')
COMMENT 'Online-submission and on-time-settlement rates; one row is a district in a month in which something counts'
