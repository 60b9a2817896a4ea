-- Postings of settlements with their working days: what the two views on processing times net and add up. Both look days up by
-- their place, which leans on a calendar without gaps (pipelines/calendar.ts). A day that is not covered is not guessed, and an
-- end before the reception (the pause is longer than the way, or the source is wrong) is no duration.
-- `unit_day` and `version_day` stand for all days on which no unit and no procedure changes: the same rows, far fewer groups.
CREATE VIEW working_times AS
WITH
    (
        SELECT throwIf(
            {from:Date} < (SELECT min(day) FROM working_days) OR {to:Date} > (SELECT max(day) FROM working_days),
            (SELECT concat('from and to must lie in the years that the working-day calendar covers: ', toString(toYear(min(day))), ' to ', toString(toYear(max(day)))) FROM working_days))
    ) AS outside,
    (SELECT min(day) FROM working_days) AS first_day,
    (SELECT max(day) FROM working_days) AS last_day,
    (SELECT groupArray(number) FROM (SELECT number FROM working_days ORDER BY day)) AS numbers,
    -- The 0 stands outside of the subquery, which is empty while ClickHouse only analyses the query: roundDown refuses that.
    arrayConcat([toUInt16(0)], (SELECT groupUniqArray(toUInt16(begins)) FROM (SELECT arrayJoin([valid_from, if(valid_to = toDate(65535), toDate(0), valid_to + 1)]) AS begins FROM procedures) WHERE begins != toDate(0))) AS version_days
SELECT unit_code, {{unit_day settled_on}} AS unit_day, procedure_code, toDate(roundDown(toUInt16(received_on), version_days)) AS version_day, source, sign,
    multiIf(compared_on < received_on, 'implausible', received_on < first_day OR compared_on > last_day, 'uncovered', 'known') AS state,
    if(state = 'known', toInt32(numbers[toUInt16(compared_on) - toUInt16(first_day) + 1]) - toInt32(numbers[toUInt16(received_on) - toUInt16(first_day) + 1]), 0) AS days
FROM dossier_postings
WHERE settled_on BETWEEN {from:Date} AND {to:Date} AND {{from_to}} AND settled_on != toDate(0) AND outside = 0
COMMENT 'working_times(from=, to=): postings of dossiers settled in the period with the working days from reception to settlement less the supplement pause (first day not counted, last day counted); state: known, uncovered (a day outside the calendar) or implausible (ended before reception); unit_day, version_day: days that stand for those of settlement and reception where units and procedures are looked up'
