-- `number` makes the working days between two days a difference. Days of years that are not covered have no row: no view may
-- guess them (pipelines/calendar.ts).
CREATE TABLE working_days
(
    day Date COMMENT 'Day at +07:00',
    working Bool COMMENT 'The civil service works: Monday to Friday without days off, and Saturdays worked in exchange',
    number UInt32 COMMENT 'Working days from the first covered day on, this one included',
    name String COMMENT 'Name of the holiday, or what a Saturday is worked for; empty: neither',
    kind LowCardinality(String) COMMENT 'HOLIDAY, COMPENSATORY_OFF, MAKE_UP_WORKING_DAY, WEEKEND or ORDINARY'
)
ENGINE = MergeTree ORDER BY day
COMMENT 'Working-day calendar of the civil service; one row is a day of a covered year. From pipelines/reference/holidays.csv'
