-- The same on every day on which any unit changes: an ordinary join on (unit_code, unit_day) asks it, and a filter on the unit
-- then reaches the postings.
CREATE VIEW tier_on_unit_day AS
SELECT d.unit_code AS unit_code, d.unit_day AS unit_day, t.at_code AS at_code, t.at_valid_from AS at_valid_from, t.at_name AS at_name
FROM (SELECT unit_code, arrayJoin((SELECT days FROM unit_boundaries)) AS unit_day FROM (SELECT DISTINCT unit_code FROM unit_on_day)) AS d
ASOF INNER JOIN tier_on_day(tier={tier:String}) AS t ON d.unit_code = t.unit_code AND d.unit_day >= t.from_day
WHERE t.at_code != ''
COMMENT 'tier_on_unit_day(tier=): where a recorded code counts on that tier on each unit_day, a day on which units change and which stands for all days until the next one; no row: nowhere'
