-- Unit on a day, seen from one tier: what every view joins that asks where a dossier counts.
CREATE VIEW tier_on_day AS
SELECT unit_code, from_day,
    multiIf({tier:String} = 'commune', commune_code, {tier:String} = 'district', district_code, {tier:String} = 'province', province_code, 'VN') AS at_code,
    multiIf({tier:String} = 'commune', commune_valid_from, {tier:String} = 'district', district_valid_from, {tier:String} = 'province', province_valid_from, toDate(0)) AS at_valid_from,
    multiIf({tier:String} = 'commune', commune_name, {tier:String} = 'district', district_name, {tier:String} = 'province', province_name, 'Việt Nam') AS at_name
FROM unit_on_day
WHERE throwIf({tier:String} NOT IN ('commune', 'district', 'province', 'country'), 'tier must be commune, district, province or country') = 0
COMMENT 'tier_on_day(tier=): where a recorded code counts on that tier from a day on; empty at_code: nowhere'
