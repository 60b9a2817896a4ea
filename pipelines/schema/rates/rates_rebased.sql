-- Rates on the units of one day, whatever day they are of: Ninh Thuận's of 2023 under Khánh Hòa on the units of 2026. `rates`
-- has them as recorded. split says what becomes of dossiers of a commune that was divided among several:
--   none   they stay in a row of the commune in which they are recorded;
--   area   every successor gets its share by area, the only measure known; counts become decimals. A commune of which a
--          successor's area is not known stays as with none;
--   first  all go to the successor that keeps the code, else to the one with the lowest code.
-- Going back in time a unit made of several stays where it is under every policy, and so does all for which the day has no
-- unit of the tier: there are no districts from 2025-07-01 on.
--
-- comparable is true where all dossiers of the row lie in this unit for certain, and none lies elsewhere that might be its own.
-- It is false for a unit that keeps dossiers which could not be placed, that got some by a policy, or that lacks some for one
-- of these reasons: its figures are not those of the same place over time. It speaks of the dossiers of the period asked for.
--
-- In every flow and under every policy the rows of provinces, and the country, add up to what rates gives. Communes and
-- districts have, over that, the dossiers that have a unit of the tier on the day only (those of the island districts, which
-- became communes; going back those of today's communes, which lay in a district); who cannot be placed there is a row of the
-- own unit.
--
-- Netted under the recorded code first: postings that cancel each other must not mark a unit as not comparable.
CREATE VIEW rates_rebased AS
SELECT at_code AS unit_code, at_valid_from AS unit_valid_from, any(name) AS unit_name,
    sum(n_received) AS received, sum(n_online) AS received_online, {{rate online_submission | toFloat64}} AS online_rate,
    sum(n_settled) AS settled, sum(n_early) AS settled_early, settled - settled_early - settled_late AS settled_on_time,
    sum(n_late) AS settled_late, {{rate on_time | toFloat64}} AS on_time_rate,
    arraySort(groupArrayIf(source, n_received != 0 OR n_settled != 0)) AS sources,
    toBool(min(certain)) AS comparable
FROM
(
    SELECT p.at_code AS at_code, p.at_valid_from AS at_valid_from, any(p.at_name) AS name, f.source AS source, min(p.comparable) AS certain,
        sum(f.n_received * p.share) AS n_received, sum(f.n_online * p.share) AS n_online,
        sum(f.n_settled * p.share) AS n_settled, sum(f.n_early * p.share) AS n_early, sum(f.n_late * p.share) AS n_late
    FROM
    (
        SELECT unit_code, unit_day, source,
            sum(received) AS n_received, sumIf(received, channel = 'ONLINE') AS n_online, sum(settled) AS n_settled, sum(early) AS n_early, sum(late) AS n_late
        FROM recorded_flows(from={from:Date}, to={to:Date})
        GROUP BY unit_code, unit_day, source
        HAVING n_received != 0 OR n_online != 0 OR n_settled != 0 OR n_early != 0 OR n_late != 0
    ) AS f
    INNER JOIN placed_on_unit_day(tier={tier:String}, units={units:String}, split={split:String}) AS p ON f.unit_code = p.unit_code AND f.unit_day = p.unit_day
    GROUP BY at_code, at_valid_from, source
)
GROUP BY at_code, at_valid_from
HAVING received != 0 OR received_online != 0 OR settled != 0 OR settled_early != 0 OR settled_late != 0
SETTINGS join_use_nulls = 0, aggregate_functions_null_for_empty = 0
COMMENT 'rates_rebased(from=, to=, tier=, units=, split=): rates per unit over any period, both days included, on the units of the day `units`; split none, area or first; comparable: all dossiers lie in this unit for certain, and none elsewhere that might be its own'
