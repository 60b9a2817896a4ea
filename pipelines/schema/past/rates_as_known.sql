-- The rates as a reader would have seen them at a past moment: the same sums over the postings made until then. A batch
-- counts from its `ingested_at`, which is when ingest began to write it: a reader of that very moment saw it up to a few
-- seconds later (at most the time an insert may take), and of two batches under way at once either the first, or both. What a
-- damage hid counts from the healing on; a rebuild gives it back the time at which it was first told.
-- Units are those of today's lists. The roll-ups know no moments, so this reads postings: a scan, not a lookup.
CREATE VIEW rates_as_known AS
SELECT at_code AS unit_code, at_valid_from AS unit_valid_from, any(name) AS unit_name,
    sum(n_received) AS received, sum(n_online) AS received_online, {{rate online_submission}} AS online_rate,
    sum(n_settled) AS settled, sum(n_early) AS settled_early, settled - settled_early - settled_late AS settled_on_time,
    sum(n_late) AS settled_late, {{rate on_time}} AS on_time_rate,
    arraySort(groupArrayIf(source, n_received != 0 OR n_settled != 0)) AS sources
FROM
(
    SELECT
        u.at_code AS at_code, u.at_valid_from AS at_valid_from, any(u.at_name) AS name,
        f.source AS source,
        sum(f.received) AS n_received, sum(f.online) AS n_online, sum(f.settled) AS n_settled, sum(f.early) AS n_early, sum(f.late) AS n_late
    FROM
    (
        SELECT unit_code, {{unit_day received_on}} AS day, source,
            sum(sign) AS received, sumIf(sign, channel = 'ONLINE') AS online, toInt64(0) AS settled, toInt64(0) AS early, toInt64(0) AS late
        FROM dossier_postings
        WHERE posted_at <= {at:DateTime64(3, 'UTC')} AND received_on BETWEEN {from:Date} AND {to:Date} AND {{from_to}}
        GROUP BY unit_code, day, source
        UNION ALL
        SELECT unit_code, {{unit_day settled_on}} AS day, source,
            toInt64(0), toInt64(0), sum(sign), sumIf(sign, compared_on < due_on), sumIf(sign, compared_on > due_on AND due_on != toDate(0))
        FROM dossier_postings
        WHERE posted_at <= {at:DateTime64(3, 'UTC')} AND settled_on BETWEEN {from:Date} AND {to:Date} AND {{from_to}} AND settled_on != toDate(0)
        GROUP BY unit_code, day, source
    ) AS f
    ASOF LEFT JOIN tier_on_day(tier={tier:String}) AS u ON f.unit_code = u.unit_code AND f.day >= u.from_day
    WHERE u.at_code != ''
    GROUP BY at_code, at_valid_from, f.source
)
GROUP BY at_code, at_valid_from
HAVING received != 0 OR received_online != 0 OR settled != 0 OR settled_early != 0 OR settled_late != 0
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT 'rates_as_known(at=, from=, to=, tier=): rates(from=, to=, tier=) as they were known at a past moment (UTC)'
