-- Sectors are resolved when reading: the catalogue's sector of the procedure goes before the one the event carried, and a
-- corrected catalogue corrects all figures. No roll-up holds procedures (that would be nearly a row per dossier).
CREATE VIEW rates_by_sector AS
SELECT at_code AS unit_code, at_valid_from AS unit_valid_from, any(name) AS unit_name,
    at_sector AS sector_code, any(sector) AS sector_name,
    sum(n_received) AS received, sum(n_online) AS received_online, {{rate online_submission}} AS online_rate,
    sum(n_settled) AS settled, sum(n_early) AS settled_early, settled - settled_early - settled_late AS settled_on_time,
    sum(n_late) AS settled_late, {{rate on_time}} AS on_time_rate,
    arraySort(groupArrayIf(source, n_received != 0 OR n_settled != 0)) AS sources
FROM
(
    SELECT
        u.at_code AS at_code, u.at_valid_from AS at_valid_from, any(u.at_name) AS name, if(p.sector_code != '', p.sector_code, f.sector_code) AS at_sector, any(s.name_vi) AS sector, f.source AS source,
        sum(f.received) AS n_received, sum(f.received_online) AS n_online, sum(f.settled) AS n_settled, sum(f.early) AS n_early, sum(f.late) AS n_late
    FROM
    (
        SELECT unit_code, {{unit_day received_on}} AS day, source, procedure_code, sector_code,
            sum(sign) AS received, sumIf(sign, channel = 'ONLINE') AS received_online, toInt64(0) AS settled, toInt64(0) AS early, toInt64(0) AS late
        FROM dossier_postings
        WHERE received_on BETWEEN {from:Date} AND {to:Date}
        GROUP BY unit_code, day, source, procedure_code, sector_code
        UNION ALL
        SELECT unit_code, {{unit_day settled_on}} AS day, source, procedure_code, sector_code,
            toInt64(0), toInt64(0), sum(sign), sumIf(sign, compared_on < due_on), sumIf(sign, compared_on > due_on AND due_on != toDate(0))
        FROM dossier_postings
        WHERE settled_on BETWEEN {from:Date} AND {to:Date} AND settled_on != toDate(0)
        GROUP BY unit_code, day, source, procedure_code, sector_code
    ) AS f
    ASOF LEFT JOIN tier_on_day(tier={tier:String}) AS u ON f.unit_code = u.unit_code AND f.day >= u.from_day
    LEFT ANY JOIN procedures AS p ON f.procedure_code = p.procedure_code
    LEFT ANY JOIN sectors AS s ON if(p.sector_code != '', p.sector_code, f.sector_code) = s.sector_code
    WHERE u.at_code != ''
    GROUP BY at_code, at_valid_from, at_sector, f.source
)
GROUP BY at_code, at_valid_from, at_sector
HAVING received != 0 OR received_online != 0 OR settled != 0 OR settled_early != 0 OR settled_late != 0
SETTINGS join_use_nulls = 0
COMMENT 'rates_by_sector(from=, to=, tier=): rates per unit and sector over any period; sector_code and sector_name are empty where none is known'
