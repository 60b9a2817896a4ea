CREATE VIEW rates AS
SELECT at_code AS unit_code, at_valid_from AS unit_valid_from, any(name) AS unit_name,
    sum(n_received) AS received, sum(n_online) AS received_online, {{rate online_submission}} AS online_rate,
    sum(n_settled) AS settled, sum(n_early) AS settled_early, settled - settled_early - settled_late AS settled_on_time,
    sum(n_late) AS settled_late, {{rate on_time}} AS on_time_rate,
    arraySort(groupArrayIf(source, n_received != 0 OR n_settled != 0)) AS sources
FROM
(
    SELECT u.at_code AS at_code, u.at_valid_from AS at_valid_from, any(u.at_name) AS name, f.source AS source,
        sum(f.received) AS n_received, sumIf(f.received, f.channel = 'ONLINE') AS n_online, sum(f.settled) AS n_settled, sum(f.early) AS n_early, sum(f.late) AS n_late
    FROM recorded_flows(from={from:Date}, to={to:Date}) AS f
    ASOF LEFT JOIN tier_on_day(tier={tier:String}) AS u ON f.unit_code = u.unit_code AND f.unit_day >= u.from_day
    WHERE u.at_code != ''
    GROUP BY at_code, at_valid_from, source
)
GROUP BY at_code, at_valid_from
HAVING received != 0 OR received_online != 0 OR settled != 0 OR settled_early != 0 OR settled_late != 0
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT 'rates(from=, to=, tier=): rates per unit over any period, both days included; tier commune, district, province or country'
