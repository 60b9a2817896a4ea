-- Signs are netted first, so that a posting that was reversed leaves no trace in a quantile. Quantiles by the nearest rank: the
-- p-quantile of n durations is the one in place ceil(p * n), so it is a duration that was.
CREATE VIEW processing_times AS
SELECT u.at_code AS unit_code, u.at_valid_from AS unit_valid_from, any(u.at_name) AS unit_name,
    sum(n) AS settled, sumIf(n, state = 'known') AS timed,
    if(timed = 0, NULL, sumIf(days * n, state = 'known') / timed) AS mean_days,
    if(timed = 0, NULL, quantileExactWeightedIf(0.5)(days, toUInt64(greatest(n, 0)), state = 'known')) AS median_days,
    if(timed = 0, NULL, quantileExactWeightedIf(0.9)(days, toUInt64(greatest(n, 0)), state = 'known')) AS p90_days,
    sumIf(n, state = 'uncovered') AS uncovered, sumIf(n, state = 'implausible') AS implausible,
    arraySort(groupUniqArray(t.source)) AS sources
FROM
(
    SELECT unit_code AS recorded_code, unit_day, source, state, days, sum(sign) AS n
    FROM working_times(from={from:Date}, to={to:Date})
    GROUP BY unit_code, unit_day, source, state, days
    HAVING n != 0
) AS t
ASOF LEFT JOIN tier_on_day(tier={tier:String}) AS u ON t.recorded_code = u.unit_code AND t.unit_day >= u.from_day
WHERE u.at_code != ''
GROUP BY u.at_code, u.at_valid_from
HAVING settled != 0 OR timed != 0
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT 'processing_times(from=, to=, tier=): working days from reception to settlement less the supplement pause, of dossiers settled in the period, per unit on the day of settlement: mean, median, p90 over the timed ones; settled = timed + uncovered (a day outside the calendar) + implausible (ended before reception). An error where from or to is outside the calendar'
