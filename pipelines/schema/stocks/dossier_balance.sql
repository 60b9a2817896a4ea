-- The statement of account of a unit over a period, as reports give it: carried over + received - ended = pending. All of it
-- stands at the units valid on the last day of the period, so that the identity holds in every row, across a reform too.
-- Each road below adds up what it has to add, as (measure, dossiers); the inner groupings are those of the roll-ups.
CREATE VIEW dossier_balance AS
SELECT at_code AS unit_code, at_valid_from AS unit_valid_from, any(at_name) AS unit_name,
    sumIf(n, measure = 'carried_over') AS carried_over,
    sumIf(n, measure = 'received') AS received,
    sumIf(n, measure = 'ONLINE') AS received_online, sumIf(n, measure = 'COUNTER') AS received_counter, sumIf(n, measure = 'POSTAL') AS received_postal,
    sumIf(n, measure = 'FULL') AS received_full, sumIf(n, measure = 'PARTIAL') AS received_partial, sumIf(n, measure = 'INFORMATION') AS received_information,
    sumIf(n, measure = 'ended') AS ended, sumIf(n, measure = 'WITHDRAWN') AS withdrawn, sumIf(n, measure = 'STOPPED') AS stopped,
    sumIf(n, measure = 'settled') AS settled, sumIf(n, measure = 'early') AS settled_early, settled - settled_early - settled_late AS settled_on_time,
    sumIf(n, measure = 'late') AS settled_late,
    sumIf(n, measure = 'returned') AS returned, sumIf(n, measure = 'not_accepted') AS not_accepted,
    sumIf(n, measure = 'pending') AS pending, pending - pending_overdue AS pending_in_time, sumIf(n, measure = 'overdue') AS pending_overdue,
    arraySort(groupUniqArray(f.source)) AS sources
FROM
(
    SELECT unit_code, source, part.1 AS measure, sum(part.2) AS n
    FROM
    (
        SELECT unit_code, source, [('pending', n), ('carried_over', if(before, n, 0))] AS parts
        FROM
        (
            SELECT unit_code, source, received_on < {from:Date} AS before, sum(sign) AS n
            FROM dossier_postings
            WHERE received_on <= {to:Date}
            GROUP BY unit_code, source, before
            UNION ALL
            SELECT unit_code, source, ended_on < {from:Date} AS before, -sum(sign) AS n
            FROM dossier_postings
            WHERE ended_on != toDate(0) AND ended_on <= {to:Date}
            GROUP BY unit_code, source, before
        )
        UNION ALL
        SELECT unit_code, source, [('overdue', -sumIf(sign, overdue_on != toDate(0) AND overdue_on < ended_on))]
        FROM dossier_postings
        WHERE ended_on != toDate(0) AND ended_on <= {to:Date}
        GROUP BY unit_code, source
        UNION ALL
        SELECT unit_code, source, [('overdue', sumIf(sign, ended_on = toDate(0) OR overdue_on < ended_on))]
        FROM dossier_postings
        WHERE overdue_on != toDate(0) AND overdue_on <= {to:Date}
        GROUP BY unit_code, source
        UNION ALL
        SELECT unit_code, source, [('received', sum(sign)), (toString(channel), sum(sign)), (toString(service_level), sum(sign))]
        FROM dossier_postings
        WHERE received_on BETWEEN {from:Date} AND {to:Date}
        GROUP BY unit_code, source, channel, service_level
        UNION ALL
        SELECT unit_code, source, [('settled', sum(sign)), ('early', sumIf(sign, compared_on < due_on)), ('late', sumIf(sign, compared_on > due_on AND due_on != toDate(0)))]
        FROM dossier_postings
        WHERE settled_on BETWEEN {from:Date} AND {to:Date} AND settled_on != toDate(0)
        GROUP BY unit_code, source
        UNION ALL
        SELECT unit_code, source, [('ended', sum(sign)), (toString(ended_as), sum(sign))]
        FROM dossier_postings
        WHERE ended_on BETWEEN {from:Date} AND {to:Date} AND ended_on != toDate(0)
        GROUP BY unit_code, source, ended_as
        UNION ALL
        SELECT unit_code, source, [('returned', sum(sign))]
        FROM dossier_postings
        WHERE returned_on BETWEEN {from:Date} AND {to:Date} AND returned_on != toDate(0)
        GROUP BY unit_code, source
        UNION ALL
        SELECT unit_code, source, [('not_accepted', sum(not_accepted))]
        FROM not_accepted
        WHERE day BETWEEN {from:Date} AND {to:Date}
        GROUP BY unit_code, source
    )
    ARRAY JOIN parts AS part
    GROUP BY unit_code, source, measure
    HAVING n != 0
) AS f
ANY LEFT JOIN
(
    SELECT unit_code, argMax(at_code, from_day) AS at_code, argMax(at_valid_from, from_day) AS at_valid_from, argMax(at_name, from_day) AS at_name
    FROM tier_on_day(tier={tier:String})
    WHERE from_day <= {to:Date}
    GROUP BY unit_code
) AS u ON f.unit_code = u.unit_code
WHERE u.at_code != ''
    AND {{from_to}}
GROUP BY at_code, at_valid_from
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT 'dossier_balance(from=, to=, tier=): carried_over + received - ended = pending per unit (as valid on the last day), both days included, with channels, service levels and outcomes'
