DROP TABLE unit_on_day
