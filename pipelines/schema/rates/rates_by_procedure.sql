-- The level is the catalogue's on the last day, else the highest one that dossiers received in the period carry: a procedure
-- with two levels counts at the higher one (Decision 766, working paper, 3.1). Names are put to the sums, not to the postings.
CREATE VIEW rates_by_procedure AS
SELECT f.at_code AS unit_code, f.at_valid_from AS unit_valid_from, u.at_name AS unit_name,
    f.procedure_code AS procedure_code, c.newest_name AS procedure_name, toBool(c.code != '') AS in_catalogue,
    multiIf(c.level != '', c.level, f.n_full > 0, 'FULL', f.n_partial > 0, 'PARTIAL', f.n_information > 0, 'INFORMATION', '') AS level,
    multiIf(c.level != '', 'catalogue', level != '', 'events', '') AS level_from,
    f.n_received AS received, f.n_online AS received_online, {{rate online_submission}} AS online_rate,
    f.n_settled AS settled, f.n_early AS settled_early, settled - settled_early - settled_late AS settled_on_time,
    f.n_late AS settled_late, {{rate on_time}} AS on_time_rate, f.sources AS sources
FROM
(
    SELECT at_code, at_valid_from, procedure_code,
        sum(p.n_received) AS n_received, sum(p.n_online) AS n_online, sum(p.n_settled) AS n_settled, sum(p.n_early) AS n_early, sum(p.n_late) AS n_late,
        sumIf(p.n_received, service_level = 'FULL') AS n_full, sumIf(p.n_received, service_level = 'PARTIAL') AS n_partial,
        sumIf(p.n_received, service_level = 'INFORMATION') AS n_information,
        arraySort(groupUniqArrayIf(p.source, p.n_received != 0 OR p.n_settled != 0)) AS sources
    FROM procedure_flows(from={from:Date}, to={to:Date}, tier={tier:String}) AS p
    GROUP BY at_code, at_valid_from, procedure_code
    HAVING n_received != 0 OR n_online != 0 OR n_settled != 0 OR n_early != 0 OR n_late != 0
) AS f
LEFT ANY JOIN units_of_tier(tier={tier:String}) AS u ON f.at_code = u.at_code AND f.at_valid_from = u.at_valid_from
LEFT ANY JOIN procedures_on_day(day={to:Date}) AS c ON f.procedure_code = c.code
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT 'rates_by_procedure(from=, to=, tier=): rates per unit and procedure over any period (procedure_code empty: not known; in_catalogue false: the catalogue does not have it); level FULL, PARTIAL, INFORMATION or empty, level_from catalogue or events'
