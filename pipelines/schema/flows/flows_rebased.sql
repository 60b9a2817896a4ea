-- The flows where they count on the units of one day, whatever day they are of (words: see rates_rebased). Counts are decimals,
-- since a policy may share them out; a row of zeros that is not comparable marks a unit that may lack these dossiers.
CREATE VIEW flows_rebased AS
SELECT place.1 AS at_code, place.2 AS at_valid_from, place.3 AS at_name,
    day, source,
    received * place.4 AS received, received_online * place.4 AS received_online,
    settled * place.4 AS settled, settled_early * place.4 AS settled_early, settled_late * place.4 AS settled_late,
    comparable
FROM
(
    SELECT
        arrayJoin(if({tier:String} = 'country', [('VN', toDate(0), 'Việt Nam', toDecimal64(1, 9))], p.places)) AS place,
        {tier:String} = 'country' OR p.comparable AS comparable,
        f.day AS day, f.source AS source,
        f.received AS received, if(f.channel = 'ONLINE', f.received, 0) AS received_online,
        f.settled AS settled, f.settled_early AS settled_early, f.settled_late AS settled_late
    FROM flows AS f
    ASOF LEFT JOIN unit_placements(tier={tier:String}, units={units:String}, split={split:String}) AS p ON f.unit_code = p.unit_code AND f.day >= p.from_day
)
SETTINGS join_use_nulls = 0
COMMENT 'flows_rebased(tier=, units=, split=): flows per day and per unit of that tier as the units are on the day `units`'
