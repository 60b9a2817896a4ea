-- A policy applied to unit_rebased: the units in which the dossiers of a code count on a day, with their shares (sum 1). Units
-- in which they could count, too, stand there with share 0: their figures lack these dossiers, so they are marked as well.
CREATE VIEW unit_placements AS
SELECT unit_code, from_day, fit = 'exact' AS comparable,
    multiIf(
        fit = 'exact' OR fit = 'split' AND {split:String} = 'area' AND arraySum(target -> target.share, targets) = 1,
            targets,
        fit = 'split' AND {split:String} = 'first',
            arrayMap((target, place) -> (target.code, target.valid_from, target.name, toDecimal64(place = 1, 9)), targets, arrayEnumerate(targets)),
        recorded.code = '',
            [],
        arrayPushFront(
            arrayMap(target -> (target.code, target.valid_from, target.name, toDecimal64(0, 9)), targets),
            (recorded.code, recorded.valid_from, recorded.name, toDecimal64(1, 9)))) AS places
FROM unit_rebased
WHERE tier = {tier:String}
    AND units_from = (SELECT max(units_from) FROM unit_rebased WHERE units_from <= toDateOrZero({units:String}))
    AND {units:String} != 'as_recorded'
    -- In a subquery, so that a wrong word is refused also where nothing would be read.
    AND
    (
        SELECT throwIf({tier:String} NOT IN ('commune', 'district', 'province', 'country'), 'tier must be commune, district, province or country')
            + throwIf({split:String} NOT IN ('none', 'area', 'first'), 'split must be none (dossiers of a divided commune stay where they are recorded), area (shared out by the areas of the successors) or first (the successor that keeps the code, else the lowest code)')
            + throwIf({units:String} != 'as_recorded' AND toString(toDateOrZero({units:String})) != {units:String}, 'units must be as_recorded, or a day from 1970-01-01 to 2149-06-06, such as 2026-01-01')
    ) = 0
UNION ALL
SELECT unit_code, from_day, true AS comparable, if(at_code = '', [], [(at_code, at_valid_from, at_name, toDecimal64(1, 9))]) AS places
FROM tier_on_day(tier={tier:String})
WHERE {units:String} = 'as_recorded'
COMMENT 'unit_placements(tier=, units=, split=): per recorded code the units of that day (or as_recorded: of the day of reception or settlement) in which its dossiers count, as (code, valid_from, name, share), and whether that is certain'
