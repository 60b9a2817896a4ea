-- Postings are placed before they are added up: above communes that leaves a fraction of the groups, and a filter on the unit
-- reaches the postings.
CREATE VIEW procedure_flows AS
SELECT u.at_code AS at_code, u.at_valid_from AS at_valid_from,
    f.procedure_code AS procedure_code, f.sector_code AS sector_code, f.service_level AS service_level, f.source AS source,
    sum(f.received) AS n_received, sum(f.online) AS n_online, sum(f.settled) AS n_settled, sum(f.early) AS n_early, sum(f.late) AS n_late
FROM recorded_procedure_flows(from={from:Date}, to={to:Date}) AS f
INNER JOIN tier_on_unit_day(tier={tier:String}) AS u ON f.unit_code = u.unit_code AND f.unit_day = u.unit_day
GROUP BY at_code, at_valid_from, procedure_code, sector_code, service_level, source
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT 'procedure_flows(from=, to=, tier=): dossiers received and settled in the period per unit on the day, procedure, sector and service level as the events say, and source: what the views on sectors and procedures add up'
