-- No roll-up holds procedures (that would be nearly a row per dossier): this reads the postings of the period. `unit_day`
-- stands for all days on which no unit changes: the same rows, far fewer groups.
CREATE VIEW procedure_flows AS
WITH arrayConcat([toUInt16(0)], (SELECT groupUniqArray(toUInt16(from_day)) FROM unit_on_day WHERE from_day != toDate(0))) AS unit_days
SELECT u.at_code AS at_code, u.at_valid_from AS at_valid_from, u.at_name AS at_name,
    f.procedure_code AS procedure_code, f.service_level AS service_level, f.source AS source,
    f.received AS n_received, f.online AS n_online, f.settled AS n_settled, f.early AS n_early, f.late AS n_late
FROM
(
    SELECT unit_code AS recorded_code, toDate(roundDown(toUInt16(received_on), unit_days)) AS unit_day, source, procedure_code, service_level,
        sum(sign) AS received, sumIf(sign, channel = 'ONLINE') AS online, toInt64(0) AS settled, toInt64(0) AS early, toInt64(0) AS late
    FROM dossier_postings
    WHERE received_on BETWEEN {from:Date} AND {to:Date}
    GROUP BY recorded_code, unit_day, source, procedure_code, service_level
    UNION ALL
    SELECT unit_code AS recorded_code, toDate(roundDown(toUInt16(settled_on), unit_days)) AS unit_day, source, procedure_code, service_level,
        toInt64(0), toInt64(0), sum(sign), sumIf(sign, compared_on < due_on), sumIf(sign, compared_on > due_on AND due_on != toDate(0))
    FROM dossier_postings
    WHERE settled_on BETWEEN {from:Date} AND {to:Date} AND settled_on != toDate(0)
    GROUP BY recorded_code, unit_day, source, procedure_code, service_level
) AS f
ASOF LEFT JOIN tier_on_day(tier={tier:String}) AS u ON f.recorded_code = u.unit_code AND f.unit_day >= u.from_day
WHERE u.at_code != ''
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT 'procedure_flows(from=, to=, tier=): dossiers received and settled in the period per unit on the day, procedure, service level as the events say, and source, in parts; what the views on procedures add up'
