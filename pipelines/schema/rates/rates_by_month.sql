-- Read from the roll-ups, a row per unit, month and stretch between two changes of units, and placed only then: placing every
-- day of every commune first takes twenty times as long.
CREATE VIEW rates_by_month AS
SELECT month, at_code AS unit_code, at_valid_from AS unit_valid_from, any(name) AS unit_name,
    sum(n_received) AS received, sum(n_online) AS received_online, {{rate online_submission of toLastDayOfMonth(month)}} AS online_rate,
    sum(n_settled) AS settled, sum(n_early) AS settled_early, settled - settled_early - settled_late AS settled_on_time,
    sum(n_late) AS settled_late, {{rate on_time of toLastDayOfMonth(month)}} AS on_time_rate,
    arraySort(groupArrayIf(source, n_received != 0 OR n_settled != 0)) AS sources
FROM
(
    SELECT f.month AS month, u.at_code AS at_code, u.at_valid_from AS at_valid_from, any(u.at_name) AS name, f.source AS source,
        sum(f.received) AS n_received, sumIf(f.received, f.channel = 'ONLINE') AS n_online, sum(f.settled) AS n_settled, sum(f.early) AS n_early, sum(f.late) AS n_late
    FROM
    (
        SELECT unit_code, toStartOfMonth(received_on) AS month, {{unit_day received_on}} AS day, source, channel,
            sum(sign) AS received, toInt64(0) AS settled, toInt64(0) AS early, toInt64(0) AS late
        FROM dossier_postings
        GROUP BY unit_code, month, day, source, channel
        UNION ALL
        SELECT unit_code, toStartOfMonth(settled_on) AS month, {{unit_day settled_on}} AS day, source, '' AS channel,
            toInt64(0), sum(sign), sumIf(sign, compared_on < due_on), sumIf(sign, compared_on > due_on AND due_on != toDate(0))
        FROM dossier_postings
        WHERE settled_on != toDate(0)
        GROUP BY unit_code, month, day, source
    ) AS f
    ASOF LEFT JOIN tier_on_day(tier={tier:String}) AS u ON f.unit_code = u.unit_code AND f.day >= u.from_day
    WHERE u.at_code != ''
    GROUP BY month, at_code, at_valid_from, source
)
GROUP BY month, at_code, at_valid_from
HAVING received != 0 OR received_online != 0 OR settled != 0 OR settled_early != 0 OR settled_late != 0
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT 'rates_by_month(tier=): rates per month and unit of a tier; rates_by_commune, _district and _province name the tiers'
