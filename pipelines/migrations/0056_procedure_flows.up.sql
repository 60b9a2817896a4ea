-- No roll-up holds procedures (that would be nearly a row per dossier): this reads the postings of the period.
CREATE VIEW procedure_flows AS
SELECT u.at_code AS at_code, u.at_valid_from AS at_valid_from, any(u.at_name) AS at_name,
    f.procedure_code AS procedure_code, f.service_level AS service_level, f.source AS source,
    sum(f.received) AS n_received, sum(f.online) AS n_online, sum(f.settled) AS n_settled, sum(f.early) AS n_early, sum(f.late) AS n_late
FROM
(
    SELECT unit_code, received_on AS day, source, procedure_code, service_level,
        sum(sign) AS received, sumIf(sign, channel = 'ONLINE') AS online, toInt64(0) AS settled, toInt64(0) AS early, toInt64(0) AS late
    FROM dossier_postings
    WHERE received_on BETWEEN {from:Date} AND {to:Date}
    GROUP BY unit_code, received_on, source, procedure_code, service_level
    UNION ALL
    SELECT unit_code, settled_on AS day, source, procedure_code, service_level,
        toInt64(0), toInt64(0), sum(sign), sumIf(sign, compared_on < due_on), sumIf(sign, compared_on > due_on AND due_on != toDate(0))
    FROM dossier_postings
    WHERE settled_on BETWEEN {from:Date} AND {to:Date} AND settled_on != toDate(0)
    GROUP BY unit_code, settled_on, source, procedure_code, service_level
) AS f
ASOF LEFT JOIN tier_on_day(tier={tier:String}) AS u ON f.unit_code = u.unit_code AND f.day >= u.from_day
WHERE u.at_code != ''
GROUP BY at_code, at_valid_from, procedure_code, service_level, source
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT 'procedure_flows(from=, to=, tier=): dossiers received and settled per unit on the day, procedure, service level as the events say, and source; what the views on procedures add up'
