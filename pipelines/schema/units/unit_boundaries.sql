-- All days on which any unit changes, as recorded or re-based: between two of them every code counts where it counted on the
-- first. Views sum up over such stretches before they ask where a code counts.
CREATE VIEW unit_boundaries
(
    days Array(Date) COMMENT 'Days on which units change, ascending'
)
AS
SELECT arraySort(groupUniqArray(from_day)) AS days
FROM (SELECT from_day FROM unit_on_day UNION ALL SELECT DISTINCT from_day FROM unit_rebased)
COMMENT 'Days on which units change, ascending, as one array'
