DROP VIEW tier_on_unit_day
