DROP VIEW tier_on_day
