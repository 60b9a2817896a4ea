-- Stocks at the end of a day. pending and pending_overdue are sums over the roll-ups; what depends on two days at once (due
-- soon, waiting) is read from the postings of dossiers that are pending on that day.
CREATE VIEW backlog AS
SELECT at_code AS unit_code, at_valid_from AS unit_valid_from, any(at_name) AS unit_name,
    sum(n_pending) AS pending, pending - pending_overdue AS pending_in_time, sum(n_overdue) AS pending_overdue,
    sum(n_due_soon) AS due_soon, sum(n_waiting) AS waiting, pending_overdue + sum(n_overdue_766) AS pending_overdue_766,
    arraySort(groupUniqArrayIf(f.source, n_pending != 0)) AS sources
FROM
(
    SELECT unit_code, source, sum(p) AS n_pending, sum(o) AS n_overdue, sum(s) AS n_due_soon, sum(w) AS n_waiting, sum(r) AS n_overdue_766
    FROM
    (
        -- As stock_flows has it, summed up to the day at once: the roll-ups are read without making a row of every day.
        SELECT unit_code, source, sum(sign) AS p, toInt64(0) AS o, toInt64(0) AS s, toInt64(0) AS w, toInt64(0) AS r
        FROM dossier_postings
        WHERE received_on <= {as_of:Date}
        GROUP BY unit_code, source
        UNION ALL
        SELECT unit_code, source, -sum(sign), -sumIf(sign, overdue_on != toDate(0) AND overdue_on < ended_on), 0, 0, 0
        FROM dossier_postings
        WHERE ended_on != toDate(0) AND ended_on <= {as_of:Date}
        GROUP BY unit_code, source
        UNION ALL
        SELECT unit_code, source, 0, sumIf(sign, ended_on = toDate(0) OR overdue_on < ended_on), 0, 0, 0
        FROM dossier_postings
        WHERE overdue_on != toDate(0) AND overdue_on <= {as_of:Date}
        GROUP BY unit_code, source
        UNION ALL
        SELECT unit_code, source, toInt64(0), toInt64(0),
            sumIf(sign, overdue_on > {as_of:Date} AND overdue_on <= {as_of:Date} + {soon:UInt16}),
            sumIf(sign, waiting_on != toDate(0) AND waiting_on <= {as_of:Date}),
            -- Decision 766: who waits for the applicant is judged by the day of the request, and is late anyway after a second one.
            sumIf(toInt64(sign) * ((supplement_requests > 1 OR (overdue_on != toDate(0) AND overdue_on <= waiting_on)) - (overdue_on != toDate(0) AND overdue_on <= {as_of:Date})),
                waiting_on != toDate(0) AND waiting_on <= {as_of:Date})
        FROM dossier_postings
        WHERE received_on <= {as_of:Date} AND (ended_on = toDate(0) OR ended_on > {as_of:Date})
            AND ((overdue_on > {as_of:Date} AND overdue_on <= {as_of:Date} + {soon:UInt16}) OR (waiting_on != toDate(0) AND waiting_on <= {as_of:Date}))
        GROUP BY unit_code, source
    )
    GROUP BY unit_code, source
) AS f
ANY LEFT JOIN
(
    SELECT unit_code, argMax(at_code, from_day) AS at_code, argMax(at_valid_from, from_day) AS at_valid_from, argMax(at_name, from_day) AS at_name
    FROM tier_on_day(tier={tier:String})
    WHERE from_day <= {as_of:Date}
    GROUP BY unit_code
) AS u ON f.unit_code = u.unit_code
WHERE u.at_code != ''
GROUP BY at_code, at_valid_from
HAVING pending != 0 OR pending_overdue != 0 OR due_soon != 0 OR waiting != 0
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT 'backlog(as_of=, tier=, soon=): dossiers pending at the end of a day (+07:00), also a past one: pending = pending_in_time + pending_overdue; due_soon: in time, overdue within `soon` days; waiting: for a supplement; pending_overdue_766: overdue by the rule of Decision 766 on supplements'
