-- The level is the catalogue's on the last day, else the highest one that dossiers received in the period carry: a procedure
-- with two levels counts at the higher one (Decision 766, working paper, 3.1).
CREATE VIEW rates_by_procedure AS
SELECT at_code AS unit_code, at_valid_from AS unit_valid_from, any(at_name) AS unit_name,
    f.procedure_code AS procedure_code, any(c.newest_name) AS procedure_name, toBool(any(c.code) != '') AS in_catalogue,
    multiIf(any(c.level) != '', any(c.level), sumIf(n_received, service_level = 'FULL') > 0, 'FULL', sumIf(n_received, service_level = 'PARTIAL') > 0, 'PARTIAL',
        sumIf(n_received, service_level = 'INFORMATION') > 0, 'INFORMATION', '') AS level,
    multiIf(any(c.level) != '', 'catalogue', level != '', 'events', '') AS level_from,
    sum(n_received) AS received, sum(n_online) AS received_online, {{rate online_submission}} AS online_rate,
    sum(n_settled) AS settled, sum(n_early) AS settled_early, settled - settled_early - settled_late AS settled_on_time,
    sum(n_late) AS settled_late, {{rate on_time}} AS on_time_rate,
    arraySort(groupUniqArrayIf(f.source, n_received != 0 OR n_settled != 0)) AS sources
FROM procedure_flows(from={from:Date}, to={to:Date}, tier={tier:String}) AS f
LEFT ANY JOIN
(
    SELECT procedure_code AS code, argMax(name_vi, valid_from) AS newest_name, anyIf(service_level, {to:Date} BETWEEN valid_from AND valid_to) AS level
    FROM procedures
    GROUP BY procedure_code
) AS c ON f.procedure_code = c.code
GROUP BY at_code, at_valid_from, procedure_code
HAVING received != 0 OR received_online != 0 OR settled != 0 OR settled_early != 0 OR settled_late != 0
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT 'rates_by_procedure(from=, to=, tier=): rates per unit and procedure over any period (procedure_code empty: not known; in_catalogue false: the catalogue does not have it); level FULL, PARTIAL, INFORMATION or empty, level_from catalogue or events'
