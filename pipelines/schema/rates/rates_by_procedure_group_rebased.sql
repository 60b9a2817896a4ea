CREATE VIEW rates_by_procedure_group_rebased AS
SELECT at_code AS unit_code, at_valid_from AS unit_valid_from, any(f.at_name) AS unit_name,
    g.group_code AS group_code,
    sum(n_received) AS received, sum(n_online) AS received_online, {{rate online_submission | toFloat64}} AS online_rate,
    sum(n_settled) AS settled, sum(n_early) AS settled_early, settled - settled_early - settled_late AS settled_on_time,
    sum(n_late) AS settled_late, {{rate on_time | toFloat64}} AS on_time_rate,
    sumIf(n_received, NOT g.sure) AS received_uncertain,
    arraySort(groupUniqArrayIf(f.source, n_received != 0 OR n_settled != 0)) AS sources,
    toBool(min(f.comparable)) AS comparable
FROM procedure_flows_rebased(from={from:Date}, to={to:Date}, tier={tier:String}, units={units:String}, split={split:String}) AS f
INNER JOIN
(
    SELECT group_code, procedure_code, max(certain) AS sure
    FROM procedure_groups
    WHERE procedure_code != ''
    GROUP BY group_code, procedure_code
) AS g ON f.procedure_code = g.procedure_code
GROUP BY at_code, at_valid_from, group_code
HAVING received != 0 OR received_online != 0 OR settled != 0 OR settled_early != 0 OR settled_late != 0
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT 'rates_by_procedure_group_rebased(from=, to=, tier=, units=, split=): rates_by_procedure_group on the units of the day `units` (words: see rates_rebased)'
