-- As tier_on_unit_day on the units of one day: a row for every unit in which dossiers of the code count, with their share.
CREATE VIEW placed_on_unit_day AS
SELECT unit_code, unit_day, place.1 AS at_code, place.2 AS at_valid_from, place.3 AS at_name, place.4 AS share, comparable
FROM
(
    SELECT d.unit_code AS unit_code, d.unit_day AS unit_day, {tier:String} = 'country' OR p.comparable AS comparable,
        arrayJoin(if({tier:String} = 'country', [('VN', toDate(0), 'Việt Nam', toDecimal64(1, 9))], p.places)) AS place
    FROM (SELECT unit_code, arrayJoin((SELECT days FROM unit_boundaries)) AS unit_day FROM (SELECT DISTINCT unit_code FROM unit_on_day)) AS d
    ASOF LEFT JOIN unit_placements(tier={tier:String}, units={units:String}, split={split:String}) AS p ON d.unit_code = p.unit_code AND d.unit_day >= p.from_day
)
SETTINGS join_use_nulls = 0
COMMENT 'placed_on_unit_day(tier=, units=, split=): per recorded code and unit_day (a day on which units change, which stands for all until the next one) the units of the day `units` in which its dossiers count, with their share; 0: they might, and do not'
