-- Since 1 July 2025 a dossier may be filed at any counter of its province (Decree 118/2025): this counts it where it was
-- filed, `rates` where it is answered for. Where no filing unit is known, both are the same.
CREATE VIEW rates_by_receiving_unit AS
SELECT at_code AS unit_code, at_valid_from AS unit_valid_from, any(at_name) AS unit_name,
    sum(n_received) AS received, sum(n_online) AS received_online, {{rate online_submission}} AS online_rate,
    sum(n_settled) AS settled, sum(n_early) AS settled_early, settled - settled_early - settled_late AS settled_on_time,
    sum(n_late) AS settled_late, {{rate on_time}} AS on_time_rate,
    sum(n_elsewhere) AS processed_elsewhere, arraySort(groupUniqArray(f.source)) AS sources
FROM
(
    SELECT if(receiving_unit != '', receiving_unit, unit_code) AS filed_code, {{unit_day received_on}} AS day, source,
        sum(sign) AS n_received, sumIf(sign, channel = 'ONLINE') AS n_online, toInt64(0) AS n_settled, toInt64(0) AS n_early, toInt64(0) AS n_late,
        sumIf(sign, receiving_unit != '' AND receiving_unit != unit_code) AS n_elsewhere
    FROM dossier_postings
    WHERE received_on BETWEEN {from:Date} AND {to:Date} AND {{from_to}}
    GROUP BY filed_code, day, source
    UNION ALL
    SELECT if(receiving_unit != '', receiving_unit, unit_code) AS filed_code, {{unit_day settled_on}} AS day, source,
        toInt64(0), toInt64(0), sum(sign), sumIf(sign, compared_on < due_on), sumIf(sign, compared_on > due_on AND due_on != toDate(0)), toInt64(0)
    FROM dossier_postings
    WHERE settled_on BETWEEN {from:Date} AND {to:Date} AND {{from_to}} AND settled_on != toDate(0)
    GROUP BY filed_code, day, source
) AS f
ASOF LEFT JOIN tier_on_day(tier={tier:String}) AS u ON f.filed_code = u.unit_code AND f.day >= u.from_day
WHERE at_code != ''
GROUP BY at_code, at_valid_from
HAVING received != 0 OR received_online != 0 OR settled != 0 OR settled_early != 0 OR settled_late != 0
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT 'rates_by_receiving_unit(from=, to=, tier=): as rates(from=, to=, tier=), but at the unit where the dossier was filed; processed_elsewhere: of the received ones, answered for by another unit'
