-- The statement of account of a unit over a period, as reports give it: carried over + received - ended = pending. All of it
-- stands at the units valid on the last day of the period, so that the identity holds in every row, across a reform too.
CREATE VIEW dossier_balance AS
SELECT at_code AS unit_code, at_valid_from AS unit_valid_from, any(at_name) AS unit_name,
    sum(carried) AS carried_over,
    sum(n_received) AS received, sum(n_online) AS received_online, sum(n_counter) AS received_counter, sum(n_postal) AS received_postal,
    sum(n_full) AS received_full, sum(n_partial) AS received_partial, sum(n_information) AS received_information,
    sum(n_ended) AS ended, sum(n_withdrawn) AS withdrawn, sum(n_stopped) AS stopped,
    sum(n_settled) AS settled, sum(n_early) AS settled_early, settled - settled_early - settled_late AS settled_on_time, sum(n_late) AS settled_late,
    sum(n_returned) AS returned, sum(n_not_accepted) AS not_accepted,
    sum(n_pending) AS pending, pending - pending_overdue AS pending_in_time, sum(n_overdue) AS pending_overdue,
    arraySort(groupUniqArray(f.source)) AS sources
FROM
(
    SELECT unit_code, source, sum(c1) AS carried, sum(c2) AS n_received, sum(c3) AS n_online, sum(c4) AS n_counter, sum(c5) AS n_postal, sum(c6) AS n_full, sum(c7) AS n_partial,
        sum(c8) AS n_information, sum(c9) AS n_ended, sum(c10) AS n_withdrawn, sum(c11) AS n_stopped, sum(c12) AS n_settled, sum(c13) AS n_early, sum(c14) AS n_late,
        sum(c15) AS n_returned, sum(c16) AS n_not_accepted, sum(c17) AS n_pending, sum(c18) AS n_overdue
    FROM
    (
        SELECT unit_code, source, sumIf(pending, before) AS c1, toInt64(0) AS c2, toInt64(0) AS c3, toInt64(0) AS c4, toInt64(0) AS c5, toInt64(0) AS c6, toInt64(0) AS c7,
            toInt64(0) AS c8, toInt64(0) AS c9, toInt64(0) AS c10, toInt64(0) AS c11, toInt64(0) AS c12, toInt64(0) AS c13, toInt64(0) AS c14, toInt64(0) AS c15, toInt64(0) AS c16,
            sum(pending) AS c17, toInt64(0) AS c18
        FROM
        (
            SELECT unit_code, source, received_on < {from:Date} AS before, sum(sign) AS pending
            FROM dossier_postings
            WHERE received_on <= {to:Date}
            GROUP BY unit_code, source, before
            UNION ALL
            SELECT unit_code, source, ended_on < {from:Date} AS before, -sum(sign)
            FROM dossier_postings
            WHERE ended_on != toDate(0) AND ended_on <= {to:Date}
            GROUP BY unit_code, source, before
        )
        GROUP BY unit_code, source
        UNION ALL
        SELECT unit_code, source, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -sumIf(sign, overdue_on != toDate(0) AND overdue_on < ended_on)
        FROM dossier_postings
        WHERE ended_on != toDate(0) AND ended_on <= {to:Date}
        GROUP BY unit_code, source
        UNION ALL
        SELECT unit_code, source, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, sumIf(sign, ended_on = toDate(0) OR overdue_on < ended_on)
        FROM dossier_postings
        WHERE overdue_on != toDate(0) AND overdue_on <= {to:Date}
        GROUP BY unit_code, source
        UNION ALL
        SELECT unit_code, source, 0, sum(received), sumIf(received, channel = 'ONLINE'), sumIf(received, channel = 'COUNTER'), sumIf(received, channel = 'POSTAL'),
            sumIf(received, service_level = 'FULL'), sumIf(received, service_level = 'PARTIAL'), sumIf(received, service_level = 'INFORMATION'),
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0
        FROM
        (
            SELECT unit_code, source, channel, service_level, sum(sign) AS received
            FROM dossier_postings
            WHERE received_on BETWEEN {from:Date} AND {to:Date}
            GROUP BY unit_code, source, channel, service_level
        )
        GROUP BY unit_code, source
        UNION ALL
        SELECT unit_code, source, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, sum(sign), sumIf(sign, compared_on < due_on), sumIf(sign, compared_on > due_on AND due_on != toDate(0)), 0, 0, 0, 0
        FROM dossier_postings
        WHERE settled_on BETWEEN {from:Date} AND {to:Date} AND settled_on != toDate(0)
        GROUP BY unit_code, source
        UNION ALL
        SELECT unit_code, source, 0, 0, 0, 0, 0, 0, 0, 0, sum(n), sumIf(n, ended_as = 'WITHDRAWN'), sumIf(n, ended_as = 'STOPPED'), 0, 0, 0, 0, 0, 0, 0
        FROM
        (
            SELECT unit_code, source, ended_as, sum(sign) AS n
            FROM dossier_postings
            WHERE ended_on BETWEEN {from:Date} AND {to:Date} AND ended_on != toDate(0)
            GROUP BY unit_code, source, ended_as
        )
        GROUP BY unit_code, source
        UNION ALL
        SELECT unit_code, source, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, sum(sign), 0, 0, 0
        FROM dossier_postings
        WHERE returned_on BETWEEN {from:Date} AND {to:Date} AND returned_on != toDate(0)
        GROUP BY unit_code, source
        UNION ALL
        SELECT unit_code, source, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, sum(not_accepted), 0, 0
        FROM not_accepted
        WHERE day BETWEEN {from:Date} AND {to:Date}
        GROUP BY unit_code, source
    )
    GROUP BY unit_code, source
    HAVING carried != 0 OR n_received != 0 OR n_ended != 0 OR n_settled != 0 OR n_returned != 0 OR n_not_accepted != 0 OR n_pending != 0
) AS f
ANY LEFT JOIN
(
    SELECT unit_code, argMax(at_code, from_day) AS at_code, argMax(at_valid_from, from_day) AS at_valid_from, argMax(at_name, from_day) AS at_name
    FROM tier_on_day(tier={tier:String})
    WHERE from_day <= {to:Date}
    GROUP BY unit_code
) AS u ON f.unit_code = u.unit_code
WHERE u.at_code != ''
    AND throwIf({from:Date} > {to:Date}, 'from must not be after to') = 0
GROUP BY at_code, at_valid_from
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT 'dossier_balance(from=, to=, tier=): carried_over + received - ended = pending per unit (as valid on the last day), both days included, with channels, service levels and outcomes'
