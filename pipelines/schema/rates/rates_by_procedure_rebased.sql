CREATE VIEW rates_by_procedure_rebased AS
SELECT f.at_code AS unit_code, f.at_valid_from AS unit_valid_from, f.name AS unit_name,
    f.procedure_code AS procedure_code, c.newest_name AS procedure_name, toBool(c.code != '') AS in_catalogue,
    f.n_received AS received, f.n_online AS received_online, {{rate online_submission | toFloat64}} AS online_rate,
    f.n_settled AS settled, f.n_early AS settled_early, settled - settled_early - settled_late AS settled_on_time,
    f.n_late AS settled_late, {{rate on_time | toFloat64}} AS on_time_rate, f.sources AS sources, toBool(f.certain) AS comparable
FROM
(
    SELECT at_code, at_valid_from, procedure_code, any(p.at_name) AS name, min(p.comparable) AS certain,
        sum(p.n_received) AS n_received, sum(p.n_online) AS n_online, sum(p.n_settled) AS n_settled, sum(p.n_early) AS n_early, sum(p.n_late) AS n_late,
        arraySort(groupUniqArrayIf(p.source, p.n_received != 0 OR p.n_settled != 0)) AS sources
    FROM procedure_flows_rebased(from={from:Date}, to={to:Date}, tier={tier:String}, units={units:String}, split={split:String}) AS p
    GROUP BY at_code, at_valid_from, procedure_code
    HAVING n_received != 0 OR n_online != 0 OR n_settled != 0 OR n_early != 0 OR n_late != 0
) AS f
LEFT ANY JOIN procedures_on_day(day={to:Date}) AS c ON f.procedure_code = c.code
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT 'rates_by_procedure_rebased(from=, to=, tier=, units=, split=): rates_by_procedure on the units of the day `units` (words: see rates_rebased)'
