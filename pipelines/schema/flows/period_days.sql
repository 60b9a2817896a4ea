-- A period by its name, cut off at a day (for figures to date), and the same stretch of the year before.
CREATE VIEW period_days AS
WITH
    {period:String} AS p,
    extractGroups(p, '^(\\d{4})(?:-(H[12]|Q[1-4]|9M|(?:0[1-9]|1[0-2])(?:-\\d\\d)?))?$') AS parts,
    parts[2] AS part,
    toDate(makeDate(toUInt16OrZero(parts[1]), 1, 1)) AS year_day,
    multiIf(part = 'H2', addMonths(year_day, 6), part LIKE 'Q_', addMonths(year_day, 3 * (toInt32OrZero(substring(part, 2)) - 1)),
        match(part, '^\\d\\d$'), addMonths(year_day, toInt32OrZero(part) - 1), match(part, '^\\d\\d-\\d\\d$'), toDate(parseDateTimeBestEffortOrZero(p)), year_day) AS first,
    addDays(multiIf(part = '', addYears(first, 1), part LIKE 'H_', addMonths(first, 6), part = '9M', addMonths(first, 9), part LIKE 'Q_', addMonths(first, 3),
        match(part, '^\\d\\d$'), addMonths(first, 1), addDays(first, 1)), -1) AS last
SELECT first AS first_day, least(last, {until:Date}) AS last_day, addYears(first, -1) AS year_before_first_day, addYears(last_day, -1) AS year_before_last_day
WHERE throwIf(empty(parts) OR (match(part, '^\\d\\d-\\d\\d$') AND toString(first) != p) OR year_day < toDate('1990-01-01') OR year_day > toDate('2100-01-01'),
        'period must be a year (2025), half (2025-H1), quarter (2025-Q3), nine months (2025-9M), month (2025-07) or day (2025-07-03), from 1990 to 2100') = 0
    AND throwIf({until:Date} < first, 'until must not be before the period begins') = 0
COMMENT 'period_days(period=, until=): first and last day of a named period, cut off at until (2100-01-01: not), and the same days of the year before'
