DROP VIEW flows_of_tier
