DROP VIEW procedures_on_day
