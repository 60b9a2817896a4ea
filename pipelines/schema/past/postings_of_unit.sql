-- Every posting once per flow it is part of (its reception; its settlement, where there is one), and whether it counts there
-- for the asked unit in the asked period. A code names a unit of one tier by its length, so no tier is asked.
CREATE VIEW postings_of_unit AS
SELECT p.slot AS slot, p.dossier_id AS dossier_id, p.posted_at AS posted_at, p.sign AS sign, p.flow AS flow, p.online AS online, p.early AS early, p.late AS late,
    p.day BETWEEN {from:Date} AND {to:Date} AND {{from_to}} AND ({unit:String} = 'VN' OR u.commune_code = {unit:String} OR u.district_code = {unit:String} OR u.province_code = {unit:String}) AS here
FROM
(
    SELECT slot, dossier_id, posted_at, sign, unit_code, 'received' AS flow, received_on AS day, channel = 'ONLINE' AS online, false AS early, false AS late
    FROM dossier_postings
    UNION ALL
    SELECT slot, dossier_id, posted_at, sign, unit_code, 'settled', settled_on, false, compared_on < due_on, compared_on > due_on AND due_on != toDate(0)
    FROM dossier_postings
    WHERE settled_on != toDate(0)
) AS p
ASOF LEFT JOIN unit_on_day AS u ON p.unit_code = u.unit_code AND p.day >= u.from_day
WHERE throwIf({unit:String} != 'VN' AND {unit:String} NOT IN (SELECT unit_code FROM administrative_units), 'unit must be the code of an administrative unit, or VN') = 0
SETTINGS join_use_nulls = 0
COMMENT 'postings_of_unit(from=, to=, unit=): postings per flow (received, settled), and whether they count for the unit in the period; what restatement adds up'
