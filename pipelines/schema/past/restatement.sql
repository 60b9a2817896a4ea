-- Then + late_news + voids + corrections + moves_in + moves_out = now, in every column. `then`, `now` and `difference` are
-- sums of postings as in the rates; the causes come from the dossiers one by one: that they meet is a test, not a definition.
CREATE VIEW restatement AS
SELECT cause, received, received_online, settled, settled_early, settled_on_time, settled_late, dossiers
FROM
(
    SELECT line AS cause,
        sum(n_received) AS received, sum(n_online) AS received_online, sum(n_settled) AS settled, sum(n_early) AS settled_early,
        sum(n_on_time) AS settled_on_time, sum(n_late) AS settled_late, if(line IN ('then', 'now'), NULL, sum(n_dossiers)) AS dossiers
    FROM
    (
        SELECT arrayJoin(if(posted_at > {at:DateTime64(3, 'UTC')}, ['difference', 'now'], ['then', 'now'])) AS line,
            sum(if(flow = 'received', sign, 0)) AS n_received, sum(if(online, sign, 0)) AS n_online,
            sum(if(flow = 'settled', sign, 0)) AS n_settled, sum(if(early, sign, 0)) AS n_early,
            sum(if(flow = 'settled' AND NOT early AND NOT late, sign, 0)) AS n_on_time, sum(if(late, sign, 0)) AS n_late, 0 AS n_dossiers
        FROM postings_of_unit(from={from:Date}, to={to:Date}, unit={unit:String})
        WHERE here
        GROUP BY line
        UNION ALL
        SELECT if(grouping(cause) = 1, 'difference', cause) AS line,
            if(grouping(cause) = 1, 0, sum(received)), if(grouping(cause) = 1, 0, sum(received_online)), if(grouping(cause) = 1, 0, sum(settled)),
            if(grouping(cause) = 1, 0, sum(settled_early)), if(grouping(cause) = 1, 0, sum(settled_on_time)), if(grouping(cause) = 1, 0, sum(settled_late)), uniqExact(dossier_id)
        FROM restated_dossiers(at={at:DateTime64(3, 'UTC')}, from={from:Date}, to={to:Date}, unit={unit:String})
        GROUP BY GROUPING SETS ((cause), ())
        UNION ALL
        SELECT arrayJoin(['then', 'late_news', 'voids', 'corrections', 'moves_in', 'moves_out', 'difference', 'now']), 0, 0, 0, 0, 0, 0, 0
    )
    GROUP BY line
)
ORDER BY indexOf(['then', 'late_news', 'voids', 'corrections', 'moves_in', 'moves_out', 'difference', 'now'], cause)
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT 'restatement(at=, from=, to=, unit=): why the figures of a unit for a period differ from those known at a past moment; then + causes = now, difference is their sum'
