DROP VIEW period_days
