-- The same on every day on which any unit changes, for an ordinary join: a filter on the unit then reaches the postings, which
-- an ASOF JOIN does not let through. Sums of few rows are placed quicker with the latter.
CREATE VIEW tier_on_unit_day AS
SELECT unit_code, arrayJoin(arrayFilter(day -> day >= from_day AND (until_day = toDate(0) OR day < until_day), (SELECT days FROM unit_boundaries))) AS unit_day,
    at_code, at_valid_from, at_name
FROM
(
    SELECT *, leadInFrame(from_day) OVER (PARTITION BY unit_code ORDER BY from_day ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS until_day
    FROM tier_on_day(tier={tier:String})
)
WHERE at_code != ''
COMMENT 'tier_on_unit_day(tier=): where a recorded code counts on that tier on each unit_day, a day on which units change and which stands for all days until the next one; no row: nowhere'
