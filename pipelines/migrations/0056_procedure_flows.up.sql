-- No roll-up holds procedures (that would be nearly a row per dossier): this reads the postings of the period. Each is placed
-- before they are added up: above communes that leaves a fraction of the groups, and a filter on the unit reaches the postings.
CREATE VIEW procedure_flows AS
SELECT u.at_code AS at_code, u.at_valid_from AS at_valid_from, f.procedure_code AS procedure_code, f.service_level AS service_level, f.source AS source,
    sum(f.received) AS n_received, sum(f.online) AS n_online, sum(f.settled) AS n_settled, sum(f.early) AS n_early, sum(f.late) AS n_late
FROM
(
    SELECT unit_code, {{unit_day received_on}} AS unit_day, source, procedure_code, service_level,
        sign AS received, if(channel = 'ONLINE', sign, 0) AS online, 0 AS settled, 0 AS early, 0 AS late
    FROM dossier_postings
    WHERE received_on BETWEEN {from:Date} AND {to:Date}
    UNION ALL
    SELECT unit_code, {{unit_day settled_on}} AS unit_day, source, procedure_code, service_level,
        0, 0, sign, if(compared_on < due_on, sign, 0), if(compared_on > due_on AND due_on != toDate(0), sign, 0)
    FROM dossier_postings
    WHERE settled_on BETWEEN {from:Date} AND {to:Date} AND settled_on != toDate(0)
) AS f
INNER JOIN tier_on_unit_day(tier={tier:String}) AS u ON f.unit_code = u.unit_code AND f.unit_day = u.unit_day
GROUP BY at_code, at_valid_from, procedure_code, service_level, source
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT 'procedure_flows(from=, to=, tier=): dossiers received and settled in the period per unit on the day, procedure, service level as the events say, and source: what the views on procedures add up'
