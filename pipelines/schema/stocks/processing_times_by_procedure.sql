-- The time shown is the catalogue's on the last day; each dossier is held against the one in force when it was received.
CREATE VIEW processing_times_by_procedure AS
SELECT t.at_code AS unit_code, t.at_valid_from AS unit_valid_from, any(u.at_name) AS unit_name,
    t.procedure_code AS procedure_code, any(now.name_vi) AS procedure_name,
    sum(n) AS settled, sumIf(n, state = 'known') AS timed,
    if(timed = 0, NULL, sumIf(days * n, state = 'known') / timed) AS mean_days,
    if(timed = 0, NULL, quantileExactWeightedIf(0.5)(days, toUInt64(greatest(n, 0)), state = 'known')) AS median_days,
    if(timed = 0, NULL, quantileExactWeightedIf(0.9)(days, toUInt64(greatest(n, 0)), state = 'known')) AS p90_days,
    sumIf(n, state = 'uncovered') AS uncovered, sumIf(n, state = 'implausible') AS implausible,
    any(now.time_min) AS time_min, any(now.time_max) AS time_max, any(now.time_unit) AS time_unit,
    sumIf(n, state = 'known' AND at_reception.time_unit = 'WORKING_DAY' AND version_day <= at_reception.valid_to AND isNotNull(at_reception.time_max)) AS comparable,
    sumIf(n, state = 'known' AND at_reception.time_unit = 'WORKING_DAY' AND version_day <= at_reception.valid_to AND ifNull(days > at_reception.time_max, false)) AS over_time_max,
    arraySort(groupUniqArray(t.source)) AS sources
FROM
(
    SELECT at_code, at_valid_from, procedure_code, version_day, source, state, days, sum(sign) AS n
    FROM working_times(from={from:Date}, to={to:Date}) AS w
    INNER JOIN tier_on_unit_day(tier={tier:String}) AS p ON w.unit_code = p.unit_code AND w.unit_day = p.unit_day
    GROUP BY at_code, at_valid_from, procedure_code, version_day, source, state, days
    HAVING n != 0
) AS t
LEFT ANY JOIN units_of_tier(tier={tier:String}) AS u ON t.at_code = u.at_code AND t.at_valid_from = u.at_valid_from
ASOF LEFT JOIN procedures AS at_reception ON t.procedure_code = at_reception.procedure_code AND t.version_day >= at_reception.valid_from
LEFT ANY JOIN (SELECT procedure_code, name_vi, time_min, time_max, time_unit FROM procedures WHERE {to:Date} BETWEEN valid_from AND valid_to) AS now ON t.procedure_code = now.procedure_code
GROUP BY t.at_code, t.at_valid_from, procedure_code
HAVING settled != 0 OR timed != 0
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT 'processing_times_by_procedure(from=, to=, tier=): as processing_times(from=, to=, tier=) per procedure (empty: not known), beside the statutory time of the catalogue on the last day (time_min to time_max, in time_unit). Where the catalogue gave working days on the day of reception: comparable dossiers, and over_time_max of them'
