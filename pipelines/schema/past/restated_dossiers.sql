-- Which dossiers make the difference between a unit's figures then and now, and why. A difference is the sum of the postings
-- made since that count here, so only dossiers with such a posting are looked at.
--
-- Reception and settlement have a cause each, the first of these that holds:
--   late_news    it was never in the ledger until then: it was told afterwards (a new dossier, or the settlement of a known one);
--   voids        the dossier counted nowhere at one of the two moments: voided, not accepted, or brought back;
--   corrections  it counts here at both moments with other facts (channel, due date, …), or a settlement was taken back;
--   moves_in     it counted elsewhere or in another period, and counts here now;
--   moves_out    it counted here, and counts elsewhere or in another period now.
CREATE VIEW restated_dossiers AS
SELECT dossier_id, arrayJoin(arrayDistinct([reception, settlement])) AS cause,
    if(cause = reception, d_received, 0) AS received, if(cause = reception, d_online, 0) AS received_online,
    if(cause = settlement, d_settled, 0) AS settled, if(cause = settlement, d_early, 0) AS settled_early,
    if(cause = settlement, d_settled - d_early - d_late, 0) AS settled_on_time, if(cause = settlement, d_late, 0) AS settled_late
FROM
(
    SELECT dossier_id,
        sumIf(sign, flow = 'received' AND here AND since) AS d_received,
        sumIf(sign, flow = 'received' AND here AND since AND online) AS d_online,
        sumIf(sign, flow = 'settled' AND here AND since) AS d_settled,
        sumIf(sign, flow = 'settled' AND here AND since AND early) AS d_early,
        sumIf(sign, flow = 'settled' AND here AND since AND late) AS d_late,
        sumIf(sign, flow = 'received' AND NOT since) AS dossier_then,
        sumIf(sign, flow = 'received') AS dossier_now,
        sumIf(sign, flow = 'settled' AND NOT since) AS settled_then,
        sumIf(sign, flow = 'settled') AS settled_now,
        dossier_then = 0 OR dossier_now = 0 AS gone,
        multiIf(
            countIf(flow = 'received' AND NOT since) = 0, 'late_news',
            gone, 'voids',
            d_received = 0, 'corrections',
            d_received > 0, 'moves_in', 'moves_out') AS reception,
        multiIf(
            countIf(flow = 'settled' AND NOT since) = 0, 'late_news',
            gone, 'voids',
            settled_then = 0 OR settled_now = 0 OR d_settled = 0, 'corrections',
            d_settled > 0, 'moves_in', 'moves_out') AS settlement
    FROM
    (
        SELECT dossier_id, sign, flow, online, early, late, here, posted_at > {at:DateTime64(3, 'UTC')} AS since
        FROM postings_of_unit(from={from:Date}, to={to:Date}, unit={unit:String})
        WHERE (slot, dossier_id) IN
        (
            SELECT slot, dossier_id
            FROM dossier_postings
            WHERE posted_at > {at:DateTime64(3, 'UTC')}
                AND (received_on BETWEEN {from:Date} AND {to:Date} OR settled_on BETWEEN {from:Date} AND {to:Date})
                AND ({unit:String} = 'VN' OR unit_code IN (SELECT unit_code FROM unit_on_day WHERE {unit:String} IN (commune_code, district_code, province_code)))
        )
    )
    GROUP BY dossier_id
)
WHERE received != 0 OR received_online != 0 OR settled != 0 OR settled_early != 0 OR settled_on_time != 0 OR settled_late != 0
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT 'restated_dossiers(at=, from=, to=, unit=): dossiers that change the figures of a unit since a past moment, with cause and difference'
