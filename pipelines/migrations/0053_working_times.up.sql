-- Settled dossiers by their working days: what the two views on processing times add up. Signs are netted before anything
-- else, so that a posting that was reversed leaves no trace in a quantile. A day that the calendar does not cover is not
-- guessed, and an end before the reception (the pause is longer than the way, or the source is wrong) is no duration.
CREATE VIEW working_times AS
WITH
    (
        SELECT throwIf(
            {from:Date} < (SELECT min(day) FROM working_days) OR {to:Date} > (SELECT max(day) FROM working_days),
            (SELECT concat('from and to must lie in the years that the working-day calendar covers: ', toString(toYear(min(day))), ' to ', toString(toYear(max(day)))) FROM working_days))
    ) AS outside
SELECT u.at_code AS at_code, u.at_valid_from AS at_valid_from, u.at_name AS at_name, s.procedure_code AS procedure_code, s.source AS source, s.received_on AS received_on,
    multiIf(s.compared_on < s.received_on, 'implausible', begun.day = toDate(0) OR ended.day = toDate(0), 'uncovered', 'known') AS state,
    toInt64(ended.number) - toInt64(begun.number) AS days,
    s.n AS n
FROM
(
    SELECT unit_code, procedure_code, source, received_on, settled_on, compared_on, sum(sign) AS n
    FROM dossier_postings
    WHERE settled_on BETWEEN {from:Date} AND {to:Date} AND settled_on != toDate(0)
    GROUP BY unit_code, procedure_code, source, received_on, settled_on, compared_on
    HAVING n != 0
) AS s
ASOF LEFT JOIN tier_on_day(tier={tier:String}) AS u ON s.unit_code = u.unit_code AND s.settled_on >= u.from_day
LEFT ANY JOIN working_days AS begun ON s.received_on = begun.day
LEFT ANY JOIN working_days AS ended ON s.compared_on = ended.day
WHERE u.at_code != '' AND outside = 0
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT 'working_times(from=, to=, tier=): n settled dossiers per unit on the day of settlement, procedure, source, day of reception and working days from reception to settlement less the supplement pause; state: known, uncovered (a day outside the calendar) or implausible (ended before reception)'
