-- Netted under the recorded code first: postings that cancel each other must not mark a unit as not comparable.
CREATE VIEW rates_of_period_rebased AS
WITH
    (SELECT (first_day, last_day, year_before_first_day, year_before_last_day) FROM period_days(period={period:String}, until={until:Date})) AS days
SELECT at_code AS unit_code, at_valid_from AS unit_valid_from, any(name) AS unit_name, days.1 AS first_day, days.2 AS last_day,
    sum(n_received) AS received, sum(n_online) AS received_online, {{rate online_submission of days.2 | toFloat64}} AS online_rate,
    sum(n_settled) AS settled, sum(n_early) AS settled_early, settled - settled_early - settled_late AS settled_on_time,
    sum(n_late) AS settled_late, {{rate on_time of days.2 | toFloat64}} AS on_time_rate,
    sum(b_received) AS year_before_received, sum(b_online) AS year_before_received_online, {{rate online_submission year_before_ of days.4 | toFloat64}} AS year_before_online_rate,
    sum(b_settled) AS year_before_settled, sum(b_early) AS year_before_settled_early, year_before_settled - year_before_settled_early - year_before_settled_late AS year_before_settled_on_time,
    sum(b_late) AS year_before_settled_late, {{rate on_time year_before_ of days.4 | toFloat64}} AS year_before_on_time_rate,
    if(year_before_received = 0, NULL, toFloat64(received) / toFloat64(year_before_received) - 1) AS received_growth,
    online_rate - year_before_online_rate AS online_rate_change, on_time_rate - year_before_on_time_rate AS on_time_rate_change,
    arraySort(groupUniqArray(source)) AS sources, toBool(min(certain)) AS comparable
FROM
(
    SELECT p.at_code AS at_code, p.at_valid_from AS at_valid_from, any(p.at_name) AS name, f.source AS source, min(p.comparable) AS certain,
        sum(if(f.now, f.n_received * p.share, 0)) AS n_received, sum(if(f.now, f.n_online * p.share, 0)) AS n_online,
        sum(if(f.now, f.n_settled * p.share, 0)) AS n_settled, sum(if(f.now, f.n_early * p.share, 0)) AS n_early, sum(if(f.now, f.n_late * p.share, 0)) AS n_late,
        sum(if(f.now, 0, f.n_received * p.share)) AS b_received, sum(if(f.now, 0, f.n_online * p.share)) AS b_online,
        sum(if(f.now, 0, f.n_settled * p.share)) AS b_settled, sum(if(f.now, 0, f.n_early * p.share)) AS b_early, sum(if(f.now, 0, f.n_late * p.share)) AS b_late
    FROM
    (
        SELECT now, unit_code, unit_day, source,
            sum(received) AS n_received, sumIf(received, channel = 'ONLINE') AS n_online, sum(settled) AS n_settled, sum(early) AS n_early, sum(late) AS n_late
        FROM flows_of_period(period={period:String}, until={until:Date})
        GROUP BY now, unit_code, unit_day, source
        HAVING n_received != 0 OR n_online != 0 OR n_settled != 0 OR n_early != 0 OR n_late != 0
    ) AS f
    INNER JOIN placed_on_unit_day(tier={tier:String}, units={units:String}, split={split:String}) AS p ON f.unit_code = p.unit_code AND f.unit_day = p.unit_day
    GROUP BY at_code, at_valid_from, source
)
GROUP BY at_code, at_valid_from
HAVING received != 0 OR settled != 0 OR year_before_received != 0 OR year_before_settled != 0
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT 'rates_of_period_rebased(period=, until=, tier=, units=, split=): rates_of_period on the units of the day `units` (words: see rates_rebased), so that units are compared with the same places a year before, across a reform too'
