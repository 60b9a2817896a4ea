CREATE VIEW rates_by_sector_rebased AS
SELECT at_code AS unit_code, at_valid_from AS unit_valid_from, any(f.name) AS unit_name,
    at_sector AS sector_code, any(s.name_vi) AS sector_name,
    sum(f.n_received) AS received, sum(f.n_online) AS received_online, {{rate online_submission | toFloat64}} AS online_rate,
    sum(f.n_settled) AS settled, sum(f.n_early) AS settled_early, settled - settled_early - settled_late AS settled_on_time,
    sum(f.n_late) AS settled_late, {{rate on_time | toFloat64}} AS on_time_rate,
    arraySort(groupArrayIf(f.source, f.n_received != 0 OR f.n_settled != 0)) AS sources,
    toBool(min(f.certain)) AS comparable
FROM
(
    SELECT at_code, at_valid_from, if(p.newest_sector != '', p.newest_sector, sector_code) AS at_sector, source, any(at_name) AS name, min(comparable) AS certain,
        sum(n_received) AS n_received, sum(n_online) AS n_online, sum(n_settled) AS n_settled, sum(n_early) AS n_early, sum(n_late) AS n_late
    FROM procedure_flows_rebased(from={from:Date}, to={to:Date}, tier={tier:String}, units={units:String}, split={split:String}) AS f
    LEFT ANY JOIN procedures_on_day(day={to:Date}) AS p ON f.procedure_code = p.code
    GROUP BY at_code, at_valid_from, at_sector, source
) AS f
LEFT ANY JOIN sectors AS s ON f.at_sector = s.sector_code
GROUP BY at_code, at_valid_from, at_sector
HAVING received != 0 OR received_online != 0 OR settled != 0 OR settled_early != 0 OR settled_late != 0
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT 'rates_by_sector_rebased(from=, to=, tier=, units=, split=): rates_by_sector on the units of the day `units` (words: see rates_rebased)'
