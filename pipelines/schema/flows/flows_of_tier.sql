-- The flows where they count on their day: at communes, districts, provinces or the country.
CREATE VIEW flows_of_tier AS
SELECT u.at_code AS at_code, u.at_valid_from AS at_valid_from, u.at_name AS at_name,
    f.day AS day, f.source AS source,
    f.received AS received, if(f.channel = 'ONLINE', f.received, 0) AS received_online,
    f.settled AS settled, f.settled_early AS settled_early, f.settled_late AS settled_late
FROM flows AS f
ASOF LEFT JOIN tier_on_day(tier={tier:String}) AS u ON f.unit_code = u.unit_code AND f.day >= u.from_day
WHERE u.at_code != ''
SETTINGS join_use_nulls = 0
COMMENT 'flows_of_tier(tier=): flows per unit of that tier and day; the unit is the one valid on the day'
