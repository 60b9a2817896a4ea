DROP VIEW units_of_tier
