-- The flows where they count on their day: at communes, districts, provinces or the country.
CREATE VIEW flows_of_tier AS
SELECT
    multiIf({tier:String} = 'commune', u.commune_code, {tier:String} = 'district', u.district_code, {tier:String} = 'province', u.province_code, 'VN') AS at_code,
    multiIf({tier:String} = 'commune', u.commune_valid_from, {tier:String} = 'district', u.district_valid_from, {tier:String} = 'province', u.province_valid_from, toDate(0)) AS at_valid_from,
    multiIf({tier:String} = 'commune', u.commune_name, {tier:String} = 'district', u.district_name, {tier:String} = 'province', u.province_name, 'Việt Nam') AS at_name,
    f.day AS day, f.source AS source,
    f.received AS received, if(f.channel = 'ONLINE', f.received, 0) AS received_online,
    f.settled AS settled, f.settled_early AS settled_early, f.settled_late AS settled_late
FROM flows AS f
ASOF LEFT JOIN unit_on_day AS u ON f.unit_code = u.unit_code AND f.day >= u.from_day
WHERE at_code != '' AND throwIf({tier:String} NOT IN ('commune', 'district', 'province', 'country'), 'tier must be commune, district, province or country') = 0
SETTINGS join_use_nulls = 0
COMMENT 'flows_of_tier(tier=): flows per unit of that tier and day; the unit is the one valid on the day'
