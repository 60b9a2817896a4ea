-- Netted under the recorded code first: postings that cancel each other must not mark a unit as not comparable.
CREATE VIEW procedure_flows_rebased AS
SELECT p.at_code AS at_code, p.at_valid_from AS at_valid_from, any(p.at_name) AS at_name,
    f.procedure_code AS procedure_code, f.sector_code AS sector_code, f.service_level AS service_level, f.source AS source,
    sum(f.n_received * p.share) AS n_received, sum(f.n_online * p.share) AS n_online,
    sum(f.n_settled * p.share) AS n_settled, sum(f.n_early * p.share) AS n_early, sum(f.n_late * p.share) AS n_late,
    min(p.comparable) AS comparable
FROM
(
    SELECT unit_code, unit_day, source, procedure_code, sector_code, service_level,
        sum(received) AS n_received, sum(online) AS n_online, sum(settled) AS n_settled, sum(early) AS n_early, sum(late) AS n_late
    FROM recorded_procedure_flows(from={from:Date}, to={to:Date})
    GROUP BY unit_code, unit_day, source, procedure_code, sector_code, service_level
    HAVING n_received != 0 OR n_online != 0 OR n_settled != 0 OR n_early != 0 OR n_late != 0
) AS f
INNER JOIN placed_on_unit_day(tier={tier:String}, units={units:String}, split={split:String}) AS p ON f.unit_code = p.unit_code AND f.unit_day = p.unit_day
GROUP BY at_code, at_valid_from, procedure_code, sector_code, service_level, source
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT 'procedure_flows_rebased(from=, to=, tier=, units=, split=): procedure_flows on the units of the day `units` (words: see rates_rebased); counts are decimals'
