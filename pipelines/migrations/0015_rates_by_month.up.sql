CREATE VIEW rates_by_month AS
SELECT month, at_code AS unit_code, at_valid_from AS unit_valid_from, any(name) AS unit_name,
    sum(n_received) AS received, sum(n_online) AS received_online, {{rate online_submission}} AS online_rate,
    sum(n_settled) AS settled, sum(n_early) AS settled_early, settled - settled_early - settled_late AS settled_on_time,
    sum(n_late) AS settled_late, {{rate on_time}} AS on_time_rate,
    arraySort(groupArrayIf(source, n_received != 0 OR n_settled != 0)) AS sources
FROM
(
    SELECT toStartOfMonth(day) AS month, at_code, at_valid_from, any(at_name) AS name, source,
        sum(received) AS n_received, sum(received_online) AS n_online, sum(settled) AS n_settled, sum(settled_early) AS n_early, sum(settled_late) AS n_late
    FROM flows_of_tier(tier={tier:String})
    GROUP BY month, at_code, at_valid_from, source
)
GROUP BY month, at_code, at_valid_from
HAVING received != 0 OR received_online != 0 OR settled != 0 OR settled_early != 0 OR settled_late != 0
COMMENT 'rates_by_month(tier=): rates per month and unit of a tier; rates_by_commune, _district and _province name the tiers'
