-- For views that add up under codes alone and put the names to the sums.
CREATE VIEW units_of_tier AS
SELECT at_code, at_valid_from, any(at_name) AS at_name
FROM tier_on_day(tier={tier:String})
WHERE at_code != ''
GROUP BY at_code, at_valid_from
COMMENT 'units_of_tier(tier=): the units of that tier in which anything can count, with their names'
