-- recorded_flows of two periods at once: a named one and the same days of the year before.
CREATE VIEW flows_of_period AS
WITH
    (SELECT (first_day, last_day, year_before_first_day, year_before_last_day) FROM period_days(period={period:String}, until={until:Date})) AS days
SELECT *
FROM
(
    SELECT received_on >= days.1 AS now, unit_code, {{unit_day received_on}} AS unit_day, source, channel,
        sum(sign) AS received, toInt64(0) AS settled, toInt64(0) AS early, toInt64(0) AS late
    FROM dossier_postings
    WHERE received_on BETWEEN days.1 AND days.2 OR received_on BETWEEN days.3 AND days.4
    GROUP BY now, unit_code, unit_day, source, channel
    UNION ALL
    SELECT settled_on >= days.1 AS now, unit_code, {{unit_day settled_on}} AS unit_day, source, '' AS channel,
        toInt64(0), sum(sign), sumIf(sign, compared_on < due_on), sumIf(sign, compared_on > due_on AND due_on != toDate(0))
    FROM dossier_postings
    WHERE settled_on != toDate(0) AND (settled_on BETWEEN days.1 AND days.2 OR settled_on BETWEEN days.3 AND days.4)
    GROUP BY now, unit_code, unit_day, source
)
COMMENT 'flows_of_period(period=, until=): dossiers received and settled in the named period (now) and in the same days of the year before, per recorded unit code, unit_day, source and channel'
