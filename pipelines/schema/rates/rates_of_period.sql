-- A named period beside the same one of the year before. A unit is compared with itself only: a key that did not exist then, or
-- a code that named another place, has nothing to be compared with (`rates_of_period_rebased` puts both periods on one day's units).
CREATE VIEW rates_of_period AS
WITH
    (SELECT (first_day, last_day, year_before_first_day, year_before_last_day) FROM period_days(period={period:String}, until={until:Date})) AS days
SELECT at_code AS unit_code, at_valid_from AS unit_valid_from, any(name) AS unit_name, days.1 AS first_day, days.2 AS last_day,
    sum(n_received) AS received, sum(n_online) AS received_online, {{rate online_submission of days.2}} AS online_rate,
    sum(n_settled) AS settled, sum(n_early) AS settled_early, settled - settled_early - settled_late AS settled_on_time,
    sum(n_late) AS settled_late, {{rate on_time of days.2}} AS on_time_rate,
    sum(b_received) AS year_before_received, sum(b_online) AS year_before_received_online, {{rate online_submission year_before_ of days.4}} AS year_before_online_rate,
    sum(b_settled) AS year_before_settled, sum(b_early) AS year_before_settled_early, year_before_settled - year_before_settled_early - year_before_settled_late AS year_before_settled_on_time,
    sum(b_late) AS year_before_settled_late, {{rate on_time year_before_ of days.4}} AS year_before_on_time_rate,
    if(year_before_received = 0, NULL, received / year_before_received - 1) AS received_growth,
    online_rate - year_before_online_rate AS online_rate_change, on_time_rate - year_before_on_time_rate AS on_time_rate_change,
    arraySort(groupUniqArray(source)) AS sources
FROM
(
    SELECT u.at_code AS at_code, u.at_valid_from AS at_valid_from, any(u.at_name) AS name, f.source AS source,
        sumIf(f.received, now) AS n_received, sumIf(f.received, now AND f.channel = 'ONLINE') AS n_online,
        sumIf(f.settled, now) AS n_settled, sumIf(f.early, now) AS n_early, sumIf(f.late, now) AS n_late,
        sumIf(f.received, NOT now) AS b_received, sumIf(f.received, NOT now AND f.channel = 'ONLINE') AS b_online,
        sumIf(f.settled, NOT now) AS b_settled, sumIf(f.early, NOT now) AS b_early, sumIf(f.late, NOT now) AS b_late
    FROM flows_of_period(period={period:String}, until={until:Date}) AS f
    ASOF LEFT JOIN tier_on_day(tier={tier:String}) AS u ON f.unit_code = u.unit_code AND f.unit_day >= u.from_day
    WHERE u.at_code != ''
    GROUP BY at_code, at_valid_from, source
)
GROUP BY at_code, at_valid_from
HAVING received != 0 OR settled != 0 OR year_before_received != 0 OR year_before_settled != 0
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT 'rates_of_period(period=, until=, tier=): rates of a named period (2025, 2025-H1, 2025-Q3, 2025-9M, 2025-07, 2025-07-03), to date where cut off by until, beside the same days of the year before; changes are differences of fractions'
