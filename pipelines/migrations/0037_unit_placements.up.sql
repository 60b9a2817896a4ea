-- A policy applied to unit_rebased: the units in which the dossiers of a code count on a day, with their shares (sum 1). Units
-- in which they could count, too, stand there with share 0: their figures lack these dossiers, so they are marked as well.
CREATE VIEW unit_placements AS
SELECT unit_code, from_day, fit = 'exact' AS comparable,
    multiIf(
        fit = 'exact' OR fit = 'split' AND {split:String} = 'area' AND targets[1].share + targets[-1].share > 0,
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
COMMENT 'unit_placements(tier=, units=, split=): per recorded code the units of that day in which its dossiers count, as (code, valid_from, name, share), and whether that is certain'
